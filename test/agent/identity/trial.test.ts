import assert from "node:assert/strict";
import { test } from "node:test";
import { ocellus } from "#proto";
import type { CheckedAccess } from "../../../agent/identity/access.ts";
import {
  AccessTrial,
  keptFromFile,
  keptToFile,
  RETRY_NEW_AFTER_US,
} from "../../../agent/identity/trial.ts";
import { CA_PEM } from "../owner.ts";

const access = (name: string): CheckedAccess => ({
  store: {
    endpoint: `https://${name}`,
    region: "r",
    bucket: "bucket",
    accessKeyId: "a",
    secretAccessKey: "s",
    caPem: CA_PEM,
    pathStyle: true,
    sessionToken: "",
  },
  broker: { url: `mqtts://${name}`, username: "u", password: "p", caPem: CA_PEM },
});

const old = access("old");
const fresh = access("fresh");
const proven = () => new AccessTrial({ current: old, previous: null, proven: true });

const NO_PASSWORD = "The broker refuses the camera's user name or password.";
const NO_KEY = "The store does not know the camera's access key.";
const { ACCESS_TRYING, ACCESS_PROVEN, ACCESS_REJECTED } = ocellus.v1.AccessTrialState;

/** A trial with `fresh` put over `old`. */
function onTrial(): AccessTrial {
  const trial = proven();
  trial.take(trial.replacement(fresh));
  return trial;
}

test("a new access is used at once and the old one kept until both services worked", () => {
  const trial = onTrial();
  assert.deepEqual(trial.broker(), fresh.broker);
  assert.deepEqual(trial.store(), { current: fresh.store, previous: old.store });
  assert.equal(trial.brokerWorked(), false);
  assert.deepEqual(trial.kept, { current: fresh, previous: old, proven: false });
  assert.equal(trial.storeWorked(), true, "the caller has to keep this");
  assert.deepEqual(trial.kept, { current: fresh, previous: null, proven: true });
  assert.equal(trial.brokerWorked(), false, "proven once");
});

test("the order in which the services work does not matter", () => {
  const trial = onTrial();
  assert.equal(trial.storeWorked(), false);
  assert.equal(trial.brokerWorked(), true);
});

test("three failures in a row go back to the old broker, three more to the new one", () => {
  const trial = onTrial();
  const used = [];
  for (let attempt = 0; attempt < 7; attempt++) {
    used.push(trial.broker() === fresh.broker ? "new" : "old");
    trial.brokerFailed(0, NO_PASSWORD);
  }
  assert.deepEqual(used, ["new", "new", "new", "old", "old", "old", "new"]);
});

test("a success on the old broker proves nothing, and the new one is tried again later", () => {
  const trial = onTrial();
  for (let attempt = 0; attempt < 3; attempt++) trial.brokerFailed(1_000, NO_PASSWORD);
  assert.ok(trial.brokerOnPrevious);
  assert.equal(trial.brokerWorked(), false);
  assert.equal(trial.storeWorked(), false);
  assert.equal(trial.retryDue(1_000 + RETRY_NEW_AFTER_US - 1), false);
  assert.equal(trial.retryDue(1_000 + RETRY_NEW_AFTER_US), true);
  assert.deepEqual(trial.broker(), fresh.broker);
  assert.equal(trial.retryDue(3 * RETRY_NEW_AFTER_US), false);
  assert.equal(trial.brokerWorked(), true);
});

test("without an old access failures change nothing", () => {
  const trial = proven();
  for (let attempt = 0; attempt < 9; attempt++) trial.brokerFailed(0, NO_PASSWORD);
  assert.deepEqual(trial.broker(), old.broker);
});

test("a further access keeps the broker by which the order came and the store that took an object last", () => {
  const third = access("third");
  const bad = onTrial();
  for (let attempt = 0; attempt < 3; attempt++) bad.brokerFailed(0, NO_PASSWORD);
  assert.deepEqual(bad.replacement(third).previous, old);
  const halfGood = onTrial();
  halfGood.brokerWorked();
  assert.deepEqual(halfGood.replacement(third).previous, {
    store: old.store,
    broker: fresh.broker,
  });
  halfGood.storeWorked();
  assert.deepEqual(halfGood.replacement(third).previous, fresh);
});

test("bad accesses in a row never lose the store that works", () => {
  const trial = onTrial();
  for (const name of ["bad", "worse", "worst"]) {
    trial.brokerWorked();
    trial.storeFailed(NO_KEY);
    trial.take(trial.replacement(access(name)));
    assert.deepEqual(trial.store().previous, old.store, name);
  }
});

test("what is kept comes back from the file, and a previous access that is not whole is forgotten", () => {
  const { kept } = onTrial();
  assert.deepEqual(keptFromFile(keptToFile(kept)), kept);
  const proved = { current: old, previous: null, proven: true };
  assert.deepEqual(keptFromFile(keptToFile(proved)), proved);
  assert.deepEqual(keptFromFile({ current: fresh, previous: {}, proven: false })?.previous, null);
  assert.equal(keptFromFile({ current: { store: fresh.store }, proven: true }), null);
  assert.equal(keptFromFile({}), null);
});

test("status hears that it is being tried, why the older one serves, and that it has worked", () => {
  const trial = onTrial();
  const trying = { state: ACCESS_TRYING, reason: "" };
  assert.deepEqual(trial.report(), trying);
  trial.brokerFailed(0, NO_PASSWORD);
  trial.brokerFailed(0, NO_PASSWORD);
  assert.deepEqual(trial.report(), trying, "it is tried three times");
  trial.brokerFailed(0, NO_PASSWORD);
  assert.deepEqual(trial.report(), { state: ACCESS_REJECTED, reason: NO_PASSWORD });
  trial.brokerWorked();
  trial.storeFailed(NO_KEY);
  const both = { state: ACCESS_REJECTED, reason: `${NO_PASSWORD} ${NO_KEY}` };
  assert.deepEqual(trial.report(), both, "the older one worked, which mends nothing");
  for (let i = 0; i < 3; i++) trial.brokerFailed(0, "The old one is gone, too.");
  trial.brokerWorked();
  assert.deepEqual(trial.report(), { state: ACCESS_REJECTED, reason: NO_KEY });
  trial.storeWorked();
  assert.deepEqual(trial.report(), { state: ACCESS_PROVEN, reason: "" });
  trial.take(trial.replacement(old));
  assert.deepEqual(trial.report(), trying, "what was is not said of the next");
  trial.storeFailed(NO_KEY);
  trial.take(trial.replacement(fresh));
  assert.deepEqual(trial.report(), trying);
});
