/** `make relock`: pins every source package in sources.lock.json to the newest version there is. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkout } from "../build/ensure.mjs";
import { exitWith, Problem } from "../build/problem.mjs";
import { withProgress } from "../build/progress.mjs";
import { machineArchives, newestSources } from "./apt.mjs";
import { readSourcesLock, writeSourcesLock } from "./sources-lock.mjs";

/** @param {string} root the checkout */
async function relock(root) {
  const lock = readSourcesLock(root);
  const names = Object.keys(lock.packages).sort();
  const scratch = mkdtempSync(join(tmpdir(), "ocellus-relock-"));
  try {
    const archives = await machineArchives();
    const found = await withProgress(`reading the source index of ${lock.suite}`, () =>
      newestSources(archives, lock.suite, names, scratch),
    );
    for (const name of names) {
      const source = found.get(name);
      if (source === undefined) throw new Problem(`${lock.suite} has no source package ${name}.`);
      const before = lock.packages[name]?.version;
      console.log(
        before === source.version ? `${name} ${before}` : `${name} ${before} → ${source.version}`,
      );
      lock.packages[name] = source;
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  writeSourcesLock(root, lock);
}

try {
  await relock(checkout);
} catch (error) {
  exitWith(error);
}
