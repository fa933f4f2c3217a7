/** Fuzzing of the MP4 inside a segment, which whoever has a camera's key can write: it is refused, or what it says can be joined. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parameterSets } from "../../scripts/owner/avcc.ts";
import { parseMp4, Unjoinable } from "../../scripts/owner/mp4.ts";
import { Timeline } from "../../scripts/owner/timeline.ts";
import { fuzz } from "./fuzzing.ts";

/** What `read` gives; null where it refuses. Rethrows all else. */
function unlessRefused<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof Unjoinable) return null;
    throw error;
  }
}

test("a segment's MP4 is refused, or its frames lie apart in it and make a file as long as they are", async () => {
  const counts = { refused: 0, parsed: 0, joined: 0 };
  await fuzz("mp4", (input) => {
    const parsed = unlessRefused(() => parseMp4(input));
    if (parsed === null) {
      counts.refused += 1;
      return;
    }
    counts.parsed += 1;
    const { video } = parsed;
    const { samples, avcC } = video;
    let bytes = 0;
    let [place, end] = [0, 0];
    for (const sample of samples) {
      assert.ok(sample.bytes > 0 && sample.offset >= place);
      assert.ok(sample.time >= end && sample.duration >= 0);
      place = sample.offset + sample.bytes;
      end = sample.time + sample.duration;
      bytes += sample.bytes;
    }
    assert.ok(place <= input.length && Number.isSafeInteger(end));
    const timeline = new Timeline(true);
    const part = { video, first: 0, end: samples.length, bootZero_us: 0, boot: 1 };
    const first = unlessRefused(() => timeline.add(part));
    assert.equal(first === null, unlessRefused(() => parameterSets(avcC)) === null);
    if (first === null || first === samples.length) {
      assert.throws(() => timeline.summary(), /no footage/);
      return;
    }
    counts.joined += 1;
    const { frames, video_bytes } = timeline.summary();
    assert.equal(frames, samples.length - first);
    assert.ok(video_bytes <= bytes);
    const { length } = timeline.head();
    assert.ok(length < 2_048 + input.length + 24 * frames);
  });
  console.log(counts);
  assert.ok(counts.refused > 0 && counts.joined > 0);
});
