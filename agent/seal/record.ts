/**
 * Records: small signed messages over MQTT and in the store (FORMAT.md, "Records"). Pure. A record is parsed, then
 * verified, and only then is its sealed part opened.
 */
import { ocellus } from "#proto";
import { ascii, join, keyId, same } from "../identity/encoding.ts";
import { viewOf } from "./bytes.ts";
import { parseWraps, SIGNATURE_BYTES, TAG_BYTES, type Wrap } from "./container.ts";
import type {
  HashCrypto,
  OpenCrypto,
  RecipientKey,
  SealCrypto,
  SignCrypto,
  VerifyCrypto,
} from "./crypto.ts";
import { decodeMessage } from "./decode.ts";
import { isBoot } from "./names.ts";
import { NONCE_KIND, type NonceKind, nonce, subkey } from "./nonce.ts";
import { isRefused, type Refused, refuse } from "./refusal.ts";
import { unwrapKey, wrapKey } from "./unwrap.ts";

const { Kind } = ocellus.v1;

const DOMAIN = ascii("ocellus/v1/record\0");

/** What a record is signed over besides its body. */
export interface RecordScope {
  /** MQTT topic, or the object's name without its last `-<…>` (`bootRecordTopic`). */
  readonly topic: string;
  /** The camera's id, 16 bytes. */
  readonly camera: Uint8Array;
  /** The camera's boot; for commands too. */
  readonly boot: number;
}

/** The sealed part, its shape checked. */
export interface SealedPart {
  readonly ephemeral: Uint8Array;
  readonly epoch: number;
  readonly wraps: readonly Wrap[];
  readonly commitment: Uint8Array;
  readonly box: Uint8Array;
}

/** A `Body` of record.proto, its shape checked; nothing is verified yet. */
export interface RecordBody {
  readonly kind: ocellus.v1.Kind;
  readonly camera: Uint8Array;
  readonly boot: number;
  readonly seq: number;
  /** Key id of the signer's Ed25519 key. */
  readonly signer: Uint8Array;
  /** Public part, empty where there is none. */
  readonly plain: Uint8Array;
  readonly sealed: SealedPart | null;
  /** Commands only, else 0. */
  readonly notAfterUs: number;
}

export interface ParsedRecord {
  readonly body: RecordBody;
  /** As signed. */
  readonly raw: Uint8Array;
  readonly signature: Uint8Array;
}

/** What Ed25519 signs. */
export function recordMessage(scope: RecordScope, rawBody: Uint8Array): Uint8Array {
  const topic = ascii(scope.topic);
  const length = new Uint8Array(2);
  viewOf(length).setUint16(0, topic.length);
  const boot = new Uint8Array(4);
  viewOf(boot).setUint32(0, scope.boot);
  return join(DOMAIN, length, topic, scope.camera, boot, rawBody);
}

/** Encodes and signs a body: the envelope as it travels. `secretKey` belongs to the key whose id is `body.signer`. */
export function signRecord(
  crypto: SignCrypto,
  topic: string,
  body: RecordBody,
  secretKey: Uint8Array,
): Uint8Array {
  const { sealed, ...rest } = body;
  const fields =
    sealed === null ? rest : { ...rest, sealed: { ...sealed, wraps: [...sealed.wraps] } };
  const raw = ocellus.v1.Body.encode(fields).finish();
  const scope = { topic, camera: body.camera, boot: body.boot };
  const signature = crypto.sign(recordMessage(scope, raw), secretKey);
  return ocellus.v1.Envelope.encode({ body: raw, signature }).finish();
}

/** Parses an envelope and its body. Its byte fields are views of `bytes`. */
export function parseRecord(bytes: Uint8Array): ParsedRecord | Refused {
  const envelope = decodeMessage(ocellus.v1.Envelope, bytes);
  if (isRefused(envelope)) return envelope;
  if (envelope.signature.length !== SIGNATURE_BYTES) return refuse("field-length");
  const message = decodeMessage(ocellus.v1.Body, envelope.body);
  if (isRefused(message)) return message;
  const { kind, camera, boot, seq, signer, plain, notAfterUs } = message;
  if (camera.length !== 16 || signer.length !== 8) return refuse("field-length");
  if (!isBoot(boot) || seq < 1) return refuse("field-value");
  const sealed = message.sealed ? parseSealed(message.sealed, kind) : null;
  if (isRefused(sealed)) return sealed;
  return {
    body: { kind, camera, boot, seq, signer, plain, sealed, notAfterUs },
    raw: envelope.body,
    signature: envelope.signature,
  };
}

function parseSealed(
  message: ocellus.v1.Sealed.$Properties,
  kind: ocellus.v1.Kind,
): SealedPart | Refused {
  const { ephemeral, commitment, box } = message;
  if (ephemeral?.length !== 32 || commitment?.length !== 32) return refuse("field-length");
  if (!box || box.length < TAG_BYTES) return refuse("field-length");
  const epoch = message.epoch ?? 0;
  if ((epoch === 0) !== (kind === Kind.KIND_COMMAND)) return refuse("field-value");
  const wraps = parseWraps(message.wraps ?? []);
  return isRefused(wraps) ? wraps : { ephemeral, epoch, wraps, commitment, box };
}

const KIND_OF_LEAF = new Map<string, ocellus.v1.Kind>([
  ["status", Kind.KIND_STATUS],
  ["seg", Kind.KIND_SEGMENT],
  ["evt", Kind.KIND_EVENT],
  ["cmd", Kind.KIND_COMMAND],
  ["rsp", Kind.KIND_REPLY],
  ["live", Kind.KIND_LIVE_ANNOUNCEMENT],
]);

/** The one kind that may stand under a topic; `null` for a topic that carries no records. */
export function kindOfTopic(topic: string): ocellus.v1.Kind | null {
  const levels = topic.split("/");
  if (levels.length === 4) return KIND_OF_LEAF.get(levels[3] ?? "") ?? null;
  return levels.length === 5 && levels[3] === "boot" ? Kind.KIND_BOOT : null;
}

/**
 * Checks a record against where it was found and by the signer's key. `scope.boot` `null` takes the boot that the record
 * itself states: for readers that learn the boot from it. Refuses `kind`, `camera`, `boot`, `signer`, `signature`.
 */
export function verifyRecord(
  crypto: VerifyCrypto & Pick<HashCrypto, "sha256">,
  record: ParsedRecord,
  scope: Omit<RecordScope, "boot"> & { readonly boot: number | null },
  publicKey: Uint8Array,
): Refused | null {
  const { body } = record;
  if (body.kind !== kindOfTopic(scope.topic)) return refuse("kind");
  if (!same(body.camera, scope.camera)) return refuse("camera");
  const boot = scope.boot ?? body.boot;
  if (body.boot !== boot) return refuse("boot");
  if (
    !same(
      body.signer,
      keyId((bytes) => crypto.sha256(bytes), publicKey),
    )
  )
    return refuse("signer");
  const message = recordMessage({ topic: scope.topic, camera: scope.camera, boot }, record.raw);
  return crypto.verify(record.signature, message, publicKey) ? null : refuse("signature");
}

/** Which kinds of nonce a sealed body uses. */
export type SealedUse = "record" | "command" | "backup";

const KINDS: Record<SealedUse, { readonly wrap: NonceKind; readonly body: NonceKind }> = {
  record: { wrap: NONCE_KIND.recordWrap, body: NONCE_KIND.recordBody },
  command: { wrap: NONCE_KIND.commandWrap, body: NONCE_KIND.commandBody },
  backup: { wrap: NONCE_KIND.backupWrap, body: NONCE_KIND.backupBody },
};

/** Where a sealed body stands: what its nonces are made of. */
export interface SealedAt {
  readonly boot: number;
  readonly seq: number;
}

/**
 * Seals off the camera: a fresh key, a fresh ephemeral pair, epoch 0. Owners' tools seal commands and backups with it; the
 * camera seals through `RecordWriter`. Refuses `unwrap` where a recipient's key is a low-order point.
 */
export function sealBody(
  crypto: SealCrypto,
  use: "command" | "backup",
  at: SealedAt,
  recipients: readonly Uint8Array[],
  plain: Uint8Array,
): SealedPart | Refused {
  const parts = { stream: 0, boot: at.boot, epoch: 0, seq: at.seq };
  const key = crypto.random(32);
  const wrapped = wrapKey(crypto, key, nonce(KINDS[use].wrap, parts), recipients);
  if (isRefused(wrapped)) return wrapped;
  const body = subkey(crypto, "body", key);
  const box = crypto.secretbox(plain, nonce(KINDS[use].body, parts), body);
  key.fill(0);
  body.fill(0);
  return { ...wrapped, epoch: 0, box };
}

/** Opens a sealed part of a verified record. Refuses `no-wrap`, `unwrap`, `commitment`, `box`. */
export function openBody(
  crypto: OpenCrypto,
  use: SealedUse,
  at: SealedAt,
  sealed: SealedPart,
  keys: readonly RecipientKey[],
): Uint8Array | Refused {
  const parts = { stream: 0, boot: at.boot, epoch: sealed.epoch, seq: at.seq };
  const key = unwrapKey(crypto, sealed, nonce(KINDS[use].wrap, parts), keys);
  if (isRefused(key)) return key;
  const body = subkey(crypto, "body", key);
  const plain = crypto.secretboxOpen(sealed.box, nonce(KINDS[use].body, parts), body);
  key.fill(0);
  body.fill(0);
  return plain ?? refuse("box");
}
