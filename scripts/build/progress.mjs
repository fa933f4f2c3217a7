/** Tells on standard error what a long step does and since how many seconds. */

/** Between two lines where standard error is not a terminal, so that a log stays readable. */
const QUIET_INTERVAL_MS = 15_000;
const TERMINAL_INTERVAL_MS = 1_000;

/**
 * Shows `what` with elapsed seconds until the work ends.
 * @template T
 * @param {string} what present tense, e.g. "building quickjs-host"
 * @param {() => Promise<T>} work
 * @returns {Promise<T>} what the work returned
 */
export async function withProgress(what, work) {
  const started_ms = Date.now();
  const seconds = () => Math.round((Date.now() - started_ms) / 1000);
  const terminal = process.stderr.isTTY;
  const show = terminal
    ? () => process.stderr.write(`\r\x1b[K  ${what} … ${seconds()} s`)
    : () => process.stderr.write(`  ${what} … ${seconds()} s\n`);
  process.stderr.write(terminal ? `  ${what} …` : `  ${what} …\n`);
  const timer = setInterval(show, terminal ? TERMINAL_INTERVAL_MS : QUIET_INTERVAL_MS);
  try {
    const result = await work();
    process.stderr.write(`${terminal ? "\r\x1b[K" : ""}  ${what}: done in ${seconds()} s\n`);
    return result;
  } catch (error) {
    if (terminal) process.stderr.write("\n");
    throw error;
  } finally {
    clearInterval(timer);
  }
}
