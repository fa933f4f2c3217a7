/** MP4 as cameras write it, made of frames that say nothing; and MP4 that no camera writes. */

import type { EncoderConfig } from "../../../agent/runtime/native.d.ts";
import { fragmentBoxes, initBoxes } from "../../../agent/segment/boxes.ts";
import { CONFIG, syntheticFrame } from "../../agent/double/clip.ts";

/** Ticks between frames at 25 fps. */
export const FRAME_TICKS = 3_600;

export const joined = (...parts: readonly Uint8Array[]) => new Uint8Array(Buffer.concat(parts));

/** 32-bit fields one after the other. */
export function u32(...values: readonly number[]): Uint8Array {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, i) => {
    bytes.writeUInt32BE(value >>> 0, 4 * i);
  });
  return new Uint8Array(bytes);
}

export function box(type: string, ...payload: readonly Uint8Array[]): Uint8Array {
  const body = joined(...payload);
  return joined(u32(8 + body.length), new TextEncoder().encode(type), body);
}

export const head = (config: Omit<EncoderConfig, "generation"> = CONFIG) =>
  initBoxes({ ...config, generation: 1 });

/** A segment's plaintext: one fragment of frames of 40 bytes, a key frame first, from a decode time on. */
export function segmentMp4(
  decodeTime: number,
  durations: readonly number[],
  config: Omit<EncoderConfig, "generation"> = CONFIG,
): Uint8Array {
  const frames = durations.map((_, i) => syntheticFrame(i, 40, i === 0));
  const sizes = frames.map((frame) => frame.length);
  const fragment = fragmentBoxes(1, { sizes, durations, decodeTime, key: true });
  return joined(head(config), fragment, ...frames);
}

/** What a fragment of the video states, as fields. */
export interface Fields {
  /** Payload of tfhd behind flags and track: default duration, size and flags. */
  readonly defaults: readonly [number, number, number];
  readonly time?: readonly [number, number];
  /** Payload of each trun behind the offset into mdat: flags, count, and what stands in each. */
  readonly truns: readonly { readonly count: number; readonly at: number }[];
  readonly mdat_bytes: number;
}

/** A segment's plaintext whose frames are all as the defaults say. */
export function oddMp4({ defaults, time = [0, 0], truns, mdat_bytes }: Fields): Uint8Array {
  const moof = (offset: number) =>
    box(
      "moof",
      box("mfhd", u32(0, 1)),
      box(
        "traf",
        box("tfhd", u32(0x02_0038, 1, ...defaults)),
        box("tfdt", u32(0x0100_0000, ...time)),
        ...truns.map(({ count, at }) => box("trun", u32(1, count, offset + at))),
      ),
    );
  const first = moof(moof(0).length + 8);
  return joined(head(), first, box("mdat", new Uint8Array(mdat_bytes)));
}
