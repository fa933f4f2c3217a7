/**
 * Epochs and segments of the double: FORMAT.md's sealing with tweetnacl, inside a bounded arena. Written from the
 * specification, not from the product's code, so that tests of the product against it mean something.
 */
import type {
  ChunkList,
  Encoder,
  Epoch,
  Frame,
  NativeError,
  NonceFields,
  SealedParts,
  Segment,
  Written,
} from "../../../agent/runtime/native.d.ts";
import type { NodeCrypto } from "./crypto.ts";
import { DoubleEncoder } from "./ring.ts";

const CHUNK_PLAIN_BYTES = 32_768;
/** The arena is handed out in blocks. */
const BLOCK_BYTES = 4_096;

/** Everything a segment needs from the process. */
export interface ArenaWorld {
  readonly crypto: NodeCrypto;
  readonly queueBytes: number;
  nowUs(): number;
  deviceSeed(): Uint8Array;
}

function nonceOf(kind: number, at: NonceFields, index = 0): Uint8Array {
  const nonce = Buffer.alloc(24);
  nonce[0] = kind;
  nonce[1] = at.stream;
  nonce.writeUInt32BE(at.boot, 4);
  nonce.writeUInt32BE(at.epoch, 8);
  nonce.writeBigUInt64BE(BigInt(at.seq), 12);
  nonce.writeUInt32BE(index >>> 0, 20);
  return new Uint8Array(nonce);
}

export class DoubleEpoch implements Epoch {
  readonly ephemeral: Uint8Array;
  readonly shared: Uint8Array[];
  isOpen = true;

  constructor(ephemeral: Uint8Array, shared: Uint8Array[]) {
    this.ephemeral = ephemeral;
    this.shared = shared;
  }

  close(): void {
    this.isOpen = false;
    for (const key of this.shared) key.fill(0);
  }
}

/** Sealed bytes of all segments, counted in blocks against the arena's size. */
export class Arena {
  readonly #world: ArenaWorld;
  readonly segments = new Set<DoubleSegment>();
  /** FORMAT.md's limit; a test may lower it. */
  chunksMax = 1_536;

  constructor(world: ArenaWorld) {
    this.#world = world;
  }

  get usedBytes(): number {
    let used = 0;
    for (const segment of this.segments) used += segment.arenaBytes;
    return used;
  }

  /** Whether `segment` may grow to `bytes`. */
  fits(segment: DoubleSegment, bytes: number): boolean {
    return this.usedBytes - segment.arenaBytes + blocks(bytes) <= this.#world.queueBytes;
  }

  openEpoch(recipients: Uint8Array[]): DoubleEpoch | NativeError {
    if (recipients.length < 1 || recipients.length > 16) throw new RangeError("1 to 16 recipients");
    const { crypto } = this.#world;
    const pair = crypto.boxKeypair();
    const shared: Uint8Array[] = [];
    for (const recipient of recipients) {
      const key = crypto.boxBefore(recipient, pair.secretKey);
      if (key === null)
        return { error: "low-order-key", text: "a recipient's key is a low-order point" };
      shared.push(key);
    }
    pair.secretKey.fill(0);
    return new DoubleEpoch(pair.publicKey, shared);
  }

  openSegment(epoch: Epoch, at: NonceFields): DoubleSegment {
    const segment = new DoubleSegment(this, this.#world, at, this.#wrap(epoch, 1, at));
    this.segments.add(segment);
    return segment;
  }

  sealRecord(epoch: Epoch, at: NonceFields, plain: Uint8Array): SealedParts {
    if (plain.length > 16_384)
      throw new RangeError("a record's private part is at most 16,384 bytes");
    const { key, wraps, commitment } = this.#wrap(epoch, 4, at);
    const box = this.#world.crypto.secretbox(
      plain,
      nonceOf(5, at),
      subkeyOf(this.#world, "body", key),
    );
    return { wraps, commitment, box };
  }

  #wrap(epoch: Epoch, kind: number, at: NonceFields) {
    if (!(epoch instanceof DoubleEpoch) || !epoch.isOpen) throw new Error("the epoch is closed");
    const { crypto } = this.#world;
    const clock = Buffer.alloc(8);
    clock.writeBigUInt64BE(BigInt(this.#world.nowUs()));
    const label = Buffer.from("ocellus/v1/key\0");
    const parts = [label, nonceOf(kind === 1 ? 2 : 5, at), crypto.random(32), clock];
    const key = crypto.hmacSha256(this.#world.deviceSeed(), Buffer.concat(parts));
    return {
      key,
      wraps: epoch.shared.map((shared) => crypto.secretbox(key, nonceOf(kind, at), shared)),
      commitment: subkeyOf(this.#world, "commitment", key),
    };
  }
}

function subkeyOf({ crypto }: ArenaWorld, label: string, key: Uint8Array): Uint8Array {
  return crypto.sha512(Buffer.concat([Buffer.from(`ocellus/v1/${label}\0`), key])).slice(0, 32);
}

function blocks(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;
}

export class DoubleSegment implements Segment {
  readonly wraps: Uint8Array[];
  readonly commitment: Uint8Array;
  plainBytes = 0;
  isOpen = true;
  readonly #arena: Arena;
  readonly #world: ArenaWorld;
  readonly #at: NonceFields;
  #media: Uint8Array | null;
  #metadata: Uint8Array | null;
  /** Plaintexts: sealed at the end, because only then it is known which is the last. */
  #plain: Uint8Array[] = [];
  #chunks: Uint8Array[] = [];
  #fragmentChunk: number[] = [];
  #fragmentKeyChunks: number[] = [];
  #head: Uint8Array | null = null;

  constructor(
    arena: Arena,
    world: ArenaWorld,
    at: NonceFields,
    wrapped: { key: Uint8Array; wraps: Uint8Array[]; commitment: Uint8Array },
  ) {
    this.#arena = arena;
    this.#world = world;
    this.#at = at;
    this.wraps = wrapped.wraps;
    this.commitment = wrapped.commitment;
    this.#media = subkeyOf(world, "media", wrapped.key);
    this.#metadata = subkeyOf(world, "metadata", wrapped.key);
  }

  writeFragment(
    boxes: Uint8Array,
    encoder: Encoder,
    frames: readonly Frame[],
    key: boolean,
  ): Written {
    this.#mustBeOpen();
    if (this.#media === null) throw new Error("the segment takes no more fragments");
    if (!(encoder instanceof DoubleEncoder)) throw new TypeError("not an encoder of this double");
    const payloads = frames.map((frame) => encoder.ring.payload(frame));
    const pieces: Uint8Array[] = [];
    for (const payload of payloads) {
      if (payload === null) {
        return "lapped";
      }
      pieces.push(payload);
    }
    const [first = new Uint8Array(0), ...rest] = pieces;
    const runs = key
      ? [Buffer.concat([boxes, first]), Buffer.concat(rest)]
      : [Buffer.concat([boxes, ...pieces])];
    const cut = runs.map((run) => cutChunks(run));
    const all = cut.flat();
    const added = all.reduce((sum, chunk) => sum + chunk.length + 16, 0);
    if (this.#plain.length + all.length > this.#arena.chunksMax) return "too-long";
    if (!this.#arena.fits(this, this.#sealedBytes + added)) return "full";
    this.#fragmentChunk.push(this.#plain.length);
    this.#fragmentKeyChunks.push(key ? (cut[0]?.length ?? 0) : 0);
    this.#plain.push(...all);
    this.plainBytes += all.reduce((sum, chunk) => sum + chunk.length, 0);
    return "ok";
  }

  sealMetadata(plain: Uint8Array): Uint8Array {
    this.#mustBeOpen();
    if (this.#metadata === null) throw new Error("metadata is sealed once");
    const sealed = this.#world.crypto.secretbox(plain, nonceOf(3, this.#at), this.#metadata);
    this.#metadata = null;
    return sealed;
  }

  seal(): ChunkList {
    this.#mustBeOpen();
    const media = this.#media;
    if (media === null || this.#plain.length === 0) throw new Error("nothing to seal");
    const last = this.#plain.length - 1;
    const { crypto } = this.#world;
    this.#chunks = this.#plain.map((chunk, i) =>
      crypto.secretbox(chunk, nonceOf(2, this.#at, i === last ? i | 0x8000_0000 : i), media),
    );
    this.#media = null;
    return {
      chunkBytes: this.#chunks.map(({ length }) => length),
      chunkSha256: new Uint8Array(Buffer.concat(this.#chunks.map((c) => crypto.sha256(c)))),
      fragmentChunk: this.#fragmentChunk,
      fragmentKeyChunks: this.#fragmentKeyChunks,
    };
  }

  attachHead(head: Uint8Array): "ok" | "full" {
    this.#mustBeOpen();
    if (this.#chunks.length === 0 || this.#head !== null)
      throw new Error("seal first, attach once");
    if (!this.#arena.fits(this, this.#sealedBytes + head.length)) return "full";
    this.#head = new Uint8Array(head);
    return "ok";
  }

  get objectBytes(): number {
    return this.#head === null ? 0 : this.#head.length + this.#sealedBytes;
  }

  get arenaBytes(): number {
    return this.isOpen ? blocks(this.#sealedBytes + (this.#head?.length ?? 0)) : 0;
  }

  /** The whole object, for the double's connections and for tests. */
  object(): Uint8Array {
    this.#mustBeOpen();
    if (this.#head === null) throw new Error("the segment has no head yet");
    return new Uint8Array(Buffer.concat([this.#head, ...this.#chunks]));
  }

  close(): void {
    this.isOpen = false;
    this.#arena.segments.delete(this);
  }

  get #sealedBytes(): number {
    return this.#plain.reduce((sum, { length }) => sum + length + 16, 0);
  }

  #mustBeOpen(): void {
    if (!this.isOpen) throw new Error("the segment is closed");
  }
}

function cutChunks(run: Uint8Array): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < run.length; at += CHUNK_PLAIN_BYTES)
    chunks.push(new Uint8Array(run.subarray(at, at + CHUNK_PLAIN_BYTES)));
  return chunks;
}
