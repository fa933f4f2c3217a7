/**
 * A lock between processes, held by the kernel: util-linux's `flock` keeps it for as long as a pipe
 * from this process stays open, so the lock of a killed process is free at once and there is no
 * stale lock to detect. (Node itself has no file locks; util-linux is essential in Debian.)
 */
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { Problem } from "./problem.mjs";

/**
 * Runs `work` while holding the lock `path`.
 * @template T
 * @param {string} path lock file; created if missing and left in place
 * @param {() => void} onWait called once if another process holds the lock
 * @param {() => Promise<T>} work
 * @param {number} [wait_s] give up after so long; by default never
 * @returns {Promise<T>}
 * @throws {Problem} where the other process holds it for longer than that
 */
export async function withLock(path, onWait, work, wait_s) {
  mkdirSync(dirname(path), { recursive: true });
  let release = await acquire(path, ["--nonblock"]);
  if (release === undefined) {
    onWait();
    release = await acquire(path, wait_s === undefined ? [] : ["--timeout", `${wait_s}`]);
  }
  if (release === undefined) {
    if (wait_s === undefined) throw new Error(`flock could not lock ${path}`);
    throw new Problem(
      `another process has held ${path} for ${wait_s} s; wait until it ends, then run this again.`,
    );
  }
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
      // In a process group of its own: a terminal's Ctrl-C must not take the lock from work that still ends in order.
      { stdio: ["pipe", "pipe", "inherit"], detached: true },
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
