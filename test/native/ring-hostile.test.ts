/** Rings that lie, and rings cut short: a reader answers with a typed result and never falls over. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { type Program, scratch } from "./support/programs.ts";
import {
  CONFIG_BYTES,
  drain,
  layout,
  nextFrame,
  OFFSET,
  range,
  SLOT_BYTES,
  startPair,
  startReader,
  startWriter,
  writeFrames,
} from "./support/ring.ts";

const BROKEN = "the ring is cut short or contradicts itself";
const BAD_LAYOUT = "bad ring: ring sizes that are not allowed or do not add up";

/** Everything a reader may say about a frame it was pointed at. */
const ANSWERS = new Set(["ok", "good", "nothing new", "the footage has ended", BROKEN]);

function isTyped(answer: string): boolean {
  return (
    ANSWERS.has(answer) ||
    /^(already overwritten|wrong at \d+|(frame|config|lag) \d+\b)/.test(answer)
  );
}

/** Values that break things: ends of ranges, neighbours, and a few of a seeded generator. */
function nastyValues(was: number, random: () => number): number[] {
  const near = [was + 1, was - 1, was + 4096, was ^ 0x80000000, was * 2];
  const fixed = [0, 1, 2, 63, 64, 65536, 0x7fffffff, 0x80000000, 0xffffff00, 0xffffffff];
  return [...near, ...fixed, random(), random()].map((value) => value >>> 0);
}

function generator(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

async function poke(writer: Program, offset: number, value: number): Promise<number> {
  const match = /^was (\d+)$/.exec(await writer.ask(`poke ${offset} ${value}`));
  assert.ok(match);
  return Number(match[1]);
}

/** Does with a ring whatever can be done with one; every answer must be a typed one. */
async function exercise(reader: Program, what: string) {
  const questions = ["lag", "next", "read", "next", "read 999", "config 1", "config 9"];
  questions.push("seek oldest", "next", "read 100", "seek before 500000", "next", "seek newest");
  for (const question of questions) {
    // A read needs a frame to have been described; next before it may have given none.
    const answer = await reader.ask(question);
    assert.ok(isTyped(answer), `${what}: ${question} → ${answer}`);
  }
}

test("a header word that is wrong before attaching is told by name", async (t) => {
  const socket = join(scratch(t), "door");
  const writer = await startWriter(t, socket);
  const reader = await startReader(t);
  const random = generator(1);
  const refusals: [number, string][] = [
    [OFFSET.magic, "bad ring: not a ring"],
    [OFFSET.version, "bad ring: another version of the ring format"],
    [OFFSET.headerBytes, BAD_LAYOUT],
    [OFFSET.totalBytes, BAD_LAYOUT],
    [OFFSET.dataBytes, BAD_LAYOUT],
    [OFFSET.slotCount, BAD_LAYOUT],
  ];
  for (const [offset, refusal] of refusals) {
    const was = await poke(writer, offset, 0);
    for (const value of nastyValues(was, random).filter((each) => each !== was)) {
      await poke(writer, offset, value);
      // Twice the slots fit into the same page: another ring, but not a contradiction.
      if (offset === OFFSET.slotCount && value === 128) continue;
      assert.equal(await reader.ask(`connect ${socket} 0`), refusal, `${offset}: ${value}`);
    }
    await poke(writer, offset, was);
  }
  assert.match(await reader.ask(`connect ${socket} 0`), /^attached/);
});

test("any header word, changed under a reader, leads to a typed answer", async (t) => {
  const seed = Date.now() % 1_000_000;
  t.diagnostic(`seed ${seed}`);
  const random = generator(seed);
  const { writer, reader, socket } = await startPair(t);
  await writeFrames(writer, 30);
  for (let offset = 0; offset < OFFSET.keys + 4 * 4; offset += 4) {
    const was = await poke(writer, offset, 0);
    for (const value of nastyValues(was, random)) {
      await poke(writer, offset, was);
      assert.match(await reader.ask(`connect ${socket} 0`), /^attached/);
      await nextFrame(reader);
      await poke(writer, offset, value);
      await exercise(reader, `header word ${offset} = ${value}`);
      // And found like that by a reader that comes later.
      const answer = await reader.ask(`connect ${socket} 0`);
      assert.match(answer, /^(attached|bad ring)/);
      if (answer.startsWith("attached")) await exercise(reader, `header word ${offset} = ${value}`);
    }
    await poke(writer, offset, was);
  }
  await reader.ask(`connect ${socket} 0`);
  await reader.ask("seek oldest");
  assert.deepEqual(await drain(reader), range(0, 30));
});

test("sizes changed after attaching mean nothing to a reader", async (t) => {
  const { writer, reader } = await startPair(t);
  await writeFrames(writer, 5);
  for (let offset = 0; offset < OFFSET.headSeq; offset += 4) await poke(writer, offset, 0xffffffff);
  assert.deepEqual(await drain(reader), range(0, 5));
});

test("any word of a slot or config entry, changed, leads to a typed answer", async (t) => {
  const seed = Date.now() % 1_000_000;
  t.diagnostic(`seed ${seed}`);
  const random = generator(seed);
  const { writer, reader, socket } = await startPair(t);
  await writeFrames(writer, 30);
  const slot = OFFSET.slots + 20 * SLOT_BYTES; // the newest key frame's
  const config = OFFSET.configs + CONFIG_BYTES;
  const offsets = range(0, 8).map((word) => slot + 4 * word);
  offsets.push(...range(0, 12).map((word) => config + 4 * word));
  for (const offset of offsets) {
    const was = await poke(writer, offset, 0);
    for (const value of nastyValues(was, random)) {
      await poke(writer, offset, was);
      await reader.ask(`connect ${socket} 0`);
      await nextFrame(reader);
      await poke(writer, offset, value);
      await exercise(reader, `word ${offset} = ${value}`);
      await reader.ask(`connect ${socket} 0`);
      await exercise(reader, `word ${offset} = ${value}`);
    }
    await poke(writer, offset, was);
  }
});

test("a slot that contradicts itself or the ring is a broken ring", async (t) => {
  const { writer, reader, socket } = await startPair(t);
  await writeFrames(writer, 1);
  const bytes = OFFSET.slots + 8;
  const generation = OFFSET.slots + 16;
  for (const [offset, value] of [
    [bytes, 0],
    [bytes, 1001], // more than was ever written
    [generation, 0],
  ] as const) {
    assert.match(await reader.ask(`connect ${socket} 0`), /^attached/);
    const was = await poke(writer, offset, value);
    assert.equal(await reader.ask("next"), BROKEN, `${offset} = ${value}`);
    await poke(writer, offset, was);
    assert.equal((await nextFrame(reader)).seq, 0);
  }
  await writeFrames(writer, 39, { from: 1 });
  assert.match(await reader.ask(`connect ${socket} 0`), /^attached/);
  await reader.ask("seek oldest");
  await poke(writer, bytes, 32769); // more than a ring of this size takes
  assert.equal(await reader.ask("next"), BROKEN);
});

test("parameter sets that are malformed are refused as a whole", async (t) => {
  const { writer, reader } = await startPair(t);
  const sps = "000467640028";
  const pps = "000268ee";
  const bad = [
    [sps, "00"],
    [sps, "0002"],
    [sps, "000368ee"],
    [sps, "000265ee"],
    [sps, "0000"],
    [sps, "000168"],
    ["00036764ff", pps],
    ["000468640028", pps],
    ["ffff67640028", pps],
    [sps + sps.slice(0, 6), pps],
    [sps.repeat(32), pps],
  ];
  for (const [spsList, ppsList] of bad) {
    const answer = await writer.ask(`config 640 480 40000 ${spsList} ${ppsList}`);
    assert.equal(await reader.ask(answer), BROKEN, `${spsList} ${ppsList}`);
  }
  for (const size of ["0 480", "640 0", "16385 480", "640 4294967295"]) {
    const answer = await writer.ask(`config ${size} 40000`);
    assert.equal(await reader.ask(answer), BROKEN, size);
  }
  const answer = await writer.ask(`config 16384 1 0 ${sps.repeat(31)} ${pps}`);
  assert.match(await reader.ask(answer), /sps 31 /);
});

test("parameter sets said to be longer than their room are never overread", async (t) => {
  const { writer, reader } = await startPair(t);
  const room = CONFIG_BYTES - 32;
  const unit = (header: number, bytes: number) => {
    const buffer = Buffer.alloc(2 + bytes, 1);
    buffer.writeUInt16BE(bytes);
    buffer[2] = header;
    return buffer.toString("hex");
  };
  const sps = unit(0x67, 8);
  const pps = unit(0x68, 2).repeat((room - 10 - 6) / 4);
  // Each fills its room to the last byte; the word at `offset` then claims more.
  const cases: [string, string, number, number][] = [
    [unit(0x67, room - 2 - 1), "00", 0, 0],
    [sps, pps + unit(0x68, 4), 20, room - 10 + 4],
    [unit(0x67, room - 2), "", 16, room + 8],
    [unit(0x67, room - 2), "", 20, 4],
    [sps, pps + unit(0x68, 4), 20, 0xffffffff - 10 + 1],
  ];
  for (const [spsList, ppsList, offset, value] of cases) {
    const answer = await writer.ask(`config 640 480 40000 ${spsList} ${ppsList}`);
    const generation = Number(/^config (\d+)$/.exec(answer)?.[1]);
    if (offset)
      await poke(writer, OFFSET.configs + (generation % 8) * CONFIG_BYTES + offset, value);
    assert.equal(await reader.ask(answer), BROKEN, `${offset} ${value}`);
  }
});

test("a head that goes back is a broken ring", async (t) => {
  const { writer, reader } = await startPair(t);
  await writeFrames(writer, 12);
  await drain(reader);
  await poke(writer, OFFSET.headSeq, 3);
  assert.equal(await reader.ask("next"), BROKEN);
});

test("a ring file of the wrong length is refused", async (t) => {
  const { totalBytes } = layout(65536, 64);
  for (const bytes of [0, 1, 4095, 4096, 12288, totalBytes - 1, totalBytes + 1, 1 << 28]) {
    const socket = join(scratch(t), "door");
    const writer = await startWriter(t, socket);
    const reader = await startReader(t);
    assert.equal(await writer.ask(`truncate ${bytes}`), "cut");
    assert.equal(await reader.ask(`connect ${socket} 0`), BAD_LAYOUT, String(bytes));
  }
});

test("a ring file cut short under a reader breaks the ring, not the reader", async (t) => {
  const { dataOffset } = layout(65536, 64);
  for (const bytes of [0, 4096, 12288, dataOffset, dataOffset + 8192]) {
    for (const question of ["next", "read", "read 100 0", "config 1", "seek oldest", "lag"]) {
      const { writer, reader } = await startPair(t);
      await writeFrames(writer, 30);
      await nextFrame(reader);
      await nextFrame(reader);
      assert.equal(await writer.ask(`truncate ${bytes}`), "cut");
      const answer = await reader.ask(question);
      const what = `${question} of ${bytes} bytes: ${answer}`;
      if (bytes === 0) assert.equal(answer, question === "lag" ? "lag 0" : BROKEN, what);
      else assert.ok(isTyped(answer) && !answer.startsWith("wrong"), what);
      await exercise(reader, what);
      assert.equal(await reader.ask("close"), "closed");
    }
  }
});

test("a reader whose ring was cut short can attach to the next one", async (t) => {
  const { writer, reader } = await startPair(t);
  await writeFrames(writer, 3);
  await writer.ask("truncate 0");
  assert.equal(await reader.ask("next"), BROKEN);
  const socket = join(scratch(t), "door");
  await writeFrames(await startWriter(t, socket), 3);
  assert.match(await reader.ask(`connect ${socket} 0`), /^attached/);
  assert.deepEqual(await drain(reader), [0, 1, 2]);
});
