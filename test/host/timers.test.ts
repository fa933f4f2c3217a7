/** Timers: order, turns, and what may be done from within them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { everywhere, run, start, variants } from "./support/camera.ts";

/** Cheap enough for the camera's own code under emulation too. */
for (const variant of everywhere) {
  test(`timers fire in the order of their times, equals in that of setting (${variant})`, async (t) => {
    const camera = await run(t, { variant }, (native, _given, { out }) => {
      const order: string[] = [];
      const numbers = [30, 10, 20, 10, 0].map((ms, i) =>
        native.setTimer(ms, () => order.push(`${ms}/${i}`)),
      );
      order.push("first turn");
      native.setTimer(60, () => {
        out("order", { order, distinct: new Set(numbers).size });
        native.exit(0);
      });
    });
    const { order, distinct } = camera.result<{ order: string[]; distinct: number }>("order");
    assert.deepEqual(order, ["first turn", "0/4", "10/1", "10/3", "20/2", "30/0"]);
    assert.equal(distinct, 5);
  });

  test(`a timer never fires early, and once (${variant})`, async (t) => {
    const camera = await run(t, { variant }, (native, _given, { out }) => {
      const late: number[] = [];
      let left = 40;
      for (let i = 0; i < 40; i++) {
        const ms = (i * 7) % 50;
        const due = native.monotonicUs() + ms * 1000;
        native.setTimer(ms, () => {
          late.push(native.monotonicUs() - due);
          left--;
        });
      }
      native.setTimer(200, () => {
        out("late", { least: Math.min(...late), count: late.length, left });
        native.exit(0);
      });
    });
    const { least, count, left } = camera.result<Record<string, number>>("late");
    assert.ok((least ?? -1) >= 0, `${least} µs`);
    assert.deepEqual([count, left], [40, 0]);
  });
}

for (const variant of variants) {
  test(`a cleared timer does not fire, though it is due already (${variant})`, async (t) => {
    await run(t, { variant }, (native) => {
      const fail = () => {
        throw new Error("fired");
      };
      const wait = native.monotonicUs() + 5000;
      let second = 0;
      native.setTimer(0, () => native.clearTimer(second));
      second = native.setTimer(1, fail);
      const third = native.setTimer(2, fail);
      while (native.monotonicUs() < wait); // all of them are due in one pass
      native.clearTimer(third);
      native.clearTimer(third);
      native.clearTimer(12345);
      native.setTimer(20, () => native.exit(0));
    });
  });

  test(`timers of 0 ms, set over and over, let signals through (${variant})`, async (t) => {
    const camera = await start(t, { variant }, (native) => {
      const again = () => {
        native.setTimer(0, again);
      };
      again();
      native.onStop(() => native.exit(0));
      native.log("info", "ready");
    });
    await camera.said(/ready/);
    camera.child.kill("SIGTERM");
    await camera.ended(0);
  });

  test(`jobs of a turn run before the next turn (${variant})`, async (t) => {
    const camera = await run(t, { variant }, (native, _given, { out }) => {
      const order: string[] = [];
      const say = (what: string) => () => order.push(what);
      native.setTimer(0, () => {
        order.push("a");
        Promise.resolve().then(say("a job")).then(say("a later job"));
      });
      native.setTimer(0, say("b"));
      native.setTimer(30, () => {
        out("order", order);
        native.exit(0);
      });
    });
    assert.deepEqual(camera.result("order"), ["a", "a job", "a later job", "b"]);
  });

  test(`wrong arguments of timers throw (${variant})`, async (t) => {
    const camera = await run(t, { variant }, (native, _given, { out, thrown }) => {
      const set = native.setTimer as (...given: unknown[]) => number;
      const clear = native.clearTimer as (...given: unknown[]) => void;
      const nothing = () => undefined;
      out("thrown", [
        thrown(() => set("1", nothing)),
        thrown(() => set(-1, nothing)),
        thrown(() => set(1.5, nothing)),
        thrown(() => set(2 ** 31, nothing)),
        thrown(() => set(Number.NaN, nothing)),
        thrown(() => set(1, "code")),
        thrown(() => set(1)),
        thrown(() => clear(undefined)),
        thrown(() => native.clearTimer(native.setTimer(2 ** 31 - 1, nothing))),
      ]);
      native.exit(0);
    });
    const kinds = camera.result<string[]>("thrown").map((text) => text.split(":")[0]);
    const [range, type] = ["RangeError", "TypeError"];
    assert.deepEqual(kinds, [type, range, range, range, range, type, type, type, "nothing"]);
  });
}
