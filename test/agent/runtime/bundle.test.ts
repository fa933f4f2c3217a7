/** The bundle in the engine: what it leaves behind, what it costs, and what it does to the engine's own globals. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createDouble } from "../double/double.ts";
import { bundleText, Engine } from "./engine.ts";

/** Heap of an unpaired camera from source, which keeps the source's text; bytecode takes about 0.7 MB less. */
const HEAP_BYTES = 2_700_000;

test("the bundle starts in a bare engine and gives the libraries their globals", async () => {
  const double = createDouble();
  const engine = await Engine.start(double.native);
  const bare = engine.heapBytes();
  engine.run(await bundleText());
  await double.clock.advance(10_000);
  assert.deepEqual(engine.defects, []);
  for (const name of [
    ...["process", "queueMicrotask", "setTimeout", "clearTimeout", "setInterval", "clearInterval"],
    ...["TextEncoder", "TextDecoder", "AbortController", "AbortSignal", "console"],
  ]) {
    assert.notEqual(engine.value(`typeof ${name}`), "undefined", name);
  }
  assert.match(double.log, /not paired/);
  const cost = engine.heapBytes() - bare;
  assert.ok(cost < HEAP_BYTES, `${cost} bytes of heap`);
  engine.dispose();
});

test("globals that the engine has already stay as they are", async () => {
  const double = createDouble();
  const engine = await Engine.start(double.native);
  engine.run("globalThis.console = 'mine'; globalThis.setTimeout = 'mine too';", "before.mjs");
  engine.run(await bundleText());
  assert.deepEqual(engine.value("[console, setTimeout]"), ["mine", "mine too"]);
  engine.dispose();
});

test("an exception of the agent is a defect that nobody swallows", async () => {
  const double = createDouble();
  const engine = await Engine.start(double.native);
  engine.run("native.setTimer(5, () => { throw new Error('on purpose'); });", "thrower.mjs");
  await double.clock.advance(10);
  assert.equal(engine.defects.length, 1);
  assert.match(engine.defects[0] ?? "", /on purpose/);
  engine.dispose();
});
