/**
 * Joins opened segments into one progressive MP4 with its head in front.
 *
 * Frames are copied untouched and keep their times: the file's time 0 is the first frame, and a frame stands
 * where its capture time puts it. Where footage is missing the last frame before the gap stays on the screen
 * (its duration is stretched), and the gap is told.
 *
 * Parameter sets. With one SPS and PPS throughout, the track is `avc1` with them in `avcC`. Where they change,
 * it is one `avc3` track (ISO/IEC 14496-15 section 5.4.2): the sets stand before each key frame, so that
 * playing across the change and seeking past it both work; `avcC` holds the first.
 */
import { rmSync } from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname, join as joinPath } from "node:path";
import { toHex } from "../../agent/identity/encoding.ts";
import { Problem } from "../build/problem.mjs";
import { random } from "./crypto.ts";
import { type JoinPart, type Summary, Timeline } from "./timeline.ts";
import { reasonOf } from "./trouble.ts";

const COPY_BYTES = 1 << 20;

/** What was written. */
export interface Joined extends Summary {
  readonly file_bytes: number;
}

/** Collects parts in order and writes the file. The holder calls `finish` or `abandon`, once. */
export interface Joiner {
  /** @param plain the segment's plaintext, in which the part's samples lie. Throws as `Timeline.add` does, and Problem where
   * it cannot be written. */
  add(part: JoinPart, plain: Uint8Array): Promise<void>;
  /** Writes the file, replacing what stood there. Throws Problem without any part, or where it cannot be written. */
  finish(): Promise<Joined>;
  /** Removes what was written so far. */
  abandon(): Promise<void>;
}

/**
 * Starts a file. Frames wait in a file beside it until their sizes are known, so memory stays small whatever the
 * length. That file has no name, so that it is gone with the process, however this ends.
 * @param stretchGaps false: gaps are left out instead.
 */
export async function joinTo(path: string, stretchGaps: boolean): Promise<Joiner> {
  const part = joinPath(dirname(path), `.ocellus-${toHex(random(6))}`);
  const framesPath = `${part}.frames`;
  const filePath = `${part}.part`;
  const timeline = new Timeline(stretchGaps);
  const trouble = (error: unknown) =>
    error instanceof Problem ? error : new Problem(`cannot write ${path}: ${causeOf(error)}.`);
  const frames = await open(framesPath, "wx+", 0o600).catch((error: unknown) => {
    throw trouble(error);
  });
  const removePart = () => rmSync(filePath, { force: true });
  process.once("exit", removePart);
  const clean = async () => {
    process.off("exit", removePart);
    await frames.close();
    await rm(filePath, { force: true });
  };
  await rm(framesPath);

  async function write(): Promise<Joined> {
    const head = timeline.head();
    // What was sealed for its owner is for no other user of this machine.
    const file = await open(filePath, "wx", 0o600);
    try {
      await file.writeFile(head);
      const payload_bytes = await copyFrames(frames, file, timeline);
      await file.sync();
      return { ...timeline.summary(), file_bytes: head.length + payload_bytes };
    } finally {
      await file.close();
    }
  }

  return {
    async add(wanted, plain) {
      const first = timeline.add(wanted);
      for (const [from, to] of contiguous({ ...wanted, first })) {
        await frames.appendFile(plain.subarray(from, to)).catch((error: unknown) => {
          throw trouble(error);
        });
      }
    },
    async finish() {
      try {
        const joined = await write();
        await rename(filePath, path);
        return joined;
      } catch (error) {
        throw trouble(error);
      } finally {
        await clean();
      }
    },
    abandon: clean,
  };
}

/** Without the system call and the file beside `path` that it was about: nobody named that. */
function causeOf(error: unknown): string {
  return reasonOf(error).replace(/, \w+( '[^']*'( -> '[^']*')?)?$/, "");
}

/** The wanted samples' bytes as [from, to) in the plaintext, neighbours joined. */
function contiguous({ video, first, end }: JoinPart): [number, number][] {
  const ranges: [number, number][] = [];
  for (const { offset, bytes } of video.samples.slice(first, end)) {
    const last = ranges.at(-1);
    if (last?.[1] === offset) last[1] += bytes;
    else ranges.push([offset, offset + bytes]);
  }
  return ranges;
}

/** Copies all frames behind the head, with the parameter sets that belong before them. @returns bytes written. */
async function copyFrames(from: FileHandle, to: FileHandle, timeline: Timeline): Promise<number> {
  const frames_bytes = (await from.stat()).size;
  const block = new Uint8Array(COPY_BYTES);
  let at = 0;
  let written_bytes = 0;
  const copyUpTo = async (end: number) => {
    while (at < end) {
      const wanted = Math.min(block.length, end - at);
      const { bytesRead } = await from.read(block, 0, wanted, at);
      if (bytesRead === 0) throw new Error("the file of frames was cut short");
      await to.writeFile(block.subarray(0, bytesRead));
      at += bytesRead;
      written_bytes += bytesRead;
    }
  };
  for (const { at_bytes, sets } of timeline.insertions()) {
    await copyUpTo(at_bytes);
    await to.writeFile(sets);
    written_bytes += sets.length;
  }
  await copyUpTo(frames_bytes);
  return written_bytes;
}
