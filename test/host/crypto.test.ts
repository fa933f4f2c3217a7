/** Hashes, signatures, key agreement and random bytes, against Node's crypto and tweetnacl. */
import assert from "node:assert/strict";
import { createHash, createHmac, randomBytes } from "node:crypto";
import { test } from "node:test";
import nacl from "tweetnacl";
import { everywhere, run, variants } from "./support/camera.ts";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const sizes = [0, 1, 55, 56, 63, 64, 65, 127, 128, 1000, 40_000];

/** Cheap enough for the camera's own code under emulation too. */
for (const variant of everywhere) {
  test(`SHA-256, SHA-512 and HMAC-SHA-256 agree with Node's (${variant})`, async (t) => {
    const given = sizes.map((size) => ({
      key: hex(randomBytes(size % 200)),
      data: hex(randomBytes(size)),
    }));
    // Hexadecimal digits of so much are slow on a sanitized engine; on a busy machine more than the limit of a turn.
    const args = ["--turn-ms", "120000"];
    const camera = await run(t, { variant, given, args }, (native, cases, tools) => {
      const { out, hex: h, unhex } = tools;
      out(
        "hashes",
        cases.map(({ key, data }) => [
          h(native.sha256(unhex(data))),
          h(native.sha512(unhex(data))),
          h(native.hmacSha256(unhex(key), unhex(data))),
        ]),
      );
      native.exit(0);
    });
    const expected = given.map(({ key, data }) => [
      createHash("sha256").update(data, "hex").digest("hex"),
      createHash("sha512").update(data, "hex").digest("hex"),
      createHmac("sha256", Buffer.from(key, "hex")).update(data, "hex").digest("hex"),
    ]);
    assert.deepEqual(camera.result("hashes"), expected);
  });

  test(`signatures are Ed25519 as tweetnacl makes and takes them (${variant})`, async (t) => {
    const pair = nacl.sign.keyPair();
    const message = randomBytes(300);
    const given = {
      publicKey: hex(pair.publicKey),
      secretKey: hex(pair.secretKey),
      message: hex(message),
      signature: hex(nacl.sign.detached(message, pair.secretKey)),
    };
    const camera = await run(t, { variant, given }, (native, its, { out, hex: h, unhex }) => {
      const [message, publicKey] = [unhex(its.message), unhex(its.publicKey)];
      const signature = unhex(its.signature);
      const made = native.signKeypair();
      const flipped = Uint8Array.from(signature, (byte, i) => (i === 5 ? byte ^ 1 : byte));
      out("result", {
        signed: h(native.sign(message, unhex(its.secretKey))),
        good: native.verify(signature, message, publicKey),
        bad: [
          native.verify(flipped, message, publicKey),
          native.verify(signature, message.subarray(1), publicKey),
          native.verify(signature, message, made.publicKey),
          native.verify(signature.subarray(1), message, publicKey),
          native.verify(signature, message, publicKey.subarray(1)),
          native.verify(new Uint8Array(64), message, new Uint8Array(32)),
        ],
        made: [h(made.publicKey), h(made.secretKey), h(native.sign(message, made.secretKey))],
      });
      native.exit(0);
    });
    const { signed, good, bad, made } = camera.result<{
      signed: string;
      good: boolean;
      bad: boolean[];
      made: [string, string, string];
    }>("result");
    assert.equal(signed, given.signature);
    assert.equal(good, true);
    assert.deepEqual(bad, [false, false, false, false, false, false]);
    const [publicKey, secretKey, signature] = made.map((text) => Buffer.from(text, "hex"));
    assert.ok(publicKey && secretKey && signature);
    assert.deepEqual(Buffer.from(nacl.sign.keyPair.fromSecretKey(secretKey).publicKey), publicKey);
    assert.ok(nacl.sign.detached.verify(message, signature, publicKey));
  });

  test(`boxBefore agrees with tweetnacl and refuses low-order points (${variant})`, async (t) => {
    const pair = nacl.box.keyPair();
    const given = { publicKey: hex(pair.publicKey) };
    const camera = await run(t, { variant, given }, (native, its, { out, hex: h, unhex }) => {
      const mine = native.boxKeypair();
      const before = (key: Uint8Array) => {
        const shared = native.boxBefore(key, mine.secretKey);
        return shared && h(shared);
      };
      out("result", {
        mine: [h(mine.publicKey), h(mine.secretKey)],
        shared: before(unhex(its.publicKey)),
        // RFC 7748 section 6.1: points whose multiple by the secret is all zero.
        refused: [new Uint8Array(32), new Uint8Array(32).fill(1, 0, 1), new Uint8Array(31)].map(
          before,
        ),
      });
      native.exit(0);
    });
    const { mine, shared, refused } = camera.result<{
      mine: [string, string];
      shared: string;
      refused: unknown[];
    }>("result");
    const [publicKey, secretKey] = mine.map((text) => Buffer.from(text, "hex"));
    assert.ok(publicKey && secretKey);
    assert.deepEqual(Buffer.from(nacl.box.keyPair.fromSecretKey(secretKey).publicKey), publicKey);
    assert.equal(shared, hex(nacl.box.before(publicKey, pair.secretKey)));
    assert.deepEqual(refused, [null, null, null]);
  });

  test(`random bytes differ each time, before and after the seed is set (${variant})`, async (t) => {
    const camera = await run(t, { variant }, (native, _given, { out, hex: h }) => {
      const draw = () => [
        h(native.random(32)),
        h(native.random(32)),
        h(native.boxKeypair().secretKey),
      ];
      const before = draw();
      native.setDeviceSeed(new Uint8Array(32).fill(5));
      const after = draw();
      native.setDeviceSeed(new Uint8Array(32).fill(5));
      const large = native.random(65536);
      const ones = large.reduce((sum, byte) => sum + byte.toString(2).split("1").length - 1, 0);
      out("drawn", { all: [...before, ...after, ...draw()], none: native.random(0).length, ones });
      native.exit(0);
    });
    const { all, none, ones } = camera.result<{ all: string[]; none: number; ones: number }>(
      "drawn",
    );
    assert.equal(new Set(all).size, 9);
    assert.equal(none, 0);
    // 524,288 fair bits: 10 standard deviations of 362.
    assert.ok(Math.abs(ones - 262_144) < 3620, `${ones}`);
  });
}

for (const variant of variants) {
  test(`a view of part of a buffer is hashed as that part (${variant})`, async (t) => {
    const camera = await run(t, { variant }, (native, _given, { out, hex: h }) => {
      const whole = new Uint8Array([9, 1, 2, 3, 9]);
      out("same", h(native.sha256(whole.subarray(1, 4))));
      native.exit(0);
    });
    const expected = createHash("sha256")
      .update(Uint8Array.of(1, 2, 3))
      .digest("hex");
    assert.equal(camera.result("same"), expected);
  });

  test(`wipe overwrites, equal compares (${variant})`, async (t) => {
    await run(t, { variant }, (native) => {
      const demand = (truth: boolean) => {
        if (!truth) throw new Error("wrong");
      };
      const bytes = new Uint8Array(100).fill(9);
      native.wipe(bytes.subarray(10, 20));
      demand(bytes.every((byte, i) => byte === (i >= 10 && i < 20 ? 0 : 9)));
      demand(native.equal(new Uint8Array([1, 2]), new Uint8Array([1, 2])));
      demand(!native.equal(new Uint8Array([1, 2]), new Uint8Array([1, 3])));
      demand(!native.equal(new Uint8Array([1, 2]), new Uint8Array([1, 2, 3])));
      demand(native.equal(new Uint8Array(0), new Uint8Array(0)));
      native.exit(0);
    });
  });

  test(`wrong arguments of cryptographic functions throw (${variant})`, async (t) => {
    const camera = await run(t, { variant }, (native, _given, { out, thrown }) => {
      const any = native as unknown as Record<string, (...given: unknown[]) => unknown>;
      const bytes = new Uint8Array(32);
      const wrong: [string, ...unknown[]][] = [
        ["setDeviceSeed", new Uint8Array(31)],
        ["setDeviceSeed", "x".repeat(32)],
        ["random", 65537],
        ["random", -1],
        ["random", "8"],
        ["wipe", "text"],
        ["wipe", new Uint32Array(4)],
        ["sha256"],
        ["sha256", [1, 2, 3]],
        ["sha256", new ArrayBuffer(8)],
        ["sha256", new DataView(new ArrayBuffer(8))],
        ["sha512", null],
        ["hmacSha256", bytes],
        ["equal", bytes, "x"],
        ["sign", bytes, bytes],
        ["verify", bytes, "x", bytes],
        ["boxBefore", bytes, new Uint8Array(31)],
        ["boxBefore", "x", bytes],
      ];
      out(
        "thrown",
        wrong.map(([name, ...given]) => thrown(() => any[name]?.(...given)).split(":")[0]),
      );
      native.exit(0);
    });
    const [r, y] = ["RangeError", "TypeError"];
    const expected = [r, y, r, r, y, y, y, y, y, y, y, y, y, y, r, y, r, y];
    assert.deepEqual(camera.result("thrown"), expected);
  });

  test(`UTF-8 is encoded and decoded as TextEncoder and TextDecoder do (${variant})`, async (t) => {
    const texts = [
      "",
      "plain",
      "é€😀\u0000",
      "a\ud800b",
      "\udc00",
      "\ufeffx",
      "\ud83d\ude00\ud83d",
    ];
    const random = Array.from({ length: 200 }, (_, i) => hex(randomBytes(i % 40)));
    const malformed = [
      ..."c0af,e080af,f08080af,eda080,edbfbf,f4908080,f5,80,bf80,e282,e282ac,f09f9880,f09f98".split(
        ",",
      ),
      ..."61e28261,fffe,c3,c328,f0288cbc,efbbbf61,ed9fbf,ee8080,f48fbfbf".split(","),
    ];
    const given = { texts, bytes: [...malformed, ...random] };
    const camera = await run(t, { variant, given }, (native, its, { out, hex: h, unhex }) => {
      out("text", {
        encoded: its.texts.map((text) => h(native.utf8Encode(text))),
        // As code units, since JSON of a lone surrogate would hide it.
        decoded: its.bytes.map((text) =>
          Array.from({ length: native.utf8Decode(unhex(text)).length }, (_, i) =>
            native.utf8Decode(unhex(text)).charCodeAt(i),
          ),
        ),
      });
      native.exit(0);
    });
    const { encoded, decoded } = camera.result<{ encoded: string[]; decoded: number[][] }>("text");
    assert.deepEqual(
      encoded,
      texts.map((text) => hex(new TextEncoder().encode(text))),
    );
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    for (const [i, bytes] of given.bytes.entries()) {
      const text = decoder.decode(Buffer.from(bytes, "hex"));
      const units = Array.from({ length: text.length }, (_, at) => text.charCodeAt(at));
      assert.deepEqual(decoded[i], units, bytes);
    }
  });
}
