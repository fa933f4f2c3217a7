/** Segments and boot records sealed off the camera, and a store in memory: for tests of finding and opening. */
import { ocellus } from "#proto";
import { encodeSigned, headerHash, signedMessage } from "../../../agent/seal/container.ts";
import {
  bootObjectName,
  bootRecordTopic,
  type FootageClass,
  segmentObjectName,
} from "../../../agent/seal/names.ts";
import { chunkNonce, NONCE_KIND, nonce, subkey } from "../../../agent/seal/nonce.ts";
import { signRecord } from "../../../agent/seal/record.ts";
import { isRefused } from "../../../agent/seal/refusal.ts";
import { wrapKey } from "../../../agent/seal/unwrap.ts";
import {
  type BoxPair,
  boxPairOf,
  crypto,
  encoded,
  keyId,
  random,
  type SigningPair,
  signingPairOf,
} from "../../../scripts/owner/crypto.ts";
import type { CameraView } from "../../../scripts/owner/heads.ts";
import type { Store } from "../../../scripts/owner/store.ts";

/** A camera that seals for one recipient. */
export interface Sealer {
  readonly camera: Uint8Array;
  readonly tenant: string;
  readonly signing: SigningPair;
  readonly box: BoxPair;
  readonly recipient: BoxPair;
}

export function makeSealer(recipient = boxPairOf(random(32))): Sealer {
  const signing = signingPairOf(random(32));
  return { camera: random(16), tenant: "home", signing, box: boxPairOf(random(32)), recipient };
}

/** What differs between segments. */
export interface SegmentSpec {
  readonly boot: number;
  readonly seq: number;
  readonly previous?: Uint8Array;
  readonly skipped?: number;
  readonly capture_us: number;
  readonly duration_us: number;
  /** The MP4, in any number of chunks. */
  readonly chunks: readonly Uint8Array[];
  /** Wall time of the first frame, as the camera knew it. Not known by default. */
  readonly wall_us?: number;
  readonly end?: ocellus.v1.SegmentEnd;
  readonly stream?: number;
  readonly footageClass?: FootageClass;
  /** For each fragment: its decode time in ticks, and whether it starts with a key frame. One with a key by default. */
  readonly fragments?: readonly { readonly time: number; readonly key: boolean }[];
}

export interface Sealed {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly hash: Uint8Array;
}

/** Seals a segment as FORMAT.md says. */
export function sealSegment(by: Sealer, spec: SegmentSpec): Sealed {
  const { boot, seq, chunks, stream = 0, footageClass = "continuous" } = spec;
  const { fragments = [{ time: 0, key: true }] } = spec;
  const at = { stream, boot, epoch: 1, seq };
  const key = random(32);
  const wrapped = wrapKey(crypto, key, nonce(NONCE_KIND.segmentWrap, at), [by.recipient.publicKey]);
  if (isRefused(wrapped)) throw new Error(wrapped.refused);
  const media = subkey(crypto, "media", key);
  const sealed = chunks.map((chunk, i) =>
    crypto.secretbox(chunk, chunkNonce(at, i, chunks.length), media),
  );
  const metadata = encoded(ocellus.v1.SegmentMetadata, {
    captureUs: spec.capture_us,
    durationUs: spec.duration_us,
    wallUs: spec.wall_us ?? 0,
    end: spec.end ?? ocellus.v1.SegmentEnd.END_DURATION,
    tracks: [
      { id: 1, codec: ocellus.v1.Codec.CODEC_H264, width: 320, height: 240, timescale: 90000 },
    ],
    fragments: fragments.map(({ time }) => ({ decodeTime: time, frames: 25, duration: 90_000 })),
  });
  const signed = encodeSigned({
    ...{ camera: by.camera, stream, boot, epoch: 1, seq },
    ...{ previous: spec.previous ?? new Uint8Array(32), skipped: spec.skipped ?? 0 },
    ...wrapped,
    recipientsVersion: 1,
    chunkBytes: sealed.map((chunk) => chunk.length),
    chunkSha256: new Uint8Array(Buffer.concat(sealed.map((chunk) => crypto.sha256(chunk)))),
    fragmentChunk: fragments.map((_fragment, i) => i),
    fragmentKeyChunks: fragments.map(({ key }) => (key ? 1 : 0)),
    metadata: crypto.secretbox(
      metadata,
      nonce(NONCE_KIND.segmentMetadata, at),
      subkey(crypto, "metadata", key),
    ),
  });
  const signature = crypto.sign(signedMessage(signed), by.signing.secretKey);
  const hash = headerHash(crypto, signed);
  const { camera, tenant } = by;
  return {
    name: segmentObjectName({ tenant, camera, stream, footageClass, boot, seq, hash }),
    bytes: new Uint8Array(Buffer.concat([signed, signature, ...sealed])),
    hash,
  };
}

/** A record of the camera's, sealed to its recipient. */
export function sealRecord(
  by: Sealer,
  of: {
    readonly kind: ocellus.v1.Kind;
    readonly topic: string;
    readonly boot: number;
    readonly seq: number;
    readonly plain?: Uint8Array;
    readonly secret: Uint8Array;
  },
): Uint8Array {
  const { kind, topic, boot, seq, plain = new Uint8Array(), secret } = of;
  const at = { stream: 0, boot, epoch: 1, seq };
  const key = random(32);
  const wrapped = wrapKey(crypto, key, nonce(NONCE_KIND.recordWrap, at), [by.recipient.publicKey]);
  if (isRefused(wrapped)) throw new Error(wrapped.refused);
  const box = crypto.secretbox(
    secret,
    nonce(NONCE_KIND.recordBody, at),
    subkey(crypto, "body", key),
  );
  const body = {
    ...{ kind, camera: by.camera, boot, seq, plain, notAfterUs: 0 },
    ...{ signer: keyId(by.signing.publicKey), sealed: { ...wrapped, epoch: 1, box } },
  };
  return new Uint8Array(signRecord(crypto, topic, body, by.signing.secretKey));
}

/** A boot record that says what wall time the boot's zero is, made so long after it. */
export function sealBoot(by: Sealer, boot: number, zero_us: number, made_s = 5): Sealed {
  const topic = bootRecordTopic(by.tenant, by.camera, boot);
  const [seq, monotonicUs] = [made_s, made_s * 1e6];
  const secret = encoded(ocellus.v1.BootRecord, {
    ...{ monotonicUs, wallUs: zero_us + monotonicUs },
    ...{ timeQuality: ocellus.v1.TimeQuality.TIME_STORE, build: "test", startReason: "power" },
  });
  const bytes = sealRecord(by, { kind: ocellus.v1.Kind.KIND_BOOT, topic, boot, seq, secret });
  const hash = crypto.sha256(bytes);
  return { name: bootObjectName(by.tenant, by.camera, boot, hash), bytes, hash };
}

/** A store in memory that counts what it is asked. */
export class MemoryStore implements Store {
  readonly objects = new Map<string, Uint8Array>();
  /** When an object was put, where that matters; others were long ago. */
  readonly put_us = new Map<string, number>();
  requests = 0;

  /** As if it were put then. */
  addAt(put_us: number, ...sealed: readonly Sealed[]): void {
    this.add(...sealed);
    for (const { name } of sealed) this.put_us.set(name, put_us);
  }
  add(...sealed: readonly Sealed[]): void {
    for (const { name, bytes } of sealed) this.objects.set(name, bytes);
  }
  async list(prefix: string, after = "", max = 1000) {
    this.requests += 1;
    return (
      [...this.objects.keys()]
        .filter((name) => name.startsWith(prefix))
        .filter((name) => Buffer.compare(Buffer.from(name), Buffer.from(after)) > 0)
        // As stores do: by bytes, which is not JavaScript's order for all characters.
        .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
        .slice(0, max)
        .map((name) => ({
          name,
          size_bytes: this.objects.get(name)?.length ?? 0,
          put_us: this.put_us.get(name) ?? 0,
        }))
    );
  }
  /** As many folders as a listing of them gives. */
  foldersMost = Number.POSITIVE_INFINITY;
  async folders(prefix: string) {
    this.requests += 1;
    const inside = [...this.objects.keys()].filter((name) => name.startsWith(prefix));
    const next = inside.map((name) => name.slice(prefix.length).split("/"));
    const folders = next.filter((parts) => parts.length > 1).map(([part]) => `${prefix}${part}/`);
    const names = [...new Set(folders)].sort();
    return { names: names.slice(0, this.foldersMost), cut: names.length > this.foldersMost };
  }
  async get(name: string, first = 0, last = Number.POSITIVE_INFINITY) {
    this.requests += 1;
    return this.objects.get(name)?.slice(first, last + 1) ?? null;
  }
  async putNew(name: string, bytes: Uint8Array): Promise<"put" | "exists"> {
    if (this.objects.has(name)) return "exists";
    this.objects.set(name, bytes);
    return "put";
  }
  async put(name: string, bytes: Uint8Array) {
    this.objects.set(name, bytes);
    return "put" as const;
  }
  async remove(name: string) {
    this.objects.delete(name);
  }
  close() {}
}

/** The sealer's footage as its owner sees it. */
export function viewOf(by: Sealer, store: Store, cache: string | null = null): CameraView {
  const { camera, tenant, signing, box, recipient } = by;
  const trusted = {
    name: "door",
    camera,
    tenant,
    signingKey: signing.publicKey,
    boxKey: box.publicKey,
  };
  return { store, trusted, keys: [recipient], cache };
}
