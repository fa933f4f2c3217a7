/** The lock on an owner's state, between real processes, some of which are killed while they hold it. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { withLock } from "../../scripts/build/lock.mjs";
import { createOwner, type Keystore, loadOwner } from "../../scripts/owner/keystore.ts";
import { fullOwner } from "../owner/support/owners.ts";
import { until } from "./support/until.ts";

const ADD_CAMERA = fileURLToPath(new URL("support/add-camera.ts", import.meta.url));
const FOREVER_MS = 1_000_000;

interface Changer {
  readonly child: ChildProcess;
  /** All it wrote so far. */
  output(): string;
  /** Its exit status, once it ended. */
  readonly ended: Promise<number | null>;
}

async function keystore(t: TestContext): Promise<Keystore> {
  const home = await mkdtemp(join(tmpdir(), "ocellus-lock-"));
  t.after(() => rm(home, { recursive: true }));
  const store = { home, askPassphrase: async () => new Uint8Array() };
  await createOwner(store, { owner: { ...fullOwner(), cameras: [] } });
  return store;
}

function addCamera(t: TestContext, { home }: Keystore, name: string, hold_ms: number): Changer {
  const args = ["--import", "tsx", ADD_CAMERA, home, name, String(hold_ms)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  t.after(() => child.kill("SIGKILL"));
  let output = "";
  const keep = (piece: Buffer) => {
    output += piece.toString();
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  const ended = once(child, "close").then(([status]: (number | null)[]) => status ?? null);
  return { child, output: () => output, ended };
}

const isIn = ({ output }: Changer) => until("it is in", () => /^in$/m.test(output()));
const waits = ({ output }: Changer) =>
  until("it waits", () => {
    assert.doesNotMatch(output(), /^in$/m);
    return output().includes("waiting for");
  });

async function names(store: Keystore): Promise<string[]> {
  return (await loadOwner(store)).owner.cameras.map(({ name }) => name).sort();
}

test("of two that wait for a process which is killed, one after the other goes on, and both changes stay", async (t) => {
  const store = await keystore(t);
  const killed = addCamera(t, store, "killed", FOREVER_MS);
  await isIn(killed);
  const waiting = ["one", "two"].map((name) => addCamera(t, store, name, 300));
  for (const changer of waiting) await waits(changer);
  killed.child.kill("SIGKILL");
  for (const changer of waiting) assert.equal(await changer.ended, 0, changer.output());
  assert.deepEqual(await names(store), ["one", "two"]);
});

test("what a process left that was killed while it locked or wrote holds nobody up, and its secrets go", async (t) => {
  const store = await keystore(t);
  for (const left of ["", String(process.pid)]) {
    await writeFile(join(store.home, "owner.lock"), left);
    await writeFile(join(store.home, ".0123456789ab.part"), "half of all secrets");
    const changer = addCamera(t, store, `after-${left.length}`, 0);
    assert.equal(await changer.ended, 0, changer.output());
    assert.doesNotMatch(changer.output(), /waiting/);
    assert.deepEqual((await readdir(store.home)).sort(), ["owner.json", "owner.lock"]);
  }
});

test("processes that are killed at any moment leave a state that the next one changes at once", async (t) => {
  const store = await keystore(t);
  for (const hold_ms of [0, 1, 2, 4, 8]) {
    const changer = addCamera(t, store, `killed-${hold_ms}`, hold_ms);
    await isIn(changer);
    changer.child.kill("SIGKILL");
    await changer.ended;
  }
  const next = addCamera(t, store, "next", 0);
  assert.equal(await next.ended, 0, next.output());
  assert.ok((await names(store)).includes("next"));
});

test("one of two that make an owner in the same place is refused, so that its phrase is not lost", async (t) => {
  const store = await keystore(t);
  await rm(join(store.home, "owner.json"));
  const [first, second] = [fullOwner(), fullOwner()];
  const made = await Promise.allSettled(
    [first, second].map((owner) => createOwner(store, { owner })),
  );
  assert.deepEqual(made.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
  const winner = made[0]?.status === "fulfilled" ? first : second;
  assert.deepEqual((await loadOwner(store)).owner, winner);
});

test("who waits too long for a process that lives is told which file it holds", async (t) => {
  const store = await keystore(t);
  const holder = addCamera(t, store, "holder", FOREVER_MS);
  await isIn(holder);
  const lock = join(store.home, "owner.lock");
  const never = () => assert.fail("two hold it");
  await assert.rejects(
    withLock(
      lock,
      () => undefined,
      async () => never(),
      1,
    ),
    /owner\.lock for 1 s; wait until it ends/,
  );
});
