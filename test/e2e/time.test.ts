/**
 * Time on a camera that has no clock of its own: it starts in 1970, records at once, and takes the time from the store.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { issueServerCertificate } from "../../scripts/cloud/ca.ts";
import { nowUs, type RigOptions, until, withRig } from "./support/rig.ts";

const run = promisify(execFile);
const DAY_MS = 86_400_000;
let directory: string;
let in1970: RigOptions;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), "ocellus-epoch-"));
  // The camera's user must reach it.
  await chmod(directory, 0o755);
  const library = join(directory, "epoch.so");
  const source = fileURLToPath(new URL("support/epoch.c", import.meta.url));
  await run("gcc", ["-shared", "-fPIC", "-O1", "-o", library, source]);
  const { stdout } = await run("date", ["+%Y"], { env: { ...process.env, LD_PRELOAD: library } });
  assert.equal(stdout.trim(), "1970");
  in1970 = { variant: "host", host: { env: { LD_PRELOAD: library } } };
});
after(() => rm(directory, { recursive: true }));

test("a camera that starts in 1970 pairs, records, and dates its footage by the store's clock", async () => {
  await withRig(in1970, async (rig) => {
    await rig.record();
    await rig.untilStored(3);
    const segments = await rig.segments();
    for (const { start_us, duration_us, boot, metadata } of segments) {
      assert.notEqual(boot.zero_us, null);
      const age_us = nowUs() - start_us - duration_us;
      assert.ok(Math.abs(age_us) < 30e6, `a segment of ${age_us / 1e6} s ago`);
      assert.equal(metadata.timeQuality, 1);
    }
    const wall_us = await rig.untilStatus("wall time", (_status, { wallUs }) => wallUs);
    assert.ok(Math.abs(wall_us - nowUs()) < 90e6);
    rig.assertNeverRestarted();
  });
});

test("a certificate that ended before the camera was built is refused in 1970 too", async () => {
  await withRig(in1970, async (rig) => {
    const expired = await issueServerCertificate(rig.cloud.authority, {
      names: ["localhost"],
      notBefore_ms: Date.UTC(2001, 0, 1),
      notAfter_ms: Date.UTC(2001, 0, 1) + 300 * DAY_MS,
    });
    await rig.cloud.broker.stop();
    await rig.cloud.broker.setCertificate(expired);
    await rig.cloud.broker.start();
    await assert.rejects(rig.pair(), /is not valid now/);
    await until(
      "the reason in the log",
      () => rig.lines.some((line) => /No connection to the broker:.*certificate/i.test(line)),
      20_000,
    );
  });
});

test("a store whose clock is years ahead is not followed beyond reason, and said so where it is doubted", async () => {
  // The store's own certificate judges its time: a Date after it ended cannot be true.
  const ahead_ms = 3 * 365 * DAY_MS;
  await withRig({ ...in1970, cloud: { now_ms: () => Date.now() + ahead_ms } }, async (rig) => {
    await rig.pair();
    await rig.play();
    const cause = await rig.untilStatus("doubt", () => {
      const { clock, upload } = rig.stages();
      return clock?.cause || upload?.cause;
    });
    assert.match(cause, /clock|time|certificate/);
    rig.assertNeverRestarted();
  });
});
