import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { HELD_BYTES, Inbound, PACKET_BYTES } from "../../../agent/control/inbound.ts";
import { check } from "../properties.ts";

const CONNACK = Uint8Array.of(0x20, 3, 0, 0, 0);
const PINGRESP = Uint8Array.of(0xd0, 0);

/** A PUBLISH of QoS 0 that is `size` bytes long in all. */
function publish(size: number): Uint8Array {
  const packet = new Uint8Array(size);
  packet[0] = 0x30;
  let rest = size - 2;
  let at = 1;
  // Sizes are chosen so that the length field has one to three bytes.
  if (rest >= 128) rest -= 1;
  if (rest >= 16_384) rest -= 1;
  for (let left = rest; ; left >>= 7) {
    packet[at++] = left >= 128 ? (left & 0x7f) | 0x80 : left;
    if (left < 128) break;
  }
  return packet;
}

/** An inbound that has seen its CONNACK. */
function connected(): Inbound {
  const inbound = new Inbound(0);
  inbound.push(CONNACK);
  assert.deepEqual(inbound.take(0), CONNACK);
  return inbound;
}

test("however the bytes arrive, the same packets come out", () => {
  const sizes = fc.array(fc.constantFrom(5, 127, 129, 131, 4_000, PACKET_BYTES), {
    maxLength: 5,
  });
  check(
    fc.property(sizes, fc.infiniteStream(fc.integer({ min: 1, max: 5_000 })), (wanted, cuts) => {
      const inbound = connected();
      const packets = wanted.map(publish);
      const bytes = Buffer.concat(packets);
      const found: Uint8Array[] = [];
      let at = 0;
      while (at < bytes.length) {
        const step = cuts.next().value;
        inbound.push(new Uint8Array(bytes.subarray(at, at + step)));
        at += step;
        for (;;) {
          const taken = inbound.take(0);
          if (!(taken instanceof Uint8Array)) break;
          found.push(taken);
        }
      }
      assert.deepEqual(found, packets);
      assert.equal(inbound.heldBytes, 0);
    }),
  );
});

test("a packet above the bound is refused by its length field alone", () => {
  const largest = connected();
  largest.push(publish(PACKET_BYTES));
  assert.deepEqual(largest.take(0), publish(PACKET_BYTES));
  for (const length of [
    [0xfe, 0x7f],
    [0x80, 0x80, 0x01],
    [0xff, 0xff, 0xff, 0x7f],
  ]) {
    const inbound = connected();
    inbound.push(Uint8Array.of(0x30, ...length));
    assert.deepEqual(inbound.take(0), { fault: "oversized" }, `${length}`);
    assert.equal(inbound.heldBytes, 0);
    inbound.push(CONNACK);
    assert.deepEqual(inbound.take(0), { fault: "oversized" }, "a fault is for good");
  }
});

test("a length field of more than four bytes is malformed", () => {
  const inbound = connected();
  inbound.push(Uint8Array.of(0x30, 0x80, 0x80, 0x80, 0x80));
  assert.deepEqual(inbound.take(0), { fault: "malformed" });
});

test("only what a server may send to this client is let through", () => {
  const allowed = new Set([0x30, 0x31, 0x32, 0x33, 0x38, 0x39, 0x3a, 0x3b, 0x40, 0x90, 0xd0, 0xe0]);
  for (let first = 0; first < 256; first++) {
    const inbound = connected();
    inbound.push(Uint8Array.of(first, 4, 0, 0, 0, 0));
    const taken = inbound.take(0);
    assert.equal(taken instanceof Uint8Array, allowed.has(first), `0x${first.toString(16)}`);
  }
});

test("packets too short for their type are malformed, the shortest are not", () => {
  const shortest = [Uint8Array.of(0x40, 2, 0, 1), Uint8Array.of(0x90, 4, 0, 1, 0, 0), publish(5)];
  for (const packet of [...shortest, PINGRESP, Uint8Array.of(0xe0, 0)]) {
    const inbound = connected();
    inbound.push(packet);
    assert.deepEqual(inbound.take(0), packet);
    if (packet.length === 2) continue;
    const shorter = connected();
    shorter.push(Uint8Array.of(packet[0] ?? 0, packet.length - 3, ...packet.subarray(2, -1)));
    assert.deepEqual(shorter.take(0), { fault: "malformed" });
  }
});

test("CONNACK comes first and once", () => {
  const early = new Inbound(0);
  early.push(PINGRESP);
  assert.deepEqual(early.take(0), { fault: "malformed" });
  const twice = connected();
  twice.push(CONNACK);
  assert.deepEqual(twice.take(0), { fault: "malformed" });
});

test("a burst passes, a flood is throttled, and what lasts too long is cut off", () => {
  const inbound = connected();
  const flood = () => {
    while (inbound.heldBytes < 1_000) inbound.push(PINGRESP);
  };
  let passed = 0;
  let now = 0;
  let throttled = false;
  flood();
  for (;;) {
    const taken = inbound.take(now);
    assert.ok(taken !== null);
    if (taken instanceof Uint8Array) {
      passed += 1;
      flood();
    } else if ("waitMs" in taken) {
      if (!throttled) assert.equal(passed, 126, "burst, with the CONNACK before it");
      throttled = true;
      assert.ok(taken.waitMs > 0 && taken.waitMs < 100, `${taken.waitMs}`);
      now += taken.waitMs * 1000;
    } else {
      assert.deepEqual(taken, { fault: "flooding" });
      break;
    }
  }
  assert.ok(now > 10_000_000 && now < 10_200_000, `cut off after ${now} us`);
  assert.ok(passed > 400 && passed < 460, `${passed} passed`);
});

test("a broker that pauses between bursts is never cut off", () => {
  const inbound = connected();
  let now = 0;
  for (let burst = 0; burst < 20; burst++) {
    for (let i = 0; i < 150; i++) inbound.push(PINGRESP);
    for (;;) {
      const taken = inbound.take(now);
      if (taken === null) break;
      assert.ok(taken instanceof Uint8Array || "waitMs" in taken, JSON.stringify(taken));
      if ("waitMs" in taken) now += taken.waitMs * 1000;
    }
    now += 3_000_000;
  }
});

test("a flood that is read in small portions, since it is held back, is cut off all the same", () => {
  const inbound = connected();
  let now = 0;
  for (;;) {
    for (let i = 0; i < 20; i++) inbound.push(PINGRESP);
    let taken = inbound.take(now);
    for (; taken !== null && !("fault" in taken); taken = inbound.take(now)) {
      if ("waitMs" in taken) now += taken.waitMs * 1000;
    }
    if (taken !== null) break;
    assert.ok(now < 15_000_000, "never cut off");
  }
  assert.ok(now > 10_000_000, `cut off after ${now} us`);
});

test("what is held is bounded even where the sender is not held back", () => {
  const inbound = connected();
  for (let i = 0; i < 10; i++) inbound.push(publish(PACKET_BYTES));
  assert.ok(inbound.heldBytes <= HELD_BYTES);
  assert.deepEqual(inbound.take(0), { fault: "flooding" });
});
