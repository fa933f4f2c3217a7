/** The ring between two processes: what a reader sees of a well-behaved writer. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { scratch, type Variant } from "./support/programs.ts";
import {
  drain,
  nextFrame,
  range,
  startPair,
  startReader,
  startWriter,
  writeFrames,
} from "./support/ring.ts";

/** Who writes and who reads: sanitized, the device's code, and one of each on one ring. */
const PAIRS: { writer: Variant; reader: Variant }[] = [
  { writer: "asan", reader: "asan" },
  { writer: "mipsel", reader: "mipsel" },
  { writer: "mipsel", reader: "asan" },
];

for (const pair of PAIRS) {
  describe(`ring, ${pair.writer} writes and ${pair.reader} reads`, () => {
    test("frames come in order, whole, with their times and flags", async (t) => {
      const { writer, reader } = await startPair(t, pair);
      assert.equal(await reader.ask("next"), "nothing new");
      await writer.ask("frame 1 k 5000000000000");
      await writer.ask("frame 32768 d 5000000040000");
      const first = await nextFrame(reader);
      assert.deepEqual(first, {
        seq: 0,
        bytes: 1,
        flags: "kn",
        config: 1,
        lost: 0,
        captureUs: 5_000_000_000_000n,
      });
      const second = await nextFrame(reader);
      assert.deepEqual([second.seq, second.flags, second.captureUs], [1, "d", 5_000_000_040_000n]);
      assert.equal(await reader.ask("read 1000"), "good");
      assert.equal(await reader.ask("read 7 0"), "good", "an earlier frame can still be read");
      assert.equal(await reader.ask("next"), "nothing new");
    });

    test("frames that wrap round the end of the data area are whole", async (t) => {
      const { writer, reader } = await startPair(t, { ...pair, dataBytes: 4096 });
      for (let i = 0; i < 40; i++) {
        await writer.ask(`frame ${700 + i} ${i === 0 ? "k" : "-"} 0`);
        assert.deepEqual(await drain(reader), [i]);
      }
    });

    test("sequence numbers wrap without anybody noticing", async (t) => {
      const { writer, reader } = await startPair(t, { ...pair, firstSeq: 0xfffffff0 });
      await writeFrames(writer, 32, { keyEvery: 8 });
      assert.deepEqual(await drain(reader), [...range(0xfffffff0, 16), ...range(0, 16)]);
      assert.equal(await reader.ask("stats"), "delivered 32 lost 0 laps 0");
      assert.equal(await reader.ask("seek oldest"), "ok");
      assert.equal((await nextFrame(reader)).seq, 0xfffffff0);
      await writeFrames(writer, 200, { keyEvery: 8 });
      const jumped = await nextFrame(reader);
      assert.deepEqual([jumped.seq, jumped.lost], [208, 223]);
    });

    test("a reader that attaches late starts at the newest key frame", async (t) => {
      const socket = join(scratch(t), "door");
      const writer = await startWriter(t, socket, pair);
      await writeFrames(writer, 25);
      const reader = await startReader(t, pair.reader);
      assert.match(await reader.ask(`connect ${socket} 0`), /^attached/);
      assert.equal(await reader.ask("lag"), "lag 5");
      assert.deepEqual(await drain(reader), range(20, 5));
      assert.equal(await reader.ask("stats"), "delivered 5 lost 0 laps 0");
    });

    test("a reader can go back to the oldest key frame, or to one before a time", async (t) => {
      const { writer, reader } = await startPair(t, pair);
      await writeFrames(writer, 60);
      const at: [string, number][] = [
        ["oldest", 0],
        ["newest", 50],
        ["before 1599999", 30],
        ["before 1600000", 40],
        ["before 99999999999", 50],
        ["before 0", 0],
      ];
      for (const [where, seq] of at) {
        assert.equal(await reader.ask(`seek ${where}`), "ok");
        assert.equal((await nextFrame(reader)).seq, seq, where);
      }
      await writeFrames(writer, 60, { from: 60 }); // 64 slots: 56 … 119 are left
      assert.equal(await reader.ask("seek oldest"), "ok");
      assert.equal((await nextFrame(reader)).seq, 60);
      assert.equal(await reader.ask("seek before 100"), "ok", "none is early enough: the oldest");
      assert.equal((await nextFrame(reader)).seq, 60);
    });

    test("a reader lapped by frame count jumps to the newest key frame and counts", async (t) => {
      const { writer, reader } = await startPair(t, pair);
      await writeFrames(writer, 3);
      assert.deepEqual(await drain(reader), [0, 1, 2]);
      await writeFrames(writer, 97, { from: 3 });
      const frame = await nextFrame(reader);
      assert.deepEqual([frame.seq, frame.lost, frame.flags], [90, 87, "kd"]);
      assert.deepEqual(await drain(reader), range(91, 9));
      assert.equal(await reader.ask("stats"), "delivered 13 lost 87 laps 1");
    });

    test("a reader lapped by bytes jumps to the newest key frame and counts", async (t) => {
      const { writer, reader } = await startPair(t, pair);
      await writeFrames(writer, 30, { bytes: 5000 }); // 65,536 bytes hold 13 of them
      const frame = await nextFrame(reader);
      assert.deepEqual([frame.seq, frame.lost, frame.flags], [20, 20, "kn"]);
      assert.deepEqual(await drain(reader), range(21, 9));
    });

    test("a frame overwritten between description and reading is lost, once", async (t) => {
      const { writer, reader } = await startPair(t, pair);
      await writeFrames(writer, 2);
      await nextFrame(reader);
      await nextFrame(reader);
      await writeFrames(writer, 20, { bytes: 5000, from: 2 });
      for (let i = 0; i < 3; i++) assert.equal(await reader.ask("read"), "already overwritten");
      assert.equal(await reader.ask("stats"), "delivered 1 lost 1 laps 0");
      const frame = await nextFrame(reader);
      assert.deepEqual([frame.seq, frame.lost], [20, 19], "frame 1 and 2 … 19");
      assert.equal(await reader.ask("stats"), "delivered 2 lost 19 laps 1");
    });

    test("after a lost frame nothing is handed out before the newest key frame", async (t) => {
      const { writer, reader } = await startPair(t, pair);
      await writeFrames(writer, 16, { bytes: 4000, keyEvery: 4 });
      assert.equal((await nextFrame(reader)).seq, 0);
      await writeFrames(writer, 1, { bytes: 4000, from: 17 }); // over frame 0; 1 … 16 are whole
      assert.equal(await reader.ask("read"), "already overwritten");
      const frame = await nextFrame(reader);
      assert.deepEqual([frame.seq, frame.lost, frame.flags], [12, 12, "kd"]);
    });

    test("a descriptor kept until positions came round is not taken for a new one", async (t) => {
      const { writer, reader } = await startPair(t, { ...pair, dataBytes: 4 << 20 });
      await writeFrames(writer, 1);
      await nextFrame(reader);
      assert.equal(await writer.ask(`wrap ${2 << 20}`), "wrapped");
      assert.equal(await reader.ask("read"), "already overwritten");
    });

    test("a reader lapped where no key frame is left waits for the next", async (t) => {
      const { writer, reader } = await startPair(t, pair);
      await writeFrames(writer, 2, { keyEvery: 1000 });
      assert.deepEqual(await drain(reader), [0, 1]);
      await writeFrames(writer, 98, { keyEvery: 1000, from: 2 });
      assert.equal(await reader.ask("next"), "nothing new");
      await writeFrames(writer, 5, { keyEvery: 1000, from: 100 });
      assert.equal(await reader.ask("next"), "nothing new");
      await writeFrames(writer, 2, { keyEvery: 1000, from: 1000 });
      const frame = await nextFrame(reader);
      assert.deepEqual([frame.seq, frame.lost, frame.flags], [105, 103, "kd"]);
      assert.deepEqual(await drain(reader), [106]);
    });

    test("a slow reader that is not overtaken loses nothing", async (t) => {
      const { writer, reader } = await startPair(t, pair);
      const seen: number[] = [];
      for (let i = 0; i < 10; i++) {
        await writeFrames(writer, 60, { bytes: 900, from: 60 * i });
        seen.push(...(await drain(reader)));
      }
      assert.deepEqual(seen, range(0, 600));
      assert.equal(await reader.ask("stats"), "delivered 600 lost 0 laps 0");
    });

    test("a frame too large is refused and disturbs nobody", async (t) => {
      const { writer, reader } = await startPair(t, pair);
      await writeFrames(writer, 3);
      assert.equal(await writer.ask("frame 32769 k 0"), "too large");
      assert.equal(await writer.ask("frame 0 k 0"), "too large");
      assert.deepEqual(await drain(reader), [0, 1, 2]);
    });

    test("the end is told after the last frame, and only then", async (t) => {
      const { writer, reader } = await startPair(t, pair);
      await writeFrames(writer, 2);
      await writer.ask("end");
      assert.equal((await nextFrame(reader)).seq, 0);
      assert.equal((await nextFrame(reader)).seq, 1);
      assert.equal(await reader.ask("next"), "the footage has ended");
      assert.equal(await reader.ask("next"), "the footage has ended");
    });

    test("parameter sets stand beside the frames, by generation", async (t) => {
      const { writer, reader } = await startPair(t, pair);
      await writeFrames(writer, 2);
      assert.equal(
        await writer.ask("config 1280 720 33367 000467640028 000268ee000368ef01"),
        "config 2",
      );
      await writeFrames(writer, 2);
      const frames = [];
      for (let i = 0; i < 4; i++) frames.push(await nextFrame(reader));
      assert.deepEqual(
        frames.map((frame) => `${frame.config}${frame.flags}`),
        ["1kn", "1-", "2kn", "2-"],
      );
      assert.match(
        await reader.ask("config 1"),
        /^config 1 size 640x480 interval 40000 sps 1 0019/,
      );
      assert.equal(
        await reader.ask("config 2"),
        "config 2 size 1280x720 interval 33367 sps 1 000467640028 pps 2 000268ee000368ef01",
      );
      assert.equal(await reader.ask("config 3"), "already overwritten", "not written yet");
      assert.equal(await reader.ask("config 0"), "already overwritten");
      for (let i = 3; i <= 9; i++) await writer.ask(`config ${i} ${i} 0`);
      assert.equal(await reader.ask("config 1"), "already overwritten");
      assert.match(await reader.ask("config 2"), /^config 2 size 1280x720/);
      assert.equal(
        await writer.ask(`config 1 1 0 ${"00".repeat(900)} ${"00".repeat(93)}`),
        "too large",
      );
    });
  });
}
