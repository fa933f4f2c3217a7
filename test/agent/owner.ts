/** An owner for tests: keys, provisioning files, camera records, recipients' lists and commands, from fixed or fresh seeds. */
import { createHash, randomBytes } from "node:crypto";
import { ocellus } from "#proto";
import { ascii, join, keyId, toHex } from "../../agent/identity/encoding.ts";
import { topicName } from "../../agent/seal/names.ts";
import {
  openBody,
  type ParsedRecord,
  parseRecord,
  sealBody,
  signRecord,
  verifyRecord,
} from "../../agent/seal/record.ts";
import { isRefused } from "../../agent/seal/refusal.ts";
import { nodeCrypto, plain, seededRandom } from "./double/crypto.ts";

const { v1 } = ocellus;

/** Passes for an authority's certificate as far as the agent looks at it. */
export const CA_PEM = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";

export interface SignPair {
  readonly publicKey: Uint8Array;
  readonly secretKey: Uint8Array;
}

const sha256 = (bytes: Uint8Array) => plain(createHash("sha256").update(bytes).digest());

/** The public half of a claimed or provisioned camera. */
export interface ClaimedCamera {
  readonly camera: Uint8Array;
  readonly signingKey: Uint8Array;
  readonly boxKey: Uint8Array;
}

/** Who may sign what; roles of record.proto. */
export type SignerEntry = { readonly key: Uint8Array; readonly roles: ocellus.v1.Role[] };

export class Owner {
  readonly crypto: ReturnType<typeof nodeCrypto>;
  readonly tenant = "home";
  readonly root: SignPair;
  /** A device with every role but operator. */
  readonly device: SignPair;
  readonly vault: SignPair;
  readonly token: Uint8Array;
  readonly seed: Uint8Array;
  readonly camera: Uint8Array;
  #seq = 0;

  /** The same seed gives the same owner. */
  constructor(seed: string = randomBytes(8).toString("hex")) {
    const random = seededRandom(seed);
    this.crypto = nodeCrypto(random);
    this.root = this.crypto.signKeypair();
    this.device = this.crypto.signKeypair();
    this.vault = this.crypto.boxKeypair();
    this.token = random(32);
    this.seed = random(32);
    this.camera = random(16);
  }

  topic(leaf: Parameters<typeof topicName>[2]): string {
    return topicName(this.tenant, this.camera, leaf);
  }

  /** What `ocellus pair` writes, as an object to spoil. */
  provisioning(over: { store?: object; broker?: object } = {}): Record<string, unknown> {
    const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");
    return {
      format: "ocellus-provision-1",
      camera: toHex(this.camera),
      tenant: this.tenant,
      token: base64(this.token),
      root_key: base64(this.root.publicKey),
      seed: base64(this.seed),
      store: {
        endpoint: "https://store.test:9000",
        region: "us-east-1",
        bucket: "footage",
        access_key_id: "AKIDEXAMPLE",
        secret_access_key: "secret/key+example",
        ca_pem: CA_PEM,
        ...over.store,
      },
      broker: {
        url: "mqtts://broker.test:8883",
        username: "cam",
        password: "broker password",
        ca_pem: CA_PEM,
        ...over.broker,
      },
    };
  }

  provisioningFile(over: { store?: object; broker?: object } = {}): Uint8Array {
    return new Uint8Array(Buffer.from(JSON.stringify(this.provisioning(over))));
  }

  cameraRecord(
    camera: ClaimedCamera,
    over: Partial<ocellus.v1.CameraRecord.$Properties> = {},
    signer: SignPair = this.root,
  ): ocellus.v1.Adoption.$Properties {
    const cameraRecord = v1.CameraRecord.encode({
      ...camera,
      rootKey: this.root.publicKey,
      tenant: this.tenant,
      signedUs: 1_780_000_000_000_000,
      ...over,
    }).finish();
    const message = join(ascii("ocellus/v1/camera-record\0"), cameraRecord);
    return { cameraRecord, signature: this.crypto.sign(message, signer.secretKey) };
  }

  /** By default version 1: the vault as recipient, the device with view, control and admin. */
  list(
    over: Partial<ocellus.v1.RecipientsList.$Properties> = {},
    signer: SignPair = this.root,
  ): ocellus.v1.SignedRecipients.$Properties {
    const { ROLE_VIEW, ROLE_CONTROL, ROLE_ADMIN } = v1.Role;
    const list = v1.RecipientsList.encode({
      tenant: this.tenant,
      version: 1,
      recipients: [{ boxKey: this.vault.publicKey, vaultVersion: 1 }],
      signers: [
        { signingKey: this.device.publicKey, roles: [ROLE_VIEW, ROLE_CONTROL, ROLE_ADMIN] },
      ],
      signedUs: 1_780_000_000_000_000,
      ...over,
    }).finish();
    const message = join(ascii("ocellus/v1/recipients\0"), list);
    return { list, signature: this.crypto.sign(message, signer.secretKey) };
  }

  signers(...entries: SignerEntry[]): ocellus.v1.Signer.$Properties[] {
    return entries.map(({ key, roles }) => ({ signingKey: key, roles }));
  }

  /** A sealed and signed command. `seq` counts by itself; everything can be overridden to be wrong. */
  command(
    to: { readonly boxKey: Uint8Array; readonly boot: number; readonly notAfterUs: number },
    command: ocellus.v1.Command.$Properties,
    over: CommandSpoils = {},
  ): Uint8Array {
    this.#seq += 1;
    const seq = over.seq ?? this.#seq;
    const signer = over.signer ?? this.device;
    const boot = over.boot ?? to.boot;
    const secret = over.secret ?? v1.Command.encode(command).finish();
    const at = { boot: over.sealedAtBoot ?? boot, seq: over.sealedAtSeq ?? seq };
    const sealed = sealBody(this.crypto, "command", at, [to.boxKey], secret);
    if (isRefused(sealed)) throw new Error(`cannot seal: ${sealed.refused}`);
    return signRecord(
      this.crypto,
      over.topic ?? this.topic("cmd"),
      {
        kind: over.kind ?? v1.Kind.KIND_COMMAND,
        camera: over.camera ?? this.camera,
        boot,
        seq,
        signer: keyId(sha256, (over.claimedSigner ?? signer).publicKey),
        plain: new Uint8Array(0),
        sealed: over.unsealed ? null : sealed,
        notAfterUs: to.notAfterUs,
      },
      signer.secretKey,
    );
  }

  /** Parses and verifies a record of the camera; opens its sealed part as the vault. */
  read(
    leaf: Parameters<typeof topicName>[2],
    bytes: Uint8Array,
    signingKey: Uint8Array,
  ): { readonly record: ParsedRecord; readonly secret: Uint8Array | null } {
    const record = parseRecord(bytes);
    if (isRefused(record)) throw new Error(`the record is refused: ${record.refused}`);
    const scope = { topic: this.topic(leaf), camera: this.camera, boot: null };
    const refused = verifyRecord(this.crypto, record, scope, signingKey);
    if (refused !== null) throw new Error(`the record is refused: ${refused.refused}`);
    const { body } = record;
    if (body.sealed === null) return { record, secret: null };
    const secret = openBody(this.crypto, "record", body, body.sealed, [this.vault]);
    if (isRefused(secret)) throw new Error(`the record does not open: ${secret.refused}`);
    return { record, secret };
  }
}

export interface CommandSpoils {
  readonly seq?: number;
  readonly signer?: SignPair;
  /** Signed by `signer`, but bearing this key's id. */
  readonly claimedSigner?: SignPair;
  readonly boot?: number;
  readonly camera?: Uint8Array;
  readonly kind?: ocellus.v1.Kind;
  readonly topic?: string;
  readonly secret?: Uint8Array;
  readonly unsealed?: boolean;
  readonly sealedAtBoot?: number;
  readonly sealedAtSeq?: number;
}
