/**
 * Commands to a camera: sealed to its box key, signed by the owner, and the reply that answers one.
 */
import { ocellus } from "#proto";
import { VALIDITY_US as VALIDITY_MAX_US } from "../../agent/control/commands.ts";
import { same } from "../../agent/identity/encoding.ts";
import type { RecipientKey } from "../../agent/seal/crypto.ts";
import { decodeMessage } from "../../agent/seal/decode.ts";
import { topicName } from "../../agent/seal/names.ts";
import { sealBody, signRecord } from "../../agent/seal/record.ts";
import { isRefused } from "../../agent/seal/refusal.ts";
import { VALIDITY_US } from "./camera-clock.ts";
import { crypto, encoded, keyId, type SigningPair } from "./crypto.ts";
import { openRecord } from "./status.ts";
import type { Trusted } from "./trust.ts";

/** Whom a command is for. */
export interface Addressee {
  readonly tenant: string;
  readonly camera: Uint8Array;
  /** X25519. */
  readonly boxKey: Uint8Array;
  /** The boot that is running. */
  readonly boot: number;
  /** The earliest that the camera's monotonic clock may show now: the command is good for VALIDITY_US from then on. */
  readonly monotonic_us: number;
}

/** A command on its way. */
export interface Sent {
  readonly topic: string;
  readonly payload: Uint8Array;
  /** Key id of its signer, and its counter: what a reply names. */
  readonly signer: Uint8Array;
  readonly seq: number;
  readonly notAfter_us: number;
}

/**
 * Seals and signs a command.
 * @param now_us microseconds since 1970: the counter. It rises over all of the owner's devices without a word between
 *   them; a camera refuses a command of a clock that went back, and says so.
 */
export function makeCommand(
  to: Addressee,
  signer: SigningPair,
  now_us: number,
  command: ocellus.v1.Command.$Properties,
): Sent {
  const topic = topicName(to.tenant, to.camera, "cmd");
  const at = { boot: to.boot, seq: now_us };
  const plain = encoded(ocellus.v1.Command, command);
  const sealed = sealBody(crypto, "command", at, [to.boxKey], plain);
  if (isRefused(sealed)) throw new Error("the camera's box key is a low-order point");
  const id = keyId(signer.publicKey);
  const notAfterUs = to.monotonic_us + VALIDITY_US;
  const body = {
    ...{ kind: ocellus.v1.Kind.KIND_COMMAND, camera: to.camera, boot: at.boot, seq: at.seq },
    ...{ signer: id, plain: new Uint8Array(), sealed, notAfterUs },
  };
  return {
    topic,
    payload: signRecord(crypto, topic, body, signer.secretKey),
    signer: id,
    seq: at.seq,
    notAfter_us: notAfterUs,
  };
}

/** The reply to `sent`, out of a message of the camera's `rsp` topic; null where it is another's or not believed. */
export function openReply(
  trusted: Trusted,
  keys: readonly RecipientKey[],
  sent: Pick<Sent, "signer" | "seq">,
  payload: Uint8Array,
): ocellus.v1.Reply | null {
  const opened = openRecord(trusted, keys, "rsp", payload);
  if (isRefused(opened) || opened.sealed === null) return null;
  const reply = decodeMessage(ocellus.v1.Reply, opened.sealed);
  if (isRefused(reply)) return null;
  return same(reply.signer, sent.signer) && reply.seq === sent.seq ? reply : null;
}

/**
 * What the camera's clock showed when it refused a command for its time, microseconds; null for any other answer, and for
 * one of a camera that does not state its clock.
 */
export function refusedAt_us(
  { notAfter_us }: Sent,
  { result, monotonicUs }: ocellus.v1.Reply,
): number | null {
  const late = notAfter_us < monotonicUs;
  const early = notAfter_us - monotonicUs > VALIDITY_MAX_US;
  const refused = result === ocellus.v1.Result.RESULT_INVALID && (late || early);
  return refused && monotonicUs > 0 ? monotonicUs : null;
}
