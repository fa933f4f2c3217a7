import { inspect } from "node:util";
import { shown, shownLines } from "./shown.mjs";

/**
 * Expected trouble of set-up and builds: a full disk, a missing tool, a failed download, a compiler
 * error. The message is what the user reads: one sentence that says what to do.
 */
export class Problem extends Error {
  /**
   * @param {string} message one clear sentence with what to do
   * @param {string} lines what a tool or a log said, to be shown below it; "" for nothing
   */
  constructor(message, lines = "") {
    super(message);
    this.name = "Problem";
    this.lines = lines;
  }
}

/**
 * Tells a sentence on standard error, in one line whatever stands in it.
 * @param {string} sentence
 */
export function complain(sentence) {
  console.error(`ocellus: ${shown(sentence)}`);
}

/**
 * Tells of a bug on standard error, without ending for it.
 * @param {string} where what failed
 * @param {unknown} error
 */
export function complainOfBug(where, error) {
  console.error(shownLines(`ocellus: ${where}: ${inspect(error)}`));
}

/**
 * Ends a command line program: a Problem as its sentence, a full disk as one, anything else (a bug) with its stack.
 * @param {unknown} error
 * @param {number} status exit status
 * @returns {never}
 */
export function exitWith(error, status = 1) {
  const told = isFull(error) ? diskFull(writtenBy(error)) : error;
  if (told instanceof Problem) {
    complain(told.message);
    if (told.lines !== "") console.error(shownLines(told.lines));
  } else console.error(shownLines(inspect(told)));
  process.exit(status);
}

/**
 * The `code` of a system error ("ENOENT", "ENOSPC", …).
 * @param {unknown} error
 * @returns {string | undefined}
 */
export function errorCode(error) {
  return error instanceof Error && "code" in error && typeof error.code === "string"
    ? error.code
    : undefined;
}

/**
 * Turns errors every step can meet (disk full, no permission) into their sentence; others pass
 * through unchanged.
 * @param {unknown} error what was caught
 * @param {string} place directory that was being written
 * @returns {unknown} what to throw
 */
export function explain(error, place) {
  if (isFull(error)) return diskFull(place);
  const code = errorCode(error);
  if (code === "EACCES" || code === "EPERM" || code === "EROFS") {
    return new Problem(
      `${place} cannot be written (${code}); make it writable and run this again.`,
    );
  }
  return error;
}

/** What is wrong with a path that somebody named. */
const PATH_TROUBLE = new Map([
  ["ENOENT", "there is no such directory"],
  ["EEXIST", "something else stands there"],
  ["ENOTDIR", "a part of that path is a file, not a directory"],
  ["EISDIR", "that is a directory"],
  ["ELOOP", "its symbolic links go in a circle"],
  ["ENAMETOOLONG", "that name is too long"],
  ["EACCES", "permission is denied"],
  ["EPERM", "permission is denied"],
  ["EROFS", "that file system is read-only"],
  ["ENOSPC", "the disk is full"],
  ["EDQUOT", "the disk quota is used up"],
]);

/**
 * What an error of the file system says about a path that somebody named, in words, without a full stop.
 * @param {unknown} error
 * @returns {string | null} null for any other error
 */
export function pathTrouble(error) {
  return PATH_TROUBLE.get(errorCode(error) ?? "") ?? null;
}

/**
 * Like `explain`, for a place that somebody named: there what stands in the way is no bug.
 * @param {unknown} error what was caught
 * @param {string} place the directory that was named
 * @returns {unknown} what to throw
 */
export function explainNamed(error, place) {
  const explained = explain(error, place);
  const trouble = pathTrouble(error);
  if (explained instanceof Problem || trouble === null) return explained;
  return new Problem(`${place} cannot be used: ${trouble}; name another place.`);
}

/**
 * @param {unknown} error
 * @returns {boolean} whether it says that a disk, or what may be used of one, is full
 */
export function isFull(error) {
  return ["ENOSPC", "EDQUOT"].includes(errorCode(error) ?? "");
}

/**
 * What a system error says was being written, which not every one does.
 * @param {unknown} error
 * @returns {string | undefined}
 */
function writtenBy(error) {
  if (!(error instanceof Error)) return undefined;
  // Of a copy, `path` is what it was read from.
  for (const name of ["dest", "path"]) {
    const place = Reflect.get(error, name);
    if (typeof place === "string") return place;
  }
  return undefined;
}

/**
 * @param {string} [place] what is on the full file system, where that is known
 * @returns {Problem}
 */
export function diskFull(place) {
  const disk = place === undefined ? "a disk" : `the disk that holds ${place}`;
  return new Problem(
    `${disk} is full; free some space (\`make distclean\` drops the build cache) and run this again.`,
  );
}
