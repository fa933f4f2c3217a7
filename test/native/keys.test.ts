/** Where the camera's keys come from, byte by byte, and when a segment's memory no longer holds them. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import nacl from "tweetnacl";
import { command, type Variant } from "./support/programs.ts";

/** The clock of test/native/keys.c. */
const NOW_US = 1_234_567n;
const VARIANTS: readonly Variant[] = ["asan", "mipsel"];

async function run(variant: Variant, ...args: string[]): Promise<string[]> {
  const { file, before, env } = await command(variant, "keys");
  const { status, stdout, stderr } = spawnSync(file, [...before, ...args], {
    env,
    encoding: "utf8",
  });
  assert.equal(status, 0, stderr);
  return stdout.trimEnd().split("\n");
}

const u64 = (value: bigint) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
};

/** HMAC of agent/seal/FORMAT.md, "Keys"; `seed` and `generator` are bytes that repeat. */
function hedged(label: string, middle: Uint8Array, seed: number, generator: number): Buffer {
  return createHmac("sha256", Buffer.alloc(32, seed))
    .update(`${label}\0`)
    .update(middle)
    .update(Buffer.alloc(32, generator))
    .update(u64(NOW_US))
    .digest();
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

for (const variant of VARIANTS) {
  test(`an object's key hangs on the device seed, the generator, its nonce and the time (${variant})`, async () => {
    for (const [seed, generator] of [
      [1, 2],
      [1, 3],
      [4, 2],
    ] as const) {
      const key = hex(hedged("ocellus/v1/key", Buffer.alloc(24), seed, generator));
      assert.deepEqual(await run(variant, "object", `${seed}`, `${generator}`), [key, key]);
    }
  });

  test(`random bytes hang on the device seed, the generator, the time and the calls before (${variant})`, async () => {
    for (const [seed, generator] of [
      [1, 2],
      [1, 3],
      [4, 2],
    ] as const) {
      const streams = [0n, 1n].map((calls) => {
        const key = hedged("ocellus/v1/random", u64(calls), seed, generator);
        // A box of zeros shows the stream from its byte 32 on, behind 16 bytes of tag; the bytes before make the tag.
        return hex(nacl.secretbox(new Uint8Array(32), new Uint8Array(24), key).subarray(16));
      });
      const said = await run(variant, "random", `${seed}`, `${generator}`);
      assert.deepEqual(
        said.map((line) => line.slice(64)),
        streams,
      );
    }
  });

  test(`without a device seed random bytes are the generator's own (${variant})`, async () => {
    const bytes = "07".repeat(64);
    assert.deepEqual(await run(variant, "random", "none", "7"), [bytes, bytes]);
  });

  test(`a segment's keys stand in its memory until it is sealed, and no longer (${variant})`, async () => {
    assert.deepEqual(await run(variant, "wiped"), ["open: media metadata", "sealed:"]);
  });
}
