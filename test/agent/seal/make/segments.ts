/** Segments that open: segments.json. */
import {
  type Bytes,
  buildObject,
  cat,
  field,
  fixed,
  headerFields,
  headerHashOf,
  hex,
  message,
  objectName,
  type SegmentParts,
  sealParts,
  type Value,
  wrapTo,
} from "../reference.ts";
import { BOOT, CAMERA_ID, camera, RECIPIENTS } from "./keys.ts";

const VIDEO = message([1, 1], [2, 1], [3, "avc1.64001E"], [4, 640], [5, 480], [6, 90_000]);
const AUDIO = message([1, 2], [2, 16], [3, "mp4a.40.2"], [6, 48_000], [7, 48_000], [8, 1]);

const fragment = (decodeTime: number, frames: number, duration: number): Bytes =>
  message([1, decodeTime], [2, frames], [3, duration]);

/** `SegmentMetadata`. */
export function metadata(
  fragments: readonly Bytes[],
  tracks: readonly Bytes[] = [VIDEO],
  more: readonly (readonly [number, Value])[] = [],
): Bytes {
  return message(
    [1, 61_000_000],
    [2, 4_000_000],
    [3, 1_795_176_061_000_000],
    [4, 1],
    ...tracks.map((track): [number, Value] => [5, track]),
    ...fragments.map((one): [number, Value] => [6, one]),
    ...more,
  );
}

/** A segment of two fragments: chunks 0-1 carry the first one's boxes and key frame, 3 the second one's. */
export function base(seq = 3, over: Partial<SegmentParts> = {}): SegmentParts {
  const label = `segment ${seq}`;
  const at = { stream: 0, boot: BOOT, epoch: 2, seq };
  const key = fixed(`${label}/K`, 32);
  return {
    label,
    camera: CAMERA_ID,
    at,
    previous: fixed("the header before", 32),
    skipped: 0,
    wrapped: wrapTo("epoch 2", key, 1, at, RECIPIENTS),
    recipientsVersion: 5,
    key,
    chunkLog2: 10,
    chunks: [120, 30, 70, 51, 1].map((size, i) => fixed(`${label}/chunk ${i}`, size)),
    fragmentChunk: [0, 3],
    fragmentKeyChunks: [2, 1],
    metadata: metadata([fragment(5_490_000, 25, 90_000), fragment(5_580_000, 25, 90_000)]),
    flags: 0,
    ...over,
  };
}

export interface GoodSegment {
  readonly what: string;
  readonly parts: SegmentParts;
  readonly object: Bytes;
  readonly name: string;
}

export function good(
  what: string,
  parts: SegmentParts,
  extra: Bytes = new Uint8Array(0),
): GoodSegment {
  const sealed = sealParts(parts);
  const header = cat(message(...headerFields(parts, sealed)), extra);
  const object = buildObject(header, sealed.chunks, camera.secretKey, {
    flags: parts.flags,
    chunkLog2: parts.chunkLog2,
  });
  return { what, parts, object, name: objectName(parts.camera, parts.at, headerHashOf(object)) };
}

export function goodSegments(): GoodSegment[] {
  const first = good("two fragments, five chunks, two recipients", base());
  const second = good("follows it in the chain", base(4, { previous: headerHashOf(first.object) }));
  const third = good(
    "follows after two numbers that never got a header",
    base(7, { previous: headerHashOf(second.object), skipped: 2 }),
  );
  const at = { stream: 0, boot: BOOT, epoch: 2, seq: 8 };
  const one = [fragment(6_300_000, 25, 90_000)];
  return [
    first,
    second,
    third,
    good(
      "a continuation: no key frame at its start; one recipient; one chunk",
      base(8, {
        previous: headerHashOf(third.object),
        wrapped: wrapTo("epoch 2", fixed("segment 8/K", 32), 1, at, RECIPIENTS.slice(0, 1)),
        chunks: [fixed("segment 8/chunk 0", 900)],
        fragmentChunk: [0],
        fragmentKeyChunks: [0],
        metadata: metadata(one),
      }),
    ),
    good(
      "a chunk of the largest size",
      base(9, {
        chunks: [1024, 1024, 2].map((size, i) => fixed(`segment 9/chunk ${i}`, size)),
        fragmentChunk: [0],
        fragmentKeyChunks: [3],
        metadata: metadata(one),
      }),
    ),
    good(
      "an audio track beside the video",
      base(10, {
        chunks: [fixed("segment 10/chunk 0", 40)],
        fragmentChunk: [0],
        fragmentKeyChunks: [1],
        metadata: metadata(
          one,
          [VIDEO, AUDIO],
          [
            [7, 12],
            [8, true],
            [9, 1],
          ],
        ),
      }),
    ),
    good(
      "fields 17, 63, 128 and 1000 and the high flags are unknown and ignored; chunks may have 64 KiB",
      base(11, { flags: 0xff00, chunkLog2: 16 }),
      cat(field(17, 9), field(63, "x"), field(128, 1), field(1000, fixed("future", 10))),
    ),
  ];
}

export function segmentsFile() {
  return {
    segments: goodSegments().map(({ what, parts, object, name }) => ({
      what,
      name,
      object: hex(object),
      opens: {
        epoch: parts.at.epoch,
        previous: hex(parts.previous),
        skipped: parts.skipped,
        recipientsVersion: parts.recipientsVersion,
        fragmentChunk: parts.fragmentChunk,
        fragmentKeyChunks: parts.fragmentKeyChunks,
        headerHash: hex(headerHashOf(object)),
        metadata: hex(parts.metadata),
        chunks: parts.chunks.map(hex),
        wraps: parts.wrapped.wraps.length,
      },
    })),
  };
}
