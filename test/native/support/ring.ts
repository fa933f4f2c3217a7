/** A writer and a reader of one ring, in two processes, joined by the door. */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { Program, scratch, type Variant } from "./programs.ts";

/** Offsets of native/ring/ring.h, in bytes. */
export const OFFSET = {
  magic: 0,
  version: 4,
  headerBytes: 8,
  totalBytes: 12,
  dataBytes: 16,
  slotCount: 20,
  stream: 24,
  firstSeq: 28,
  headSeq: 64,
  dataHead: 68,
  keyHead: 72,
  configHead: 76,
  state: 80,
  keys: 128,
  configs: 4096,
  slots: 12288,
} as const;

export const SLOT_BYTES = 32;
export const CONFIG_BYTES = 1024;

/** Sizes of the file for a ring of these sizes. */
export function layout(dataBytes: number, slotCount: number) {
  const dataOffset = Math.ceil((OFFSET.slots + slotCount * SLOT_BYTES) / 4096) * 4096;
  return { dataOffset, totalBytes: dataOffset + dataBytes };
}

export interface RingOptions {
  dataBytes?: number;
  slotCount?: number;
  firstSeq?: number;
  /** What the writer is built for. Default asan. */
  writer?: Variant;
  /** What the readers are built for. Default asan. */
  reader?: Variant;
}

/** Starts a writer that has a config, so that it takes frames. */
export async function startWriter(t: TestContext, socket: string, options: RingOptions = {}) {
  const { dataBytes = 65536, slotCount = 64, firstSeq = 0, writer: variant = "asan" } = options;
  const args = [socket, dataBytes, slotCount, firstSeq].map(String);
  const writer = await Program.start(t, variant, "ring_writer", args);
  assert.equal(await writer.line(), "ready");
  assert.equal(await writer.ask("config 640 480 40000"), "config 1");
  return writer;
}

/** Starts a reader that is not connected yet. */
export async function startReader(t: TestContext, variant: Variant = "asan") {
  const reader = await Program.start(t, variant, "ring_reader");
  assert.equal(await reader.line(), "ready");
  return reader;
}

/** A writer and a connected reader. */
export async function startPair(t: TestContext, options: RingOptions = {}) {
  const socket = join(scratch(t), "door");
  const writer = await startWriter(t, socket, options);
  const reader = await startReader(t, options.reader);
  assert.match(await reader.ask(`connect ${socket} 0`), /^attached/);
  return { writer, reader, socket };
}

/** Writes frames; every `keyEvery`-th from the first is a key frame; captured at 40 ms × number. */
export async function writeFrames(
  writer: Program,
  count: number,
  { bytes = 1000, keyEvery = 10, from = 0 } = {},
) {
  for (let i = from; i < from + count; i++) {
    const flags = i % keyEvery === 0 ? "k" : "-";
    assert.match(await writer.ask(`frame ${bytes} ${flags} ${i * 40000}`), /^frame \d+$/);
  }
}

export interface Frame {
  seq: number;
  bytes: number;
  flags: string;
  config: number;
  lost: number;
  captureUs: bigint;
}

/** The reader's next frame. Fails on any other answer. */
export async function nextFrame(reader: Program): Promise<Frame> {
  const answer = await reader.ask("next");
  const match = /^frame (\d+) bytes (\d+) flags (\S+) config (\d+) lost (\d+) at (\d+)$/.exec(
    answer,
  );
  assert.ok(match, answer);
  const [, seq, bytes, flags = "", config, lost, captureUs = ""] = match;
  return {
    seq: Number(seq),
    bytes: Number(bytes),
    flags,
    config: Number(config),
    lost: Number(lost),
    captureUs: BigInt(captureUs),
  };
}

/** Reads frames, every byte compared, until there is none. Gives their numbers. */
export async function drain(reader: Program): Promise<number[]> {
  const numbers: number[] = [];
  for (;;) {
    const answer = await reader.ask("next");
    const match = /^frame (\d+) /.exec(answer);
    if (!match) {
      assert.match(answer, /^(nothing new|the footage has ended)$/);
      return numbers;
    }
    assert.equal(await reader.ask("read"), "good");
    numbers.push(Number(match[1]));
  }
}

/** from, from + 1, … of `count` numbers. */
export function range(from: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => from + i);
}
