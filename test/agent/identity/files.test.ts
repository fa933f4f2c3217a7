import assert from "node:assert/strict";
import { test } from "node:test";
import { ocellus } from "#proto";
import { join } from "../../../agent/identity/encoding.ts";
import { checked, files, withCheck } from "../../../agent/identity/files.ts";
import { createDouble } from "../double/double.ts";

const counters = { boot: 7, timeFloorUs: 1_790_000_000_000_000, recipientsVersion: 3 };

test("a file is its message and the first eight bytes of its SHA-256", () => {
  const { native, state, crypto } = createDouble();
  assert.equal(files.counters.save(native, counters), null);
  const file = state.get("counters");
  assert.ok(file);
  const message = file.subarray(0, file.length - 8);
  assert.deepEqual(file.subarray(-8), crypto.sha256(message).subarray(0, 8));
  // Counters: field 1 varint 7.
  assert.deepEqual(message.subarray(0, 2), Uint8Array.of(0x08, 7));
});

test("what was saved is loaded", () => {
  const { native } = createDouble();
  files.counters.save(native, counters);
  const loaded = files.counters.load(native);
  assert.equal(loaded.is, "ok");
  if (loaded.is === "ok") assert.deepEqual({ ...loaded.value }, counters);
});

test("a missing file is absent, not bad", () => {
  const { native } = createDouble();
  assert.deepEqual(files.identity.load(native), { is: "absent" });
});

test("every flipped bit and every cut is noticed and named", () => {
  const { native, state } = createDouble();
  files.counters.save(native, counters);
  const good = state.get("counters") ?? new Uint8Array(0);
  for (let bit = 0; bit < good.length * 8; bit++) {
    const rotten = good.slice();
    rotten[bit >> 3] = (rotten[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    state.set("counters", rotten);
    assert.equal(files.counters.load(native).is, "bad", `bit ${bit}`);
  }
  for (let length = 0; length < good.length; length++) {
    state.set("counters", good.slice(0, length));
    const loaded = files.counters.load(native);
    assert.ok(loaded.is === "bad" && loaded.why.includes(`"counters"`), `${length} bytes`);
  }
});

test("a file that cannot be read is bad and says why", () => {
  const double = createDouble();
  double.stateError = { error: "io", text: "input/output error" };
  const loaded = files.settings.load(double.native);
  assert.ok(loaded.is === "bad" && loaded.why.includes("input/output error"));
});

test("a file whose check fits but whose message has a critical field of a newer version is bad", () => {
  const { native, state } = createDouble();
  // Field 64, varint 1.
  state.set("counters", withCheck(native, Uint8Array.of(0x08, 7, 0x80, 0x04, 1)));
  assert.equal(files.counters.load(native).is, "bad");
  // Field 63 is not critical.
  state.set("counters", withCheck(native, Uint8Array.of(0x08, 7, 0xf8, 0x03, 1)));
  assert.equal(files.counters.load(native).is, "ok");
});

test("fields of a newer version outlive what this one writes, in what it makes itself", () => {
  const { native, state } = createDouble();
  // Field 63, varint 1; field 200, two bytes.
  const newer = Uint8Array.of(0xf8, 0x03, 1, 0xc2, 0x0c, 2, 7, 7);
  const put = (name: string, message: Uint8Array) =>
    state.set(name, withCheck(native, join(message, newer)));
  const message = (name: string) => checked(native, state.get(name) ?? new Uint8Array(0));
  put("counters", Uint8Array.of(0x08, 7));
  files.counters.save(native, { ...counters, boot: 8 });
  files.counters.save(native, { ...counters, boot: 9 });
  const { Counters } = ocellus.v1;
  const expected = join(Counters.encode({ ...counters, boot: 9 }).finish(), newer);
  assert.deepEqual(message("counters"), expected);
  const again = files.counters.load(native);
  assert.ok(again.is === "ok" && again.value.boot === 9);
  for (const name of ["identity", "access", "settings"] as const) {
    put(name, new Uint8Array(0));
    files[name].save(native, {});
    assert.deepEqual(message(name), newer, name);
  }
  // A new list has its own fields, and signed.
  put("recipients", new Uint8Array(0));
  files.recipients.save(native, {});
  assert.deepEqual(message("recipients"), new Uint8Array(0));
});

test("of a damaged file nothing is kept", () => {
  const { native, state } = createDouble();
  state.set("settings", Uint8Array.of(0xf8, 0x03, 1, 0, 0, 0, 0, 0, 0, 0, 0));
  files.settings.save(native, { generation: 1 });
  const message = checked(native, state.get("settings") ?? new Uint8Array(0));
  // Field 2, varint 1.
  assert.deepEqual(message, Uint8Array.of(0x10, 1));
});

test("the check does not fit an empty or foreign file", () => {
  const { native } = createDouble();
  assert.equal(checked(native, new Uint8Array(0)), null);
  assert.equal(checked(native, new Uint8Array(7)), null);
  assert.equal(checked(native, new Uint8Array(64)), null);
});
