/**
 * Servers that are not who they should be: a certificate of another authority, for another host, or expired. The camera
 * sends them nothing, says why, and goes on by itself once they are right.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  issueServerCertificate,
  type KeyedCertificate,
  makeAuthority,
} from "../../scripts/cloud/ca.ts";
import { Rig, until, withRig } from "./support/rig.ts";

const DAY_MS = 86_400_000;
let rig: Rig;
let good: KeyedCertificate;
let wrong: Record<"untrusted" | "name" | "expired", KeyedCertificate>;

before(async () => {
  rig = await Rig.create();
  const names = ["localhost", "127.0.0.1"];
  good = await issueServerCertificate(rig.cloud.authority, { names });
  wrong = {
    untrusted: await issueServerCertificate(await makeAuthority("somebody else"), { names }),
    name: await issueServerCertificate(rig.cloud.authority, { names: ["elsewhere.example"] }),
    expired: await issueServerCertificate(rig.cloud.authority, {
      names,
      notBefore_ms: Date.now() - 30 * DAY_MS,
      notAfter_ms: Date.now() - DAY_MS,
    }),
  };
  await rig.record();
  await rig.untilStored(1);
});
after(() => rig.stop());

/** Gives the store a certificate and drops its connections, so that it is shown at once. */
async function showAtStore(certificate: KeyedCertificate): Promise<void> {
  await rig.cloud.store.stop();
  rig.cloud.store.setCertificate(certificate);
  await rig.cloud.store.start();
}

async function showAtBroker(certificate: KeyedCertificate, at = rig): Promise<void> {
  await at.cloud.broker.stop();
  await at.cloud.broker.setCertificate(certificate);
  await at.cloud.broker.start();
}

for (const kind of ["untrusted", "name", "expired"] as const) {
  test(`a store whose certificate is wrong (${kind}) gets nothing, and is told by name`, async () => {
    await showAtStore(wrong[kind]);
    rig.cloud.store.log.clear();
    try {
      const reason = await rig.untilStatus(
        `trouble about ${kind}`,
        () =>
          rig.stages().upload?.cause === `tls-certificate-${kind}` && rig.stages().upload?.reason,
      );
      assert.match(reason, /certificate/i);
      // What the owner looks at while it waits is none of the camera's.
      const owner = rig.owner.access?.store.accessKeyId;
      const asked = rig.cloud.store.log.entries.filter(
        ({ key, accessKeyId }) => key.includes("/0/") && accessKeyId !== owner,
      );
      assert.deepEqual(asked, []);
    } finally {
      await showAtStore(good);
    }
    await rig.untilStatus("recovery of upload", () => rig.stages().upload?.ok, 60_000);
    await rig.untilStored(1);
    rig.assertNeverRestarted();
  });
}

for (const kind of ["untrusted", "name", "expired"] as const) {
  test(`a broker whose certificate is wrong (${kind}) hears nothing, and the reason is told once there is a right one`, async () => {
    // A camera that lost its broker a moment ago waits longer the next time.
    await rig.restartAgent();
    const before = rig.lines.length;
    await showAtBroker(wrong[kind]);
    try {
      await until(
        "the reason in the log",
        () =>
          rig.lines
            .slice(before)
            .some((line) => /No connection to the broker:.*certificate/i.test(line)),
        40_000,
      );
      // Footage does not need the broker.
      await rig.untilStored(1);
    } finally {
      await showAtBroker(good);
    }
    // An attempt may meet the broker while it starts anew with the right one: then that is the last reason.
    const causes = [`tls-certificate-${kind}`, "refused"];
    const reason = await rig.untilStatus(
      `one of the causes ${causes} after recovery`,
      () =>
        rig.stages().control?.ok &&
        causes.includes(rig.stages().control?.cause ?? "") &&
        rig.stages().control?.reason,
      90_000,
    );
    assert.match(reason, /Connected again after \d+ s\. Before: .*(certificate|refused)/);
    rig.assertNeverRestarted();
  });
}

test("a broker whose certificate has ended since the camera was built keeps it until the store has told the time", async () => {
  let ahead_ms = 0;
  await withRig({ cloud: { now_ms: () => Date.now() + ahead_ms } }, async (late) => {
    await late.pair();
    const { authority, store } = late.cloud;
    const names = ["localhost"];
    const ended = await issueServerCertificate(authority, {
      names,
      notAfter_ms: Date.now() + DAY_MS,
    });
    // The next start is two days later, as far as the camera can find out.
    await late.host.stopAgent();
    await store.stop();
    await showAtBroker(ended, late);
    ahead_ms = 2 * DAY_MS;
    const before = late.lines.length;
    const said = (what: RegExp) => late.lines.slice(before).some((line) => what.test(line));
    await late.host.startAgent();
    await until("the broker, without a store", () => said(/Connected to the broker/), 40_000);
    await store.start();
    await until("the end of it", () => said(/No connection to the broker: .*expired/), 120_000);
    await showAtBroker(await issueServerCertificate(authority, { names }), late);
    await late.untilStatus(
      "the cause",
      () => {
        const { control } = late.stages();
        return control?.ok && control.cause === "tls-certificate-expired";
      },
      120_000,
    );
    late.assertNeverRestarted();
  });
});
