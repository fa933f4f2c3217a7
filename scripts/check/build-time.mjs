/** Whether the oldest time that a camera believes, a date in the source, is of the time in which the source was written. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { capture } from "../build/process.mjs";

/** Where it stands. */
export const BUILD_TIME_FILE = "native/host/build_time.h";
/** The more it lags behind, the older a certificate or a store's time is believed by a camera that knows no time yet. */
const DAYS_MOST = 90;
const DAY_S = 86_400;

/**
 * @param {string} root the checkout
 * @returns {Promise<{found: string, note?: string}>} what is wrong, empty if nothing; and why what was not looked at
 */
export async function staleBuildTime(root) {
  const text = readFileSync(join(root, BUILD_TIME_FILE), "utf8");
  const now_s = Date.now() / 1000;
  const { code, stdout, stderr } = await capture("git", ["log", "-1", "--format=%ct"], {
    cwd: root,
  }).catch((error) => ({ code: 1, stdout: "", stderr: String(error.message) }));
  if (code === 0) return { found: buildTimeMistake(text, Number(stdout), now_s) };
  const why = stderr.trim().split("\n")[0] ?? "";
  return {
    found: buildTimeMistake(text, null, now_s),
    note: `its age was not looked at, for git does not tell the newest commit: ${why}`,
  };
}

/**
 * @param {string} text of the file
 * @param {number | null} commit_s when the newest commit was made, seconds since 1970; null: not known
 * @param {number} now_s
 * @returns {string} one sentence; empty: nothing
 */
export function buildTimeMistake(text, commit_s, now_s) {
  const day = /^#define OCELLUS_BUILD_TIME_S (\d+) \/\* (\d{4}-\d\d-\d\d) \*\/$/m.exec(text);
  const build_s = Number(day?.[1]);
  if (day === null || build_s * 1000 !== Date.parse(`${day[2]}T00:00:00Z`))
    return `${BUILD_TIME_FILE} is to define OCELLUS_BUILD_TIME_S as the first second of a day and name that day (UTC).`;
  if (build_s > now_s)
    return `${BUILD_TIME_FILE}: ${day[2]} has not come yet, and cameras would believe no earlier time; write a day that is past.`;
  if (commit_s === null || commit_s - build_s <= DAYS_MOST * DAY_S) return "";
  const today = new Date(commit_s * 1000).toISOString().slice(0, 10);
  const today_s = Date.parse(`${today}T00:00:00Z`) / 1000;
  return `${BUILD_TIME_FILE}: ${day[2]} is more than ${DAYS_MOST} days before the newest commit; write "#define OCELLUS_BUILD_TIME_S ${today_s} /* ${today} */".`;
}
