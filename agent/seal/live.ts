/** Live parts and their announcements (FORMAT.md, "Live"). Pure. Cameras of this version send none; readers and vectors do. */
import { ocellus } from "#proto";
import { ascii, join } from "../identity/encoding.ts";
import { viewOf } from "./bytes.ts";
import { parseWraps, SIGNATURE_BYTES, TAG_BYTES } from "./container.ts";
import type { HashCrypto, OpenCrypto, RecipientKey, VerifyCrypto } from "./crypto.ts";
import { decodeMessage } from "./decode.ts";
import { NONCE_KIND, nonce, subkey } from "./nonce.ts";
import type { ParsedRecord } from "./record.ts";
import { isRefused, type Refused, refuse } from "./refusal.ts";
import { unwrapKey, type Wrapped } from "./unwrap.ts";

/** Largest MQTT payload of a part. */
export const LIVE_PART_BYTES_MAX = 65_536;
const FIXED_BYTES = 24;
const MAGIC = 0x4f43_4556; // "OCEV"

/** Flag, not critical: this part starts with a key frame. */
export const LIVE_KEY_FRAME = 0x0100;

/** A `LiveAnnouncement` with its shape checked, and the boot of the record that carried it. */
export interface LiveSession extends Wrapped {
  readonly boot: number;
  readonly session: number;
  readonly stream: number;
  readonly epoch: number;
  readonly recipientsVersion: number;
  readonly nextCounter: number;
}

/** Reads the public part of a verified KIND_LIVE_ANNOUNCEMENT record. */
export function parseAnnouncement(record: ParsedRecord): LiveSession | Refused {
  const message = decodeMessage(ocellus.v1.LiveAnnouncement, record.body.plain);
  if (isRefused(message)) return message;
  const { ephemeral, commitment, session, stream, epoch, recipientsVersion, nextCounter } = message;
  if (ephemeral.length !== 32 || commitment.length !== 32) return refuse("field-length");
  if (session < 1 || epoch < 1 || stream > 1) return refuse("field-value");
  const wraps = parseWraps(message.wraps);
  if (isRefused(wraps)) return wraps;
  const { boot } = record.body;
  return {
    boot,
    session,
    stream,
    epoch,
    recipientsVersion,
    nextCounter,
    ephemeral,
    wraps,
    commitment,
  };
}

/** The subkey that opens a session's parts, 32 bytes; secret. Refuses `no-wrap`, `unwrap`, `commitment`. */
export function openSession(
  crypto: OpenCrypto,
  session: LiveSession,
  keys: readonly RecipientKey[],
): Uint8Array | Refused {
  const { stream, boot, epoch } = session;
  const at = { stream, boot, epoch, seq: session.session };
  const key = unwrapKey(crypto, session, nonce(NONCE_KIND.liveWrap, at), keys);
  if (isRefused(key)) return key;
  const live = subkey(crypto, "live", key);
  key.fill(0);
  return live;
}

export interface LivePart {
  readonly flags: number;
  readonly stream: number;
  readonly boot: number;
  readonly session: number;
  readonly counter: number;
  /** Bytes 0 to 23, as signed. */
  readonly fixed: Uint8Array;
  readonly signature: Uint8Array;
  readonly box: Uint8Array;
}

/** Parses one part. Its byte fields are views of `bytes`. */
export function parseLivePart(bytes: Uint8Array): LivePart | Refused {
  if (bytes.length < FIXED_BYTES + SIGNATURE_BYTES + TAG_BYTES) return refuse("too-short");
  if (bytes.length > LIVE_PART_BYTES_MAX) return refuse("length");
  const view = viewOf(bytes);
  if (view.getUint32(0) !== MAGIC) return refuse("magic");
  if (view.getUint8(4) !== 1) return refuse("version");
  if (view.getUint8(5) !== 1) return refuse("suite");
  const flags = view.getUint16(6);
  if ((flags & 0x00ff) !== 0) return refuse("critical-flag");
  const stream = view.getUint8(8);
  if (view.getUint8(9) !== 0 || view.getUint16(10) !== 0) return refuse("reserved");
  if (stream > 1) return refuse("field-value");
  return {
    flags,
    stream,
    boot: view.getUint32(12),
    session: view.getUint32(16),
    counter: view.getUint32(20),
    fixed: bytes.subarray(0, FIXED_BYTES),
    signature: bytes.subarray(FIXED_BYTES, FIXED_BYTES + SIGNATURE_BYTES),
    box: bytes.subarray(FIXED_BYTES + SIGNATURE_BYTES),
  };
}

/** What a part's signature is over. */
export function livePartMessage(
  crypto: Pick<HashCrypto, "sha256">,
  camera: Uint8Array,
  part: LivePart,
): Uint8Array {
  const domain = ascii("ocellus/v1/live-part\0");
  return join(domain, camera, part.fixed, crypto.sha256(part.box));
}

export interface OpenedPart {
  readonly about: ocellus.v1.LivePart;
  /** `moof mdat`, or where `about.init` says so `ftyp moov moof mdat`. */
  readonly media: Uint8Array;
}

/**
 * Verifies and opens one part of an announced session. `after` is the last counter taken of this session, -1 before the
 * first. Refuses `boot`, `stream`, `session`, `replayed`, `signature`, `box`, `malformed`.
 */
export function openLivePart(
  crypto: OpenCrypto & VerifyCrypto,
  trusted: { readonly camera: Uint8Array; readonly signingKey: Uint8Array },
  session: LiveSession,
  liveKey: Uint8Array,
  after: number,
  part: LivePart,
): OpenedPart | Refused {
  if (part.boot !== session.boot) return refuse("boot");
  if (part.stream !== session.stream) return refuse("stream");
  if (part.session !== session.session) return refuse("session");
  if (part.counter <= after) return refuse("replayed");
  const message = livePartMessage(crypto, trusted.camera, part);
  if (!crypto.verify(part.signature, message, trusted.signingKey)) return refuse("signature");
  const at = { stream: part.stream, boot: part.boot, epoch: part.session, seq: part.counter };
  const plain = crypto.secretboxOpen(part.box, nonce(NONCE_KIND.livePart, at), liveKey);
  if (plain === null) return refuse("box");
  if (plain.length < 4) return refuse("malformed");
  const aboutEnd = 4 + viewOf(plain).getUint32(0);
  if (aboutEnd > plain.length) return refuse("malformed");
  const about = decodeMessage(ocellus.v1.LivePart, plain.subarray(4, aboutEnd));
  return isRefused(about) ? about : { about, media: plain.subarray(aboutEnd) };
}
