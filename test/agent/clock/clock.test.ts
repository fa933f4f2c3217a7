import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Clock } from "../../../agent/clock/clock.ts";
import { check } from "../properties.ts";

const BUILD_S = 1_780_000_000;
const NOW_S = 1_795_000_000;
const SECOND = 1_000_000;

function clock(floorUs = 0): Clock {
  return new Clock({ buildTimeS: BUILD_S, floorUs });
}

/** An answer that took `tripUs`, whose Date fits `wallS` at the moment it was made, half way. */
function seen(atUs: number, wallS: number, tripUs = 100_000, skewed = false) {
  return { dateS: Math.floor(wallS), sentUs: atUs - tripUs, receivedUs: atUs, skewed };
}

function known(atUs = 10 * SECOND, wallS = NOW_S): Clock {
  const made = clock();
  made.observe(seen(atUs, wallS));
  made.confirm();
  return made;
}

test("before anything is known the floor signs requests, judges certificates and dates no footage", () => {
  const unknown = clock();
  assert.equal(unknown.state, "unknown");
  assert.equal(unknown.signingUs(9e6), BUILD_S * SECOND);
  assert.deepEqual(unknown.tlsTime(9e6), { seconds: BUILD_S, known: false });
  assert.deepEqual(unknown.wall(9e6), { wallUs: 0, quality: "unknown" });
  assert.equal(unknown.finalFloor(9e6), null);
});

test("the floor is the later of build time and what was persisted", () => {
  assert.equal(clock(5).floorUs, BUILD_S * SECOND);
  assert.equal(clock(NOW_S * SECOND).floorUs, NOW_S * SECOND);
});

test("an adopted time signs and judges at once, but dates footage only after a handshake that it judged", () => {
  const adopting = clock();
  assert.equal(adopting.observe(seen(10 * SECOND, NOW_S)), "adopted");
  assert.equal(adopting.state, "provisional");
  assert.deepEqual(adopting.tlsTime(12 * SECOND), { seconds: NOW_S + 2, known: true });
  assert.equal(adopting.wall(10 * SECOND).quality, "unknown");
  assert.equal(adopting.finalFloor(10 * SECOND), null);
  adopting.confirm();
  assert.equal(adopting.state, "known");
  assert.equal(adopting.wall(10 * SECOND).quality, "store");
});

test("a time that no certificate passes is given up, a known one stays", () => {
  const refuted = clock();
  refuted.observe(seen(10 * SECOND, NOW_S));
  refuted.refute();
  assert.equal(refuted.state, "unknown");
  assert.deepEqual(refuted.tlsTime(9e6), { seconds: BUILD_S, known: false });
  const sure = known();
  sure.refute();
  assert.equal(sure.state, "known");
});

test("confirming while nothing was adopted changes nothing", () => {
  const unknown = clock();
  unknown.confirm();
  assert.equal(unknown.state, "unknown");
});

test("a Date before the floor or after 2100 is never taken", () => {
  const floor = clock(NOW_S * SECOND);
  assert.equal(floor.observe(seen(SECOND, NOW_S - 1)), "refused");
  assert.equal(floor.observe(seen(SECOND, NOW_S - 1, 100_000, true)), "refused", "skewed or not");
  assert.equal(floor.observe(seen(SECOND, 4_102_444_801)), "refused");
  assert.equal(floor.state, "unknown");
  assert.equal(floor.observe(seen(SECOND, NOW_S)), "adopted");
});

test("captures before the time was known are dated as well", () => {
  const late = known(100 * SECOND, NOW_S);
  const { wallUs } = late.wall(40 * SECOND);
  assert.ok(Math.abs(wallUs - (NOW_S - 60) * SECOND) < SECOND);
});

test("further Dates narrow the time down and never make it jitter", () => {
  const made = known(10 * SECOND, NOW_S);
  const first = made.wall(0).wallUs;
  let moves = 0;
  let before = first;
  for (let i = 1; i < 200; i++) {
    const atUs = 10 * SECOND + i * 4.03 * SECOND;
    assert.equal(made.observe(seen(atUs, NOW_S + 0.3 + i * 4.03)), "agrees");
    const { wallUs } = made.wall(0);
    if (wallUs !== before) moves += 1;
    before = wallUs;
  }
  assert.ok(moves <= 30, `${moves} moves`);
  assert.ok(Math.abs(before - (NOW_S + 0.3 - 10) * SECOND) < 200_000, "within 0.2 s");
});

test("whatever the rounding and the way, the time stays within a second of the store's", () => {
  check(
    fc.property(
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.array(
        fc.record({
          gapUs: fc.integer({ min: 0, max: 600 * SECOND }),
          outUs: fc.integer({ min: 0, max: 400_000 }),
          backUs: fc.integer({ min: 0, max: 400_000 }),
        }),
        { minLength: 1, maxLength: 60 },
      ),
      fc.double({ min: -100e-6, max: 100e-6, noNaN: true }),
      (fraction, requests, drift) => {
        const made = clock();
        const wallAt = (us: number) => (NOW_S + fraction) * SECOND + us * (1 + drift);
        let atUs = 0;
        for (const { gapUs, outUs, backUs } of requests) {
          const sentUs = atUs + gapUs;
          const servedUs = sentUs + outUs;
          atUs = servedUs + backUs;
          const dateS = Math.floor(wallAt(servedUs) / SECOND);
          const did = made.observe({ dateS, sentUs, receivedUs: atUs, skewed: false });
          assert.notEqual(did, "doubted");
          assert.notEqual(did, "refused");
          made.confirm();
          const error = Math.abs(made.wall(atUs).wallUs - wallAt(atUs));
          assert.ok(error <= 1_000_000, `${error} µs off`);
        }
      },
    ),
  );
});

test("one odd Date is doubted, three that agree are taken, and the time is provisional again", () => {
  const made = known();
  assert.equal(made.observe(seen(20 * SECOND, NOW_S + 500)), "doubted");
  assert.equal(made.wall(20 * SECOND).quality, "store");
  assert.equal(made.observe(seen(21 * SECOND, NOW_S + 11)), "agrees");
  assert.equal(made.observe(seen(22 * SECOND, NOW_S + 502)), "doubted");
  assert.equal(
    made.observe(seen(23 * SECOND, NOW_S + 503)),
    "doubted",
    "agreement in between counts anew",
  );
  assert.equal(made.observe(seen(24 * SECOND, NOW_S + 504)), "adopted");
  assert.equal(made.state, "provisional");
});

test("odd Dates that contradict each other are not taken", () => {
  const made = known();
  for (let i = 0; i < 20; i++)
    assert.equal(made.observe(seen((20 + i) * SECOND, NOW_S + 5000 * (i + 1))), "doubted");
  assert.equal(made.state, "known");
});

test("a store that refuses because of the time is believed at once", () => {
  const made = known();
  assert.equal(made.observe(seen(20 * SECOND, NOW_S - 4000, 100_000, true)), "adopted");
  made.confirm();
  assert.ok(Math.abs(made.wall(20 * SECOND).wallUs - (NOW_S - 4000) * SECOND) < SECOND);
});

const DAY = 86_400 * SECOND;

/** A clock whose store has kept to its time for a day and a minute. */
function settled(floorUs = 0): { clock: Clock; nowUs: number; wallS: number } {
  const made = clock(floorUs);
  made.observe(seen(10 * SECOND, NOW_S));
  made.confirm();
  const nowUs = DAY + 70 * SECOND;
  const wallS = NOW_S + 86_460;
  assert.equal(made.observe(seen(nowUs, wallS)), "agrees");
  return { clock: made, nowUs, wallS };
}

test("the floor follows after the store has kept to its time for a day, then hourly, a minute behind", () => {
  const { clock: made, nowUs, wallS } = settled();
  const first = made.floorToPersist(nowUs);
  assert.ok(first !== null && Math.abs(first - (wallS - 60) * SECOND) < SECOND);
  made.persisted(first, nowUs);
  assert.equal(made.floorToPersist(nowUs + 3_599 * SECOND), null);
  const second = made.floorToPersist(nowUs + 3_600 * SECOND);
  assert.ok(second !== null && second > first);
  made.persisted(second, nowUs + 3_600 * SECOND);
  assert.equal(made.finalFloor(nowUs + 3_600 * SECOND), null, "only forward");
  assert.ok((made.finalFloor(nowUs + 3_700 * SECOND) ?? 0) > second);
});

test("before that day is over the floor stays, at the end of the boot too", () => {
  const made = known();
  made.observe(seen(DAY, NOW_S + 86_390));
  assert.equal(made.floorToPersist(DAY), null);
  assert.equal(made.finalFloor(DAY + 3_600 * SECOND), null, "hours without the store do not count");
});

test("a doubt, and a time that was set anew, begin the day anew", () => {
  const { clock: made, nowUs, wallS } = settled();
  made.observe(seen(nowUs + SECOND, wallS + 500));
  assert.equal(made.floorToPersist(nowUs + SECOND), null);
  made.observe(seen(nowUs + 2 * SECOND, wallS + 502, 100_000, true));
  made.confirm();
  assert.equal(made.finalFloor(nowUs + 3 * SECOND), null);
});

test("a store that was months ahead for some hours leaves no floor that refuses the right time", () => {
  const wrong = known(10 * SECOND, NOW_S + 200 * 86_400);
  wrong.observe(seen(6 * 3_600 * SECOND, NOW_S + 200 * 86_400 + 6 * 3_600));
  assert.equal(wrong.finalFloor(6 * 3_600 * SECOND), null);
  assert.equal(clock().observe(seen(SECOND, NOW_S)), "adopted");
});

test("a floor persisted in an earlier boot is not persisted lower", () => {
  const { clock: made, nowUs } = settled((NOW_S - 30) * SECOND);
  assert.ok(made.floorToPersist(nowUs) !== null);
  const later = clock((NOW_S - 30) * SECOND);
  later.observe(seen(10 * SECOND, NOW_S));
  later.confirm();
  assert.equal(later.floorToPersist(10 * SECOND), null);
});

test("a persisted floor refuses from then on what is older", () => {
  const made = known();
  made.persisted((NOW_S - 60) * SECOND, 10 * SECOND);
  assert.equal(made.observe(seen(20 * SECOND, NOW_S - 120, 100_000, true)), "refused");
});
