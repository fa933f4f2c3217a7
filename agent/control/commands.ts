/**
 * Which commands are obeyed: "Command rules" of identity/FORMAT.md, in that order. Pure but for the cryptography given.
 *
 * A command that is refused before its signature is verified is counted and otherwise ignored: its sender is unknown.
 * From the signature on the sender is told why. A counter is used up as soon as signature and counter are good, whatever
 * comes after: a command refused for being too far ahead of time must not become good by waiting.
 */
import { ocellus } from "#proto";
import { same, toHex } from "../identity/encoding.ts";
import type { KeyPair } from "../identity/identity.ts";
import { mayAct, type Signer } from "../identity/recipients.ts";
import type { OpenCrypto, VerifyCrypto } from "../seal/crypto.ts";
import { decodeMessage } from "../seal/decode.ts";
import { openBody, type ParsedRecord, parseRecord, verifyRecord } from "../seal/record.ts";
import { isRefused, type Refused } from "../seal/refusal.ts";
import { Bucket } from "./rate.ts";

const { Kind, Result, Role } = ocellus.v1;

export const COMMAND_BYTES = 16_384;
/** A command may be good for this long at most. */
export const VALIDITY_US = 10 * 60 * 1_000_000;
const VERIFICATIONS_AT_ONCE = 8;
const VERIFICATIONS_PER_SECOND = 2;

/** Whom commands are addressed to. */
export interface Addressee {
  /** 16 bytes. */
  readonly camera: Uint8Array;
  readonly boot: number;
  /** The `cmd` topic. */
  readonly topic: string;
  readonly box: KeyPair;
}

/** Which command a reply answers. */
export interface Answered {
  /** Key id. */
  readonly signer: Uint8Array;
  readonly seq: number;
}

/** Why a command was dropped without an answer. */
export type Ignored =
  | "size"
  | "malformed"
  | "kind"
  | "camera"
  | "boot"
  | "unknown-signer"
  | "rate"
  | "signature";

export type Verdict =
  | { readonly is: "ignored"; readonly why: Ignored }
  | {
      readonly is: "refused";
      readonly to: Answered;
      readonly result: ocellus.v1.Result;
      /** One sentence. */
      readonly text: string;
    }
  | { readonly is: "accepted"; readonly to: Answered; readonly action: Action };

/** What a command asks for, exactly one thing. */
export type Action =
  | { readonly does: "ping"; readonly ping: ocellus.v1.Ping.$Properties }
  | { readonly does: "settings"; readonly settings: ocellus.v1.Settings.$Properties }
  | { readonly does: "log"; readonly log: ocellus.v1.GetLog.$Properties }
  | { readonly does: "reboot" }
  | { readonly does: "adopt"; readonly adopt: ocellus.v1.Adopt.$Properties }
  | { readonly does: "access"; readonly access: ocellus.v1.Access.$Properties }
  | { readonly does: "recipients"; readonly recipients: ocellus.v1.SignedRecipients.$Properties };

/** `adopt` needs more than a role: see `#forbids`. */
const NEEDS: Record<Action["does"], ocellus.v1.Role> = {
  ping: Role.ROLE_VIEW,
  settings: Role.ROLE_CONTROL,
  log: Role.ROLE_CONTROL,
  reboot: Role.ROLE_CONTROL,
  adopt: Role.ROLE_ADMIN,
  access: Role.ROLE_ADMIN,
  recipients: Role.ROLE_ADMIN,
};

type Crypto = OpenCrypto & VerifyCrypto;

export class CommandGate {
  readonly #crypto: Crypto;
  readonly #self: Addressee;
  readonly #root: Signer;
  readonly #verifications: Bucket;
  /** Highest counter of each signer in this boot, by its key id in hex. */
  readonly #accepted = new Map<string, number>();
  #signers: readonly Signer[] = [];
  #adopted = false;
  #ignored = 0;

  constructor(crypto: Crypto, self: Addressee, root: Signer, nowUs: number) {
    this.#crypto = crypto;
    this.#self = self;
    this.#root = root;
    this.#verifications = new Bucket(VERIFICATIONS_AT_ONCE, VERIFICATIONS_PER_SECOND, nowUs);
  }

  /** Commands dropped without an answer in this boot. */
  get ignored(): number {
    return this.#ignored;
  }

  /** Who may sign from now on, beside the root key. Counters of signers that stay are kept. */
  setSigners(signers: readonly Signer[]): void {
    this.#signers = signers;
  }

  /** From now on everything but `adopt` is obeyed. */
  setAdopted(): void {
    this.#adopted = true;
  }

  /** Judges one message of the `cmd` topic. `nowUs` is the camera's monotonic clock. */
  judge(bytes: Uint8Array, nowUs: number): Verdict {
    if (bytes.length > COMMAND_BYTES) return this.#ignore("size");
    const record = parseRecord(bytes);
    if (isRefused(record)) return this.#ignore("malformed");
    const { body } = record;
    if (body.kind !== Kind.KIND_COMMAND) return this.#ignore("kind");
    if (!same(body.camera, this.#self.camera)) return this.#ignore("camera");
    if (body.boot !== this.#self.boot) return this.#ignore("boot");
    const signer = [this.#root, ...this.#signers].find(({ id }) => same(id, body.signer));
    if (signer === undefined) return this.#ignore("unknown-signer");
    if (!this.#verifications.take(1, nowUs)) return this.#ignore("rate");
    if (verifyRecord(this.#crypto, record, this.#self, signer.signingKey) !== null) {
      return this.#ignore("signature");
    }
    return this.#judgeSigned(record, signer, nowUs);
  }

  #judgeSigned({ body }: ParsedRecord, signer: Signer, nowUs: number): Verdict {
    const to: Answered = { signer: signer.id, seq: body.seq };
    const refuse = (result: ocellus.v1.Result, text: string): Verdict => ({
      is: "refused",
      to,
      result,
      text,
    });
    const name = toHex(signer.id);
    const highest = this.#accepted.get(name) ?? 0;
    if (body.seq <= highest) {
      return refuse(
        Result.RESULT_INVALID,
        `Counter ${body.seq} is used up; the highest taken from this key in this boot is ${highest}.`,
      );
    }
    this.#accepted.set(name, body.seq);
    if (body.notAfterUs < nowUs) {
      return refuse(Result.RESULT_INVALID, "The command came too late.");
    }
    if (body.notAfterUs - nowUs > VALIDITY_US) {
      return refuse(Result.RESULT_INVALID, "The command is valid for more than ten minutes.");
    }
    if (body.sealed === null) return refuse(Result.RESULT_INVALID, "The command is not sealed.");
    const at = { boot: body.boot, seq: body.seq };
    const plain = openBody(this.#crypto, "command", at, body.sealed, [this.#self.box]);
    if (isRefused(plain)) {
      return refuse(Result.RESULT_INVALID, `The command cannot be opened (${plain.refused}).`);
    }
    const action = readAction(plain);
    if (isRefused(action)) {
      return refuse(Result.RESULT_INVALID, `The command cannot be read (${action.refused}).`);
    }
    if (action === null) {
      return refuse(Result.RESULT_UNSUPPORTED, "This version does not know the command.");
    }
    const forbidden = this.#forbids(action, signer);
    return forbidden === null
      ? { is: "accepted", to, action }
      : refuse(Result.RESULT_FORBIDDEN, forbidden);
  }

  /** Roles, and what may be done before and after adoption. One sentence, or `null`: it may be done. */
  #forbids(action: Action, signer: Signer): string | null {
    if (action.does === "adopt") {
      if (signer !== this.#root) return "Only the owner's root key may adopt a camera.";
      return this.#adopted ? "This camera is adopted already." : null;
    }
    if (!this.#adopted) return "This camera is not adopted yet and obeys nothing else.";
    return mayAct(signer.roles, NEEDS[action.does])
      ? null
      : `The roles of this key do not allow ${action.does}.`;
  }

  #ignore(why: Ignored): Verdict {
    this.#ignored += 1;
    return { is: "ignored", why };
  }
}

/** What an opened command asks for; `null`: nothing that this version knows. */
export function readAction(plain: Uint8Array): Action | null | Refused {
  const command = decodeMessage(ocellus.v1.Command, plain);
  if (isRefused(command)) return command;
  const { ping, settings, log, reboot, adopt, access, recipients } = command;
  switch (command.action) {
    case "ping":
      return ping ? { does: "ping", ping } : null;
    case "settings":
      return settings ? { does: "settings", settings } : null;
    case "log":
      return log ? { does: "log", log } : null;
    case "reboot":
      return reboot ? { does: "reboot" } : null;
    case "adopt":
      return adopt ? { does: "adopt", adopt } : null;
    case "access":
      return access ? { does: "access", access } : null;
    case "recipients":
      return recipients ? { does: "recipients", recipients } : null;
    default:
      return null;
  }
}
