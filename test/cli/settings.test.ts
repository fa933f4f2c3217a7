/** Settings and the log as their reader sees them: ranges as the camera judges them, times as the owner's clock has them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { changeSettings, DEFAULT_SETTINGS, settingsToWire } from "../../agent/settings/settings.ts";
import { showLog } from "../../scripts/cli/log.ts";
import {
  parseSettings,
  settingsHelp,
  settingsJson,
  showChanged,
  showSettings,
} from "../../scripts/cli/settings.ts";
import { showTime } from "../../scripts/owner/times.ts";
import { succeeds } from "./support/ocellus.ts";

test("the help lists every setting with range, unit and default, and the camera takes just those", async () => {
  const help = await succeeds(["send", "front", "settings", "--help"]);
  assert.ok(help.includes(settingsHelp()));
  const takes = (typed: string) =>
    !("mistake" in changeSettings(DEFAULT_SETTINGS, parseSettings([typed])));
  const names = Object.keys(settingsJson(null)).filter((name) => name !== "generation");
  assert.equal(names.length, Object.keys(DEFAULT_SETTINGS).length - 1);
  for (const name of names) {
    const row = help.split("\n").find((line) => line.startsWith(`  ${name} `)) ?? "";
    const [, low, high, unit, zero] =
      /(\d+) to (\d+) (.*?)(, or 0 for the encoder's own)?; default/.exec(row) ?? [];
    if (low === undefined) {
      assert.match(row, /on or off; default (on|the encoder's own): \w/);
      for (const value of ["on", "off"]) assert.ok(takes(`${name}=${value}`));
      continue;
    }
    assert.match(row, /; default (\d+ \w|the encoder's own).*: \w/);
    assert.ok(unit);
    for (const edge of [low, high]) assert.ok(takes(`${name}=${edge}`), row);
    assert.ok(!takes(`${name}=${Number(high) + 1}`), row);
    assert.equal(takes(`${name}=0`), zero !== undefined, row);
    if (low !== "1") assert.ok(!takes(`${name}=${Number(low) - 1}`), row);
  }
});

test("settings in force are shown with units, and against their defaults", () => {
  const set = changeSettings(DEFAULT_SETTINGS, { segmentS: 10, bitrateKbps: 800, flip: true });
  assert.ok(!("mistake" in set));
  assert.deepEqual(showSettings(settingsToWire(set)).split("\n"), [
    "segment_s             10 seconds (default 4 seconds)",
    "name_classes          on (default)",
    "status_max_silence_s  60 seconds (default)",
    "bitrate_kbps          800 kbit/s (default the encoder's own)",
    "frame_rate            the encoder's own (default)",
    "flip                  on (default the encoder's own)",
  ]);
  assert.equal(
    showChanged(settingsToWire(set)),
    "segment_s 10 seconds, bitrate_kbps 800 kbit/s, flip on; all else at its default",
  );
  assert.equal(showChanged(settingsToWire(DEFAULT_SETTINGS)), "all at their defaults");
});

test("times of the log are local ones where power-on is known, and others' lines stay as they are", () => {
  const log =
    "[    3.700000] end of the boot before\n3671.250000 agent info\n12.5 no stamp\nx 1.000000 y\n";
  const zero_us = 1_770_000_000_000_000;
  assert.equal(
    showLog(log, zero_us),
    `[    3.700000] end of the boot before\n${showTime(zero_us + 3671e6)}.250 agent info\n12.5 no stamp\nx 1.000000 y`,
  );
  assert.equal(showLog("3671.250000 agent info\n", null), "+1 h 1 min agent info");
});
