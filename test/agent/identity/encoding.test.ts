import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromBase64, fromHex, join, same, toHex } from "../../../agent/identity/encoding.ts";
import { check } from "../properties.ts";

test("hexadecimal is what Node says, both ways", () => {
  check(
    fc.property(fc.uint8Array(), (bytes) => {
      const hex = Buffer.from(bytes).toString("hex");
      assert.equal(toHex(bytes), hex);
      assert.deepEqual(fromHex(hex), bytes);
    }),
  );
});

test("base64 is what Node says", () => {
  check(
    fc.property(fc.uint8Array(), (bytes) => {
      assert.deepEqual(fromBase64(Buffer.from(bytes).toString("base64")), bytes);
    }),
  );
});

test("text that an encoder would not have made is refused", () => {
  for (const hex of ["0", "0g", "AB", "0x", " 0"]) assert.equal(fromHex(hex), null, hex);
  for (const base64 of ["A", "AA", "AA=A", "A===", "====", "AB==", "AAB=", "AA\n=", "A-_="]) {
    assert.equal(fromBase64(base64), null, base64);
  }
});

test("joining keeps order, and the same bytes are the same", () => {
  const joined = join(Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2, 3));
  assert.deepEqual(joined, Uint8Array.of(1, 2, 3));
  assert.ok(same(joined, Uint8Array.of(1, 2, 3)));
  assert.ok(!same(joined, Uint8Array.of(1, 2, 4)));
  assert.ok(!same(joined, Uint8Array.of(1, 2)));
});
