import assert from "node:assert/strict";
import { test } from "node:test";
import { reset, resetIsDue } from "../../../agent/identity/reset.ts";
import type { NativeError } from "../../../agent/runtime/native.d.ts";
import { createDouble } from "../double/double.ts";

const EVERY_FILE = [
  ...["identity", "adoption", "recipients", "access", "settings", "counters", "chain", "seed"],
  "defect",
];

function fullState(): Map<string, Uint8Array> {
  return new Map(EVERY_FILE.map((name) => [name, Uint8Array.of(1, 2, 3)]));
}

test("a reset leaves nothing", () => {
  const double = createDouble({ state: fullState() });
  assert.equal(reset(double.native), null);
  assert.deepEqual([...double.state.keys()], []);
});

test("cut at any operation, a reset is finished by the next start", () => {
  for (let cut = 0; ; cut++) {
    const double = createDouble({ state: fullState() });
    let operations = 0;
    const cutting = {
      ...double.native,
      writeState: (name: string, bytes: Uint8Array) => {
        if (operations++ >= cut) throw new Error("power cut");
        return double.native.writeState(name, bytes);
      },
      eraseState: (name: string) => {
        if (operations++ >= cut) throw new Error("power cut");
        return double.native.eraseState(name);
      },
    };
    let finished = true;
    try {
      reset(cutting);
    } catch {
      finished = false;
    }
    if (finished) {
      assert.equal(cut, 11, "one write, ten erasures");
      return;
    }
    if (cut === 0) assert.equal(double.state.size, EVERY_FILE.length, "no intent: nothing is gone");
    else assert.equal(resetIsDue(double.native), true, `cut at ${cut}: the intent is forgotten`);
    reset(createDouble({ state: double.state }).native);
    assert.deepEqual([...double.state.keys()], []);
  }
});

test("a file that cannot be erased keeps the intent and not the other files", () => {
  const double = createDouble({ state: fullState() });
  const error: NativeError = { error: "io", text: "bad block" };
  const native = {
    ...double.native,
    eraseState: (name: string) => (name === "access" ? error : double.native.eraseState(name)),
  };
  assert.deepEqual(reset(native), error);
  assert.deepEqual([...double.state.keys()].sort(), ["access", "reset"]);
});

test("an intent that cannot be read is an error, not an intent: nothing may be erased for it", () => {
  const error: NativeError = { error: "io", text: "bad block" };
  const native = { ...createDouble({ state: fullState() }).native, readState: () => error };
  assert.deepEqual(resetIsDue(native), error);
});
