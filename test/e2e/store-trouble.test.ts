/**
 * A real camera and a store that fails it in every way the issue of the pipeline names: the camera keeps running, keeps
 * footage within its bound, says the reason in its signed status, and recovers by itself.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ocellus } from "#proto";
import {
  issueServerCertificate,
  type KeyedCertificate,
  makeAuthority,
} from "../../scripts/cloud/ca.ts";
import type { Fault, FaultReply } from "../../scripts/cloud/store/faults.ts";
import {
  dropped,
  statusOf,
  stored,
  tells,
  until,
  uploaded,
  type World,
  withWorld,
} from "./support/world.ts";

const { StageName, DropReason } = ocellus.v1;
const UPLOAD = StageName.STAGE_UPLOAD;
const DAY_MS = 86_400_000;
/** Trouble is told once an attempt has failed, and status is told at once. */
const TOLD_MS = 30_000;
/** Longest wait of the back-off after the few failures of a test, and a segment. */
const RECOVERED_MS = 60_000;

/** Lets every put of a segment fail so. */
function failPuts(world: World, fault: Fault): void {
  world.cloud.store.faults = ({ method }) => (method === "PUT" ? fault : undefined);
}

function reply(status: number, code: string): { reply: FaultReply } {
  return { reply: { status, code } };
}

/** What holds whatever the trouble: the same processes, and no more memory than allowed. */
function assertAlive(world: World): void {
  assert.deepEqual(world.exits, [], "no process of the camera ended");
  const { queueBytes, queueLimitBytes } = statusOf(world).secret;
  assert.ok(queueBytes <= queueLimitBytes, `${queueBytes} of ${queueLimitBytes} bytes wait`);
}

/** The trouble is told by its cause; once it is over all is well, and what waited is in the store. */
async function toldAndOver(world: World, cause: string, end: () => Promise<void>): Promise<void> {
  await until(world, `upload: ${cause}`, TOLD_MS, () => tells(world, UPLOAD, cause));
  const reason = statusOf(world).secret.stages.find(({ name }) => name === UPLOAD)?.reason ?? "";
  assert.match(reason, /^[A-Z].*\.$/, "one sentence for the owner");
  assertAlive(world);
  const before = uploaded(world);
  const droppedBefore = allDropped(world);
  await end();
  await until(world, `recovered from ${cause}`, RECOVERED_MS, () => tells(world, UPLOAD, ""));
  await until(world, "footage goes up again", RECOVERED_MS, () => uploaded(world) > before);
  assertAlive(world);
  assert.equal(allDropped(world), droppedBefore, "so short a trouble loses nothing");
}

function allDropped(world: World): number {
  const reasons = Object.values(DropReason).filter((one) => typeof one === "number");
  return reasons.reduce((sum, reason) => sum + dropped(world, reason), 0);
}

async function storeBack(world: World): Promise<void> {
  world.cloud.store.faults = undefined;
}

test("answers that refuse: each told by its cause, each survived without a loss", async (t) => {
  await withWorld({}, async (world) => {
    await until(world, "the first segment", 30_000, () => stored(world).length > 0);
    const cases: [string, Fault, string][] = [
      ["403", reply(403, "AccessDenied"), "store-forbidden"],
      ["403 of a wrong secret", reply(403, "SignatureDoesNotMatch"), "store-forbidden"],
      ["a missing bucket", reply(404, "NoSuchBucket"), "store-no-bucket"],
      ["409", reply(409, "ConditionalRequestConflict"), "store-busy"],
      ["500", reply(500, "InternalError"), "store-error"],
      ["503", reply(503, "SlowDown"), "store-busy"],
    ];
    for (const [name, fault, cause] of cases) {
      await t.test(name, async () => {
        failPuts(world, fault);
        await toldAndOver(world, cause, () => storeBack(world));
      });
    }
    await t.test("a store that is gone", async () => {
      await world.cloud.store.stop();
      await toldAndOver(world, "refused", () => world.cloud.store.start());
    });
  });
});

test("412 to a first attempt is a conflict: reported, dropped by that reason, never counted as uploaded", async () => {
  await withWorld({}, async (world) => {
    await until(world, "the first segment", 30_000, () => stored(world).length > 0);
    failPuts(world, reply(412, "PreconditionFailed"));
    const conflict = DropReason.DROP_CONFLICT;
    await until(world, "a conflict told", TOLD_MS, () => dropped(world, conflict) > 0);
    const { queueBytes } = statusOf(world).secret;
    assert.ok(queueBytes < 8_000_000);
    await storeBack(world);
    const before = stored(world).length;
    await until(
      world,
      "footage goes up again",
      RECOVERED_MS,
      () => stored(world).length > before + 1,
    );
    // The status may be a moment behind the store, never ahead of it.
    assert.ok(uploaded(world) <= stored(world).length, "no conflict was counted as uploaded");
    assertAlive(world);
  });
});

test("412 after an attempt whose answer was lost means stored: nothing is dropped or put twice", async () => {
  await withWorld({}, async (world) => {
    await until(world, "the first segment", 30_000, () => stored(world).length > 0);
    world.cloud.store.faults = ({ method, attempt }) =>
      method === "PUT" && attempt === 1 ? { loseReply: true } : undefined;
    const before = uploaded(world);
    await until(world, "two counted", RECOVERED_MS, () => uploaded(world) >= before + 2);
    await storeBack(world);
    await until(world, "all is well", RECOVERED_MS, () => tells(world, UPLOAD, ""));
    assert.equal(allDropped(world), 0);
    const conflicts = world.cloud.store.log.entries.filter(({ status }) => status === 412);
    assert.ok(conflicts.length >= 2, "the second attempts met the first ones' objects");
  });
});

test("certificates: a wrong authority, another host's name, one that has expired", async (t) => {
  await withWorld({}, async (world) => {
    await until(world, "the first segment", 30_000, () => stored(world).length > 0);
    const { authority, store } = world.cloud;
    const names = ["localhost", "127.0.0.1"];
    const stranger = await makeAuthority("somebody else's");
    const expired = {
      names,
      notBefore_ms: Date.now() - 2 * DAY_MS,
      notAfter_ms: Date.now() - DAY_MS,
    };
    const cases: [string, KeyedCertificate, string][] = [
      [
        "a wrong authority",
        await issueServerCertificate(stranger, { names }),
        "tls-certificate-untrusted",
      ],
      [
        "another host's name",
        await issueServerCertificate(authority, { names: ["store.example"] }),
        "tls-certificate-name",
      ],
      [
        "an expired one",
        await issueServerCertificate(authority, expired),
        "tls-certificate-expired",
      ],
    ];
    for (const [name, certificate, cause] of cases) {
      await t.test(name, async () => {
        const good = await issueServerCertificate(authority, { names });
        const seen = store.log.entries.length;
        await store.stop();
        store.setCertificate(certificate);
        await store.start();
        await toldAndOver(world, cause, async () => {
          assert.equal(store.log.entries.length, seen, "not one request was sent to it");
          await store.stop();
          store.setCertificate(good);
          await store.start();
        });
      });
    }
  });
});

test("a store too slow for the stream: footage waits within its bound, the oldest is dropped and accounted for", async () => {
  const queue_bytes = 1_500_000;
  await withWorld({ host: { queue_bytes } }, async (world) => {
    await until(world, "the first segment", 30_000, () => stored(world).length > 0);
    failPuts(world, { readRate_bytes_s: 20_000 });
    const full = DropReason.DROP_QUEUE_FULL;
    await until(world, "the bound reached", 180_000, () => dropped(world, full) > 0);
    const { queueLimitBytes } = statusOf(world).secret;
    assert.ok(queueLimitBytes <= queue_bytes, `a bound of ${queueLimitBytes} bytes`);
    assertAlive(world);
    await storeBack(world);
    await until(world, "all is well", 120_000, () => tells(world, UPLOAD, ""));
    const kept = stored(world).length;
    await until(
      world,
      "footage goes up again",
      RECOVERED_MS,
      () => stored(world).length > kept + 1,
    );
    assertAlive(world);
  });
});
