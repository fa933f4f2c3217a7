/** The stand-ins for globals, each over the double. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { AbortController } from "../../../agent/runtime/abort.ts";
import { consoleFor } from "../../../agent/runtime/console.ts";
import { processFor } from "../../../agent/runtime/process.ts";
import { textDecoderFor, textEncoderFor } from "../../../agent/runtime/text.ts";
import { timersFor } from "../../../agent/runtime/timers.ts";
import { createDouble } from "../double/double.ts";

test("a timeout runs once, after its time, with its arguments", async () => {
  const { native, clock } = createDouble();
  const { setTimeout } = timersFor(native);
  const ran: unknown[] = [];
  setTimeout((...args) => ran.push(...args), 50, "a", 1);
  await clock.advance(49);
  assert.deepEqual(ran, []);
  await clock.advance(1_000);
  assert.deepEqual(ran, ["a", 1]);
});

test("delays that are missing, negative, not whole or too long are taken as a browser takes them", async () => {
  const { native, clock } = createDouble();
  const { setTimeout } = timersFor(native);
  let ran = 0;
  for (const ms of [undefined, -5, Number.NaN, 0.4]) setTimeout(() => ran++, ms);
  await clock.advance(1);
  assert.equal(ran, 4);
  setTimeout(() => ran++, 1e12);
  await clock.advance(1_000);
  assert.equal(ran, 4);
});

test("a cleared timeout or interval never runs, from inside or outside", async () => {
  const { native, clock } = createDouble();
  const { setTimeout, clearTimeout, setInterval, clearInterval } = timersFor(native);
  let ran = 0;
  const timeout = setTimeout(() => ran++, 10);
  clearTimeout(timeout);
  clearTimeout(timeout);
  clearTimeout(undefined);
  clearTimeout(null);
  await clock.advance(100);
  assert.equal(ran, 0);
  const interval = setInterval(() => {
    ran += 1;
    if (ran === 3) clearInterval(interval);
  }, 10);
  await clock.advance(1_000);
  assert.equal(ran, 3);
  const other = setInterval(() => ran++, 10);
  await clock.advance(25);
  clearInterval(other);
  await clock.advance(1_000);
  assert.equal(ran, 5);
  assert.equal(clock.timers, 0, "nothing is left behind");
});

test("an interval of nothing leaves the loop time for others", async () => {
  const { native, clock } = createDouble();
  const { setInterval, clearInterval } = timersFor(native);
  let rounds = 0;
  const interval = setInterval(() => rounds++, 0);
  await clock.advance(10);
  clearInterval(interval);
  assert.equal(rounds, 10);
});

test("texts are encoded and decoded as the standard says", () => {
  const { native } = createDouble();
  const encoder = new (textEncoderFor(native))();
  const Decoder = textDecoderFor(native);
  for (const text of ["", "plain", "Grüße", "日本", "😀", "\0", "a\ufffdb", "\ufeffx"]) {
    const bytes = encoder.encode(text);
    assert.deepEqual(bytes, new TextEncoder().encode(text));
    assert.equal(new Decoder().decode(bytes), new TextDecoder().decode(bytes));
    const strict = new Decoder("utf-8", { fatal: true, ignoreBOM: true });
    assert.equal(strict.decode(bytes), text);
  }
  assert.equal(encoder.encode().length, 0);
  assert.equal(new Decoder().decode(), "");
});

test("malformed bytes become U+FFFD, or throw where that was asked for", () => {
  const { native } = createDouble();
  const Decoder = textDecoderFor(native);
  for (const bytes of [[0xff], [0xc3], [0x61, 0xe2, 0x82], [0xed, 0xa0, 0x80], [0xc0, 0x80]]) {
    const given = Uint8Array.from(bytes);
    assert.equal(new Decoder().decode(given), new TextDecoder().decode(given));
    assert.throws(() => new Decoder("utf8", { fatal: true }).decode(given), TypeError);
  }
  assert.throws(() => new Decoder("latin1"), RangeError);
});

test("the console goes into the log by level", () => {
  const double = createDouble();
  const console = consoleFor(double.native);
  console.debug("d");
  console.log("l", 1);
  console.warn("w", new RangeError("too far"));
  console.error("e", null, undefined);
  assert.deepEqual(double.logged, [
    { level: "debug", line: "d" },
    { level: "info", line: "l 1" },
    { level: "warning", line: "w RangeError: too far" },
    { level: "error", line: "e null undefined" },
  ]);
});

test("nextTick runs later, in order, with its arguments", async () => {
  const { nextTick } = processFor((callback) => void Promise.resolve().then(callback));
  const ran: unknown[] = [];
  nextTick((...args) => ran.push(...args), 1, 2);
  nextTick(() => ran.push(3));
  assert.deepEqual(ran, []);
  await Promise.resolve();
  await Promise.resolve();
  assert.deepEqual(ran, [1, 2, 3]);
});

test("an abort is seen on its signal", () => {
  const controller = new AbortController();
  assert.equal(controller.signal.aborted, false);
  controller.abort();
  assert.equal(controller.signal.aborted, true);
});
