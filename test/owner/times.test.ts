import assert from "node:assert/strict";
import { test } from "node:test";
import { parseTime, showBytes, showDuration } from "../../scripts/owner/times.ts";

// Noon local time, whatever the zone, so that "today" and "yesterday" have known answers.
const NOON = new Date(2026, 4, 14, 12, 0, 0);
const NOW_US = NOON.getTime() * 1000;
const local = (...at: [number, number, number, number?, number?, number?]) =>
  new Date(at[0], at[1] - 1, at[2], at[3] ?? 0, at[4] ?? 0, at[5] ?? 0).getTime() * 1000;

const TIMES: readonly [string, number][] = [
  ["now", NOW_US],
  ["-10m", NOW_US - 600e6],
  ["-1h30m", NOW_US - 5400e6],
  ["-90s", NOW_US - 90e6],
  ["-1.5h", NOW_US - 5400e6],
  ["-2d", NOW_US - 172_800e6],
  ["today", local(2026, 5, 14)],
  ["today 14:00", local(2026, 5, 14, 14)],
  ["yesterday 7:05:09", local(2026, 5, 13, 7, 5, 9)],
  ["9:30", local(2026, 5, 14, 9, 30)],
  ["9:30:01.25", local(2026, 5, 14, 9, 30, 1) + 250_000],
  ["2026-05-01", local(2026, 5, 1)],
  ["2026-05-01T14:00", local(2026, 5, 1, 14)],
  ["2026-05-01 14:00:30", local(2026, 5, 1, 14, 0, 30)],
  ["2026-05-01T14:00:30Z", Date.UTC(2026, 4, 1, 14, 0, 30) * 1000],
  ["2026-05-01T14:00:30.5+02:00", Date.UTC(2026, 4, 1, 12, 0, 30, 500) * 1000],
];

for (const [text, expected] of TIMES) {
  test(`the time "${text}" is read`, () => assert.equal(parseTime(text, NOW_US), expected));
}

test("a time after another is read only where there is one", () => {
  assert.equal(parseTime("+30s", NOW_US, 5e6), 35e6);
  assert.throws(() => parseTime("+30s", NOW_US), /not a time/);
});

for (const text of ["", "soon", "-10", "10m", "25:00", "12:60", "2026-13-01", "today at", "-"]) {
  test(`"${text}" is refused as a time, with what to write instead`, () =>
    assert.throws(() => parseTime(text, NOW_US), /is not a time; write/));
}

test("lengths and sizes are shown in units that fit", () => {
  assert.equal(showDuration(4_200_000), "4.2 s");
  assert.equal(showDuration(200e6), "3 min 20 s");
  assert.equal(showDuration(7_500e6), "2 h 5 min");
  assert.equal(showBytes(999), "999 B");
  assert.equal(showBytes(1_234_567), "1.2 MB");
});
