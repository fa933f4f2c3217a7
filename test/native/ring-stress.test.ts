/**
 * A writer at full speed and readers that check every byte, in separate processes, for
 * OCELLUS_STRESS_SECONDS (default 10) in all.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { scratch } from "./support/programs.ts";
import { startReader, startWriter } from "./support/ring.ts";

const SECONDS = Number(process.env.OCELLUS_STRESS_SECONDS ?? "10");

interface Shape {
  name: string;
  dataBytes: number;
  slotCount: number;
  largest: number;
  keyEvery: number;
  /** Longest rest the second reader takes between two frames, µs. */
  restUs: number;
  /** Whether the second reader always reads the frame that will be overwritten next. */
  oldest?: boolean;
}

const SHAPES: Shape[] = [
  { name: "large frames", dataBytes: 65536, slotCount: 64, largest: 30000, keyEvery: 3, restUs: 0 },
  { name: "small frames", dataBytes: 65536, slotCount: 64, largest: 200, keyEvery: 7, restUs: 300 },
  {
    name: "a reader at the edge of what is overwritten",
    ...{ dataBytes: 65536, slotCount: 64, largest: 8, keyEvery: 1, restUs: 0, oldest: true },
  },
  {
    name: "a large ring",
    ...{ dataBytes: 4 << 20, slotCount: 1024, largest: 50000, keyEvery: 25, restUs: 9 },
  },
];

/** Takes the numbers out of "word 1 word 2 …". */
function figures(answer: string): Map<string, number> {
  const pairs = [...answer.matchAll(/([a-z-]+) (\d+)/g)];
  return new Map(pairs.map(([, name = "", value]) => [name, Number(value)]));
}

for (const shape of SHAPES) {
  test(`under load no reader ever sees a wrong byte: ${shape.name}`, async (t) => {
    const seed = Math.floor(Math.random() * 0x7fffffff);
    t.diagnostic(`seed ${seed}`);
    const seconds = SECONDS / SHAPES.length;
    const socket = join(scratch(t), "door");
    // Close to the wrap of sequence numbers, so that a run goes through it.
    const firstSeq = 0xffffff00;
    const { dataBytes, slotCount } = shape;
    const writer = await startWriter(t, socket, { dataBytes, slotCount, firstSeq });
    await writer.ask(`seed ${seed}`);
    const readers = [await startReader(t), await startReader(t)];
    for (const reader of readers) {
      await reader.ask(`seed ${seed}`);
      assert.match(await reader.ask(`connect ${socket} 0`), /^attached/);
    }
    const flood = writer.ask(`flood ${seconds} ${shape.largest} ${shape.keyEvery}`);
    const answers = await Promise.all([
      ...readers.map((reader, i) =>
        reader.ask(`verify ${seconds} ${i * shape.restUs} ${i && shape.oldest ? "oldest" : ""}`),
      ),
      flood,
    ]);
    const flooded = figures(answers.pop() ?? "");
    t.diagnostic(`written: ${flooded.get("frames")} frames`);
    for (const answer of answers) {
      t.diagnostic(answer);
      const seen = figures(answer);
      assert.match(answer, /^verified /, `seed ${seed}`);
      assert.ok((seen.get("frames") ?? 0) > 100, `seed ${seed}: hardly anything was read`);
      assert.equal(seen.get("out-of-order"), 0, `seed ${seed}`);
      assert.equal(seen.get("keyless-jumps"), 0, `seed ${seed}`);
    }
  });
}
