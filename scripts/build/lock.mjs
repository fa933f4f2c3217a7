/**
 * A lock between processes, held by the kernel: util-linux's `flock` keeps it for as long as a pipe
 * from this process stays open, so the lock of a killed process is free at once and there is no
 * stale lock to detect. (Node itself has no file locks; util-linux is essential in Debian.)
 */
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Runs `work` while holding the lock `path`.
 * @template T
 * @param {string} path lock file; created if missing and left in place
 * @param {() => void} onWait called once if another process holds the lock
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withLock(path, onWait, work) {
  mkdirSync(dirname(path), { recursive: true });
  let release = await acquire(path, ["--nonblock"]);
  if (release === undefined) {
    onWait();
    release = await acquire(path, []);
  }
  if (release === undefined) throw new Error(`flock could not lock ${path}`);
  try {
    return await work();
  } finally {
    await release();
  }
}

/**
 * @param {string} path
 * @param {readonly string[]} options of flock
 * @returns {Promise<(() => Promise<void>) | undefined>} the release, or undefined if it is taken
 */
function acquire(path, options) {
  return new Promise((resolve, reject) => {
    const holder = spawn(
      "flock",
      ["--exclusive", ...options, path, "sh", "-c", "echo held; exec cat >/dev/null"],
      { stdio: ["pipe", "pipe", "inherit"] },
    );
    /** @type {Promise<void>} */
    const closed = new Promise((done) => {
      holder.on("close", () => done());
    });
    holder.on("error", reject);
    holder.stdout.once("data", () =>
      resolve(() => {
        holder.stdin.end();
        return closed;
      }),
    );
    closed.then(() => resolve(undefined));
  });
}
