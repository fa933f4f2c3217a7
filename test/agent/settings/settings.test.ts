import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  changeSettings,
  DEFAULT_SETTINGS,
  type Settings,
  settingsFromFile,
  settingsToWire,
} from "../../../agent/settings/settings.ts";
import { check } from "../properties.ts";

function changed(patch: Parameters<typeof changeSettings>[1], from = DEFAULT_SETTINGS): Settings {
  const next = changeSettings(from, patch);
  assert.ok(!("mistake" in next), JSON.stringify(next));
  return next;
}

test("a partial change leaves the rest and raises the generation by one", () => {
  const first = changed({ segmentS: 10, flip: true });
  assert.deepEqual(first, { ...DEFAULT_SETTINGS, generation: 1, segmentS: 10, flip: true });
  const second = changed({ bitrateKbps: 512, nameClasses: false }, first);
  assert.deepEqual(second, { ...first, generation: 2, bitrateKbps: 512, nameClasses: false });
});

test("a change that changes nothing keeps the generation", () => {
  const first = changed({ segmentS: 10 });
  assert.equal(changed({ segmentS: 10 }, first), first);
  assert.equal(changed({}, first), first);
});

test("zero gives the encoder its own value back, false is not absent", () => {
  const first = changed({ bitrateKbps: 512, frameRate: 20, flip: true, nameClasses: false });
  const second = changed({ bitrateKbps: 0, frameRate: 0, flip: false }, first);
  assert.equal(second.bitrateKbps, 0);
  assert.equal(second.frameRate, 0);
  assert.equal(second.flip, false);
  assert.equal(second.nameClasses, false);
});

test("the edges of each range are taken, beyond them a sentence names the field", () => {
  const ranges = [
    ["segmentS", "segment_s", 4, 30],
    ["statusMaxSilenceS", "status_max_silence_s", 10, 3600],
    ["bitrateKbps", "bitrate_kbps", 64, 20_000],
    ["frameRate", "frame_rate", 1, 60],
  ] as const;
  for (const [key, name, low, high] of ranges) {
    assert.equal(changed({ [key]: low })[key], low);
    assert.equal(changed({ [key]: high })[key], high);
    const belowLow = low === 1 ? high + 2 : low - 1;
    for (const wrong of [belowLow, high + 1, 0xffff_ffff]) {
      const next = changeSettings(DEFAULT_SETTINGS, { [key]: wrong, nameClasses: false });
      assert.ok("mistake" in next, `${name} ${wrong}`);
      assert.ok(next.mistake.startsWith(name) && next.mistake.includes(`${wrong}`), next.mistake);
    }
  }
  assert.ok("mistake" in changeSettings(DEFAULT_SETTINGS, { segmentS: 0 }));
});

test("a newer schema is refused", () => {
  assert.ok("mistake" in changeSettings(DEFAULT_SETTINGS, { schema: 2, segmentS: 5 }));
  assert.equal(changed({ schema: 1, segmentS: 5 }).segmentS, 5);
});

test("whatever was set comes back from the file", () => {
  const settings = fc.record(
    {
      segmentS: fc.integer({ min: 4, max: 30 }),
      nameClasses: fc.boolean(),
      statusMaxSilenceS: fc.integer({ min: 10, max: 3600 }),
      bitrateKbps: fc.constantFrom(0, 64, 20_000),
      frameRate: fc.constantFrom(0, 1, 60),
      flip: fc.constantFrom(null, true, false),
      generation: fc.integer({ min: 0, max: 0xffff_ffff }),
    },
    { noNullPrototype: true },
  );
  check(
    fc.property(settings, (given) => {
      assert.deepEqual(settingsFromFile(settingsToWire(given)), given);
    }),
  );
});

test("a file with a value out of range is a mistake as a whole", () => {
  assert.ok("mistake" in settingsFromFile({ schema: 1, generation: 3, segmentS: 99 }));
});
