/** All of a log that a camera keeps, read in as many answers as it takes while it grows. */
import { Problem } from "../build/problem.mjs";

/** A log's part as an answer has it: Reply.log and Reply.log_end. */
export interface LogPage {
  /** Whole lines. */
  readonly log: Uint8Array;
  /** Where the whole log ended then, bytes. */
  readonly logEnd: number;
}

/** What is to lie between two commands, for a camera judges eight at once, then two a second, whoever sends them. */
export const PAGE_MS = 600;
/** Beginnings anew, after the camera has thrown away old lines between two answers. */
const STARTS_MOST = 5;
/** Answers in all: several times what a camera keeps. One in a thief's hands could go on for ever. */
const ANSWERS_MOST = 100;
/** Less than an answer and more than a line has: an answer that reaches back so far and has nothing older is the last. */
const FAR_BYTES = 4_096;

/**
 * Reads from the newest to the oldest. Each answer overlaps what is known by at least a line, by which it is seen whether the
 * camera has thrown old lines away meanwhile: then all is read anew. No line is missing and none is there twice.
 * @param ask for what stands before the newest `back` bytes.
 * @throws Problem where it never fits together.
 */
export async function readWholeLog(ask: (back: number) => Promise<LogPage>): Promise<Uint8Array> {
  let answers = 0;
  const askNext = (back: number) => {
    answers += 1;
    if (answers > ANSWERS_MOST) throw restless();
    return ask(back);
  };
  for (let start = 0; start < STARTS_MOST; start++) {
    const whole = await readOnce(askNext);
    if (whole !== null) return whole;
  }
  throw restless();
}

function restless(): Problem {
  return new Problem(
    "the camera's log changes faster than it can be read; try again, or read its end, without --all.",
  );
}

/** Null where the camera has thrown away old lines meanwhile. */
async function readOnce(ask: (back: number) => Promise<LogPage>): Promise<Uint8Array | null> {
  const first = await ask(0);
  let known = Buffer.from(first.log);
  let end = first.logEnd;
  let from = end - known.length;
  for (;;) {
    if (known.length === 0) return known;
    const back = Math.max(0, end - from - (known.indexOf("\n") + 1));
    const { log, logEnd } = await ask(back);
    const page = Buffer.from(log);
    const pageEnd = logEnd - back;
    const pageFrom = pageEnd - page.length;
    const overlap = pageEnd - from;
    if (logEnd < end || overlap <= 0) return null;
    const at = Math.max(0, pageFrom - from);
    const inPage = Math.max(0, from - pageFrom);
    // What it has grown by since reaches past what is known: `seen` is shorter then, or empty.
    const seen = known.subarray(at, overlap);
    if (!page.subarray(inPage, inPage + seen.length).equals(seen)) return null;
    end = logEnd;
    if (pageFrom < from) {
      known = Buffer.concat([page.subarray(0, from - pageFrom), known]);
      from = pageFrom;
    } else if (overlap < FAR_BYTES) return known;
  }
}
