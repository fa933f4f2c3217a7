/** Reads MP4 boxes for tests (ISO/IEC 14496-12, 4.2), and asks ffprobe and ffmpeg what they make of a file. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Box {
  readonly type: string;
  /** Without size and type. */
  readonly content: Buffer;
  /** Where the box starts in what it was read from. */
  readonly at: number;
}

/** The boxes that follow each other in `bytes`; throws where they do not fill it exactly. */
export function boxesIn(bytes: Uint8Array): Box[] {
  const data = Buffer.from(bytes);
  const found: Box[] = [];
  for (let at = 0; at < data.length; ) {
    const size = data.readUInt32BE(at);
    if (size < 8 || at + size > data.length) throw new Error(`a box of ${size} bytes at ${at}`);
    const type = data.toString("latin1", at + 4, at + 8);
    found.push({ type, content: data.subarray(at + 8, at + size), at });
    at += size;
  }
  return found;
}

/** The one box at a path such as `moov/trak/tkhd`; `skip` bytes of the last container's own fields come before its boxes. */
export function boxAt(bytes: Uint8Array, path: string): Box {
  let inside: Uint8Array = bytes;
  let found: Box | undefined;
  for (const type of path.split("/")) {
    const boxes = boxesIn(inside).filter((box) => box.type === type);
    if (boxes.length !== 1) throw new Error(`${boxes.length} of ${type} in ${path}`);
    found = boxes[0];
    inside = found?.content.subarray(OWN_FIELDS.get(type) ?? 0) ?? new Uint8Array(0);
  }
  if (found === undefined) throw new Error("an empty path");
  return found;
}

/** Bytes of fields before the boxes that these contain. */
const OWN_FIELDS = new Map([
  ["stsd", 8],
  ["dref", 8],
  ["avc1", 78],
]);

export interface Probed {
  /** Everything ffprobe and ffmpeg complained about; empty for a faultless file. */
  readonly complaints: string;
  readonly codec: string;
  readonly profile: string;
  readonly width: number;
  readonly height: number;
  readonly timeBase: string;
  /** In decoding order. */
  readonly packets: { readonly dts: number; readonly key: boolean }[];
  /** All packets' bytes, joined. */
  readonly payload: Buffer;
}

/** Writes the file into a temporary directory, and has it probed, decoded and taken apart. */
export function probe(mp4: Uint8Array): Probed {
  const folder = mkdtempSync(join(tmpdir(), "ocellus-mp4-"));
  try {
    const file = join(folder, "segment.mp4");
    writeFileSync(file, mp4);
    const show = "stream=codec_name,profile,width,height,time_base:packet=dts,flags";
    const shown = run("ffprobe", ["-show_entries", show, "-of", "json", file]);
    const decoded = run("ffmpeg", ["-nostdin", "-xerror", "-i", file, "-f", "null", "-"]);
    const data = ["-nostdin", "-i", file, "-map", "0:v", "-c", "copy", "-f", "data", "-"];
    const copied = run("ffmpeg", data);
    const { packets, streams } = JSON.parse(shown.out.toString());
    const [stream] = streams;
    return {
      complaints: shown.complaints + decoded.complaints + copied.complaints,
      codec: stream.codec_name,
      profile: stream.profile,
      width: stream.width,
      height: stream.height,
      timeBase: stream.time_base,
      packets: packets.map((packet: { dts: number; flags: string }) => ({
        dts: packet.dts,
        key: packet.flags.startsWith("K"),
      })),
      payload: copied.out,
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function run(program: string, args: readonly string[]): { out: Buffer; complaints: string } {
  const done = spawnSync(program, ["-hide_banner", "-v", "warning", ...args], {
    maxBuffer: 1 << 28,
  });
  if (done.error) throw done.error;
  const failed = done.status === 0 ? "" : `${program} exits with ${done.status}\n`;
  return { out: done.stdout, complaints: failed + done.stderr.toString() };
}
