import assert from "node:assert/strict";
import { test } from "node:test";
import { startBoot } from "../../../agent/identity/boot.ts";
import { ascii, join } from "../../../agent/identity/encoding.ts";
import { files } from "../../../agent/identity/files.ts";
import type { Identity } from "../../../agent/identity/identity.ts";
import { provision } from "../../../agent/identity/provision.ts";
import { parseProvisioning } from "../../../agent/identity/provisioning.ts";
import type { Native } from "../../../agent/runtime/native.d.ts";
import { createDouble, type Double } from "../double/double.ts";
import { Owner } from "../owner.ts";

function provisioned(native: Native): Identity {
  const parsed = parseProvisioning(new Owner("boot").provisioningFile(), (b) =>
    native.utf8Decode(b),
  );
  assert.ok(!("mistakes" in parsed));
  const identity = provision(native, parsed);
  assert.ok(!("error" in identity));
  return identity;
}

/** The same state directory, started again. */
function reboot(double: Double): Double {
  return createDouble({ state: double.state });
}

test("boots count from 1, and each is on flash before it is used", () => {
  let double = createDouble();
  const identity = provisioned(double.native);
  for (let boot = 1; boot <= 3; boot++) {
    const started = startBoot(double.native, identity);
    assert.ok(!("refused" in started));
    assert.equal(started.counters.boot, boot);
    assert.equal(started.counters.timeFloorUs, 0);
    assert.equal(started.counters.recipientsVersion, 0);
    const kept = files.counters.load(double.native);
    assert.ok(kept.is === "ok" && kept.value.boot === boot);
    double = reboot(double);
  }
});

test("missing, rotten or unwritable counters refuse the boot with a sentence", () => {
  const spoil: [string, (double: Double) => void][] = [
    ["missing", ({ state }) => state.delete("counters")],
    ["rotten", ({ state }) => state.set("counters", new Uint8Array(20))],
    [
      "torn",
      ({ state }) => state.set("counters", (state.get("counters") ?? new Uint8Array(9)).slice(1)),
    ],
  ];
  for (const [name, how] of spoil) {
    const double = createDouble();
    const identity = provisioned(double.native);
    how(double);
    const before = double.state.get("seed");
    const started = startBoot(double.native, identity);
    assert.ok("refused" in started && /counters/.test(started.refused), name);
    assert.equal(double.state.get("seed"), before, "nothing else is touched");
  }
  const double = createDouble();
  const identity = provisioned(double.native);
  const native = {
    ...double.native,
    writeState: () => ({ error: "io" as const, text: "no space left" }),
  };
  const started = startBoot(native, identity);
  assert.ok("refused" in started && started.refused.includes("no space left"));
});

test("the last boot number is not passed", () => {
  const double = createDouble();
  const identity = provisioned(double.native);
  files.counters.save(double.native, { boot: 0xffff_ffff, timeFloorUs: 0, recipientsVersion: 0 });
  assert.ok("refused" in startBoot(double.native, identity));
});

test("floor and list version outlive a boot and only rise", () => {
  const double = createDouble();
  const identity = provisioned(double.native);
  const first = startBoot(double.native, identity);
  assert.ok(!("refused" in first));
  first.counters.raiseTimeFloor(2_000);
  first.counters.raiseTimeFloor(1_000);
  first.counters.raiseRecipientsVersion(5);
  first.counters.raiseRecipientsVersion(4);
  const second = startBoot(reboot(double).native, identity);
  assert.ok(!("refused" in second));
  assert.equal(second.counters.timeFloorUs, 2_000);
  assert.equal(second.counters.recipientsVersion, 5);
  assert.equal(second.counters.boot, 2);
});

test("the seed is rewritten at each boot as FORMAT.md says, and the file is not what hedges the keys", () => {
  const double = createDouble();
  const identity = provisioned(double.native);
  let old = identity.deviceSeed;
  for (let boot = 1; boot <= 3; boot++) {
    const fresh: Uint8Array[] = [];
    const used: Uint8Array[] = [];
    const native: Native = {
      ...double.native,
      random: (bytes) => {
        const random = double.native.random(bytes);
        fresh.push(random.slice());
        return random;
      },
      setDeviceSeed: (seed) => used.push(seed.slice()),
    };
    startBoot(native, identity);
    const [random = new Uint8Array(0)] = fresh;
    const bootBytes = Uint8Array.of(0, 0, 0, boot);
    const next = double.crypto.sha256(join(ascii("ocellus/v1/seed\0"), old, random, bootBytes));
    assert.deepEqual(double.state.get("seed"), next);
    assert.equal(used.length, 1);
    assert.notDeepEqual(used[0], next);
    old = next;
  }
});

test("a damaged seed is said and does not stop the boot", () => {
  const double = createDouble();
  const identity = provisioned(double.native);
  double.state.set("seed", new Uint8Array(5));
  const started = startBoot(double.native, identity);
  assert.ok(!("refused" in started));
  assert.match(started.warnings.join(), /"seed" is damaged/);
  assert.equal(double.state.get("seed")?.length, 32);
});
