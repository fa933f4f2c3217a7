/** The ring when its writer dies or starts again. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { scratch } from "./support/programs.ts";
import {
  drain,
  nextFrame,
  range,
  startPair,
  startReader,
  startWriter,
  writeFrames,
} from "./support/ring.ts";

test("a frame is invisible until it is complete", async (t) => {
  const { writer, reader } = await startPair(t);
  await writeFrames(writer, 3);
  await writer.ask("begin 3000 1500");
  assert.deepEqual(await drain(reader), [0, 1, 2]);
  await writer.ask("commit - 0");
  assert.deepEqual(await drain(reader), [3]);
});

test("a writer killed in the middle of a frame takes only what that frame overwrote", async (t) => {
  const { writer, reader } = await startPair(t);
  await writeFrames(writer, 16, { bytes: 4096, keyEvery: 4 }); // fills the data area exactly
  assert.equal((await nextFrame(reader)).seq, 0);
  await writer.ask("begin 20000 7000"); // frames 0 … 4 lie under it
  await writer.kill("SIGKILL");

  assert.equal(await reader.ask("read"), "already overwritten");
  assert.equal(await reader.ask("seek oldest"), "ok");
  assert.deepEqual(await drain(reader), range(8, 8), "8 is the oldest key frame left");
  assert.equal(
    await reader.ask("next"),
    "nothing new",
    "a killed writer has not ended its footage",
  );
  assert.equal(await reader.ask("event 2000"), "closed");
});

test("frames of a killed writer can be read to the last", async (t) => {
  const { writer, reader } = await startPair(t);
  await writeFrames(writer, 12);
  await writer.kill("SIGKILL");
  assert.equal(await reader.ask("event 2000"), "closed");
  assert.deepEqual(await drain(reader), range(0, 12));
});

test("a writer that starts again with another size and SPS is a new ring", async (t) => {
  const socket = join(scratch(t), "door");
  const before = await startWriter(t, socket, { dataBytes: 65536, slotCount: 64 });
  const reader = await startReader(t);
  assert.equal(await reader.ask(`connect ${socket} 0`), "attached 81920 abilities 222");
  await writeFrames(before, 4);
  assert.equal((await nextFrame(reader)).seq, 0);
  await before.kill("SIGKILL");
  assert.equal(await reader.ask("event 2000"), "closed");
  assert.equal(await reader.ask(`connect ${socket} 0`), "error Connection refused");

  const after = await startWriter(t, socket, { dataBytes: 4096, slotCount: 128, firstSeq: 7 });
  await after.ask("config 1280 720 33367 000467640028 000268ee");
  await writeFrames(after, 2);
  assert.equal(await reader.ask(`connect ${socket} 0`), "attached 20480 abilities 222");
  const frame = await nextFrame(reader);
  assert.deepEqual([frame.seq, frame.config, frame.flags], [7, 2, "kn"]);
  assert.match(await reader.ask("config 2"), /size 1280x720/);
  assert.equal(await reader.ask("read"), "good");
});

test("a reader keeps the old ring while a new writer runs", async (t) => {
  const socket = join(scratch(t), "door");
  const before = await startWriter(t, socket);
  const reader = await startReader(t);
  await reader.ask(`connect ${socket} 0`);
  await writeFrames(before, 5);
  await before.kill("SIGKILL");
  const after = await startWriter(t, socket, { dataBytes: 4096 });
  await after.ask("seed 99");
  await writeFrames(after, 50, { bytes: 2000 });
  assert.deepEqual(await drain(reader), range(0, 5));
});
