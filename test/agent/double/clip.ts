/** Frames for the double's ring: synthetic ones of any size, or those of an Annex B clip with access-unit delimiters. */
import type { EncoderConfig } from "../../../agent/runtime/native.d.ts";

/** Parameter sets of a 640x480 High profile stream at 25 fps, as x264 made them. */
export const CONFIG: Omit<EncoderConfig, "generation"> = {
  sps: bytes("6764001eacb201407b602d4180415000000300100000030328f162e480"),
  pps: bytes("68ebccb22c"),
  width: 640,
  height: 480,
  frameIntervalUs: 40_000,
};

/** Another picture size: Constrained Baseline, 320x240. */
export const OTHER_CONFIG: Omit<EncoderConfig, "generation"> = {
  sps: bytes("6742c00ddc0a0fd80880000003008000000c078b1728"),
  pps: bytes("68ce09c8"),
  width: 320,
  height: 240,
  frameIntervalUs: 40_000,
};

function bytes(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, "hex"));
}

/** One NAL unit of a slice, length-prefixed, filled so that every frame differs. */
export function syntheticFrame(number: number, size: number, key: boolean): Uint8Array {
  const frame = Buffer.alloc(Math.max(size, 9), number & 0xff);
  frame.writeUInt32BE(frame.length - 4, 0);
  frame[4] = key ? 0x65 : 0x41;
  frame.writeUInt32BE(number, 5);
  return new Uint8Array(frame);
}

export interface ClipFrame {
  readonly payload: Uint8Array;
  readonly key: boolean;
}

/** An Annex B clip as frames, and its first parameter sets. Needs access-unit delimiters between frames. */
export function readClip(clip: Uint8Array): {
  readonly sps: Uint8Array;
  readonly pps: Uint8Array;
  readonly frames: ClipFrame[];
} {
  const data = Buffer.from(clip);
  const starts: number[] = [];
  for (let at = data.indexOf("\0\0\x01"); at >= 0; at = data.indexOf("\0\0\x01", at + 3))
    starts.push(at + 3);
  const frames: { parts: Uint8Array[]; key: boolean }[] = [];
  let [sps, pps] = [new Uint8Array(0), new Uint8Array(0)];
  for (const [i, start] of starts.entries()) {
    let end = (starts[i + 1] ?? data.length + 3) - 3;
    while (end > start && data[end - 1] === 0) end -= 1;
    const nal = new Uint8Array(data.subarray(start, end));
    const type = (nal[0] ?? 0) & 31;
    if (type === 9) frames.push({ parts: [], key: false });
    else if (type === 7) sps = sps.length > 0 ? sps : nal;
    else if (type === 8) pps = pps.length > 0 ? pps : nal;
    else {
      const frame = frames.at(-1);
      if (frame === undefined) throw new Error("the clip has no access-unit delimiters");
      const length = Buffer.alloc(4);
      length.writeUInt32BE(nal.length);
      frame.parts.push(length, nal);
      if (type === 5) frame.key = true;
    }
  }
  const joined = frames.map(({ parts, key }) => ({
    payload: new Uint8Array(Buffer.concat(parts)),
    key,
  }));
  return { sps, pps, frames: joined };
}
