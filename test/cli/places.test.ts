/** Directories that people name for keys and for the cloud's state: made private, and never changed where they are there already. */
import assert from "node:assert/strict";
import { chmod, chown, mkdir, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Problem } from "../../scripts/build/problem.mjs";
import { openControl } from "../../scripts/cloud/control.ts";
import { controlSocket, openState } from "../../scripts/cloud/state.ts";
import { makePrivateDirectory } from "../../scripts/owner/files.ts";
import { changeOwner, loadOwner, saveOwner } from "../../scripts/owner/keystore.ts";
import { fullOwner } from "../owner/support/owners.ts";

const ANOTHER_UID = 61_999;

const mode = async (path: string) => (await stat(path)).mode & 0o7777;

async function inScratch(use: (scratch: string) => Promise<void>): Promise<void> {
  const scratch = await mkdtemp(join(tmpdir(), "ocellus-places-"));
  await use(scratch).finally(() => rm(scratch, { recursive: true }));
}

/** A directory of that mode, whatever the umask. */
async function make(path: string, bits: number): Promise<string> {
  await mkdir(path);
  await chmod(path, bits);
  return path;
}

/** One of another user's: root's are there for everybody else. */
async function othersDirectory(scratch: string): Promise<string> {
  if (process.geteuid?.() !== 0) return "/";
  const path = await make(join(scratch, "others"), 0o755);
  await chown(path, ANOTHER_UID, ANOTHER_UID);
  return path;
}

for (const [option, open] of [
  ["--state", openState],
  ["--home", makePrivateDirectory],
] as const) {
  test(`${option} makes what is missing private, and uses what only its owner can write to as it is`, async () => {
    await inScratch(async (scratch) => {
      await open(join(scratch, "new/er"));
      assert.equal(await mode(join(scratch, "new/er")), 0o700);
      for (const bits of [0o755, 0o750, 0o700]) {
        const there = await make(join(scratch, bits.toString(8)), bits);
        await open(there);
        assert.equal(await mode(there), bits);
      }
    });
  });

  test(`${option} refuses a directory that others can write to, and leaves it as it is`, async () => {
    await inScratch(async (scratch) => {
      for (const [bits, mend] of [
        [0o1777, /such as a new one inside it\.$/],
        [0o777, /, or, if it is yours alone, run `chmod go-w '?\/.*777'?`\.$/],
        [0o775, /chmod go-w/],
        [0o702, /chmod go-w/],
      ] as const) {
        const there = await make(join(scratch, bits.toString(8)), bits);
        await assert.rejects(open(there), (error) => {
          assert.ok(error instanceof Problem);
          assert.match(error.message, new RegExp(`can write to .* \\(mode ${bits.toString(8)}\\)`));
          assert.match(error.message, mend);
          return true;
        });
        assert.equal(await mode(there), bits);
      }
      const others = await othersDirectory(scratch);
      const before = await mode(others);
      await assert.rejects(open(others), /belongs to another user \(uid \d+\)/);
      assert.equal(await mode(others), before);
    });
  });
}

test("keys in a directory that others can write to are neither used nor changed", async () => {
  await inScratch(async (scratch) => {
    const store = { home: join(scratch, "home"), askPassphrase: async () => new Uint8Array() };
    await saveOwner(store, { owner: fullOwner() });
    await chmod(store.home, 0o777);
    await assert.rejects(loadOwner(store), /others on this machine can write/);
    await assert.rejects(
      changeOwner(store, (owner) => [owner, undefined]),
      /others on this machine can write/,
    );
    await chmod(store.home, 0o755);
    await loadOwner(store);
  });
});

test("the socket of a running cloud is its user's alone in a directory that others can enter", async () => {
  await inScratch(async (scratch) => {
    await chmod(scratch, 0o755);
    const umask = process.umask(0);
    try {
      const door = await openControl(scratch);
      const bits = await mode(controlSocket(scratch)).finally(() => door.close());
      assert.equal(bits, 0o600);
      assert.equal(process.umask(0), 0);
    } finally {
      process.umask(umask);
    }
  });
});
