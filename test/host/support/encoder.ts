/** A canned encoder behind a door, and what its clip holds as a reader of the ring gets it. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { ensure } from "../../../scripts/build/ensure.mjs";
import { AGENT } from "../../../scripts/camera/accounts.ts";
import { isRoot, scratch } from "./camera.ts";

export interface RunningEncoder {
  door: string;
  child: ChildProcess;
}

/** Plays a clip (default: the default clip, once, as soon as a camera is there). Ends with the test. */
export async function startEncoder(
  t: TestContext,
  args: readonly string[] = ["--wait", "--loops", "1", "--rate", "20"],
  clip?: string,
): Promise<RunningEncoder> {
  const door = join(scratch(t), "door");
  const program = join(await ensure("native-host"), "bin/ocellus-canned");
  const file = clip ?? join(await ensure("clip-default"), "clip.h264");
  const group = isRoot ? ["--group", `${AGENT.gid}`] : [];
  const child = spawn(program, ["--clip", file, "--socket", door, ...group, ...args], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const ended = once(child, "close");
  t.after(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  for (let i = 0; !existsSync(door); i++) {
    assert.ok(i < 500 && child.exitCode === null, `the encoder did not open its door: ${said}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return { door, child };
}

export interface Sample {
  /** Length-prefixed NAL units, without delimiters and parameter sets. */
  bytes: Buffer;
  key: boolean;
}

/**
 * The access units of a clip of Annex B in which each starts with a delimiter. Written from H.264
 * (7.4.1.2.3, B.1) alone, none of the product's code.
 */
export async function samplesOf(clip?: string): Promise<Sample[]> {
  const stream = readFileSync(clip ?? join(await ensure("clip-default"), "clip.h264"));
  const samples: Sample[] = [];
  let parts: Buffer[] = [];
  let key = false;
  const finish = () => {
    if (parts.length > 0) samples.push({ bytes: Buffer.concat(parts), key });
    parts = [];
    key = false;
  };
  let at = stream.indexOf("\0\0\x01", 0, "latin1");
  while (at >= 0) {
    const next = stream.indexOf("\0\0\x01", at + 3, "latin1");
    let end = next < 0 ? stream.length : next;
    while (stream[end - 1] === 0) end--;
    const unit = stream.subarray(at + 3, end);
    const type = (unit[0] ?? 0) & 0x1f;
    if (type === 9) finish();
    if (type === 5) key = true;
    if (type !== 9 && type !== 7 && type !== 8) {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(unit.length);
      parts.push(length, unit);
    }
    at = next;
  }
  finish();
  return samples;
}
