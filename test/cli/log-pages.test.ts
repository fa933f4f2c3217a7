/** A log read in parts: whole, in order, nothing missing or twice, whatever it does meanwhile. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { LOG_BYTES } from "../../agent/control/actions.ts";
import { Problem } from "../../scripts/build/problem.mjs";
import { readWholeLog } from "../../scripts/cli/log-pages.ts";

/** A camera's log: lines are added at its end, and its oldest may be thrown away. */
class Log {
  text = "";
  asked = 0;
  #lines = 0;

  /** Of several lengths, some of them alike. */
  grow(lines: number, same = false): this {
    for (let i = 0; i < lines; i++) {
      this.#lines += 1;
      this.text += `${same ? "same" : `${this.#lines} ${"x".repeat((this.#lines * 37) % 900)}`}\n`;
    }
    return this;
  }

  /** As native.logTail. */
  part(back: number) {
    this.asked += 1;
    const end = Math.max(0, this.text.length - back);
    let from = Math.max(0, end - LOG_BYTES);
    if (from > 0) from = this.text.indexOf("\n", from - 1) + 1;
    return { log: Buffer.from(this.text.slice(from, end)), logEnd: this.text.length };
  }
}

const read = async (log: Log, meanwhile: (log: Log) => void = () => {}) =>
  Buffer.from(
    await readWholeLog(async (back) => {
      if (log.asked > 0) meanwhile(log);
      return log.part(back);
    }),
  ).toString();

test("a log that stands still", async () => {
  for (const lines of [0, 1, 2, 17, 18, 19, 40, 200]) {
    const log = new Log().grow(lines);
    assert.equal(await read(log), log.text, `${lines} lines`);
    const same = new Log().grow(lines * 20, true);
    assert.equal(await read(same), same.text, `${lines * 20} same lines`);
  }
});

test("a log that grows between the answers, by little and by more than an answer has", async () => {
  for (const grown of [1, 3, 10, 20, 60]) {
    for (const same of [false, true]) {
      const log = new Log().grow(150);
      const before = log.text;
      let times = 6;
      const all = await read(log, () => {
        times -= 1;
        if (times >= 0) log.grow(same ? grown * 50 : grown, same);
      });
      // Up to what was the newest when it was first asked.
      assert.equal(all, before, `by ${grown}`);
    }
  }
});

test("a log whose oldest lines are thrown away meanwhile is read anew", async () => {
  for (const when of [1, 2, 3, 5]) {
    for (const grown of [0, 1, 200]) {
      const log = new Log().grow(150);
      let times = 0;
      const all = await read(log, () => {
        times += 1;
        if (times !== when) return;
        const cut = log.text.indexOf("\n", log.text.length / 3) + 1;
        log.text = log.text.slice(cut);
        log.grow(grown);
      });
      assert.equal(all, log.text, `at answer ${when}, and ${grown} lines more`);
    }
  }
});

test("a log that never keeps still, or has no end, is a sentence", async () => {
  const restless = (error: unknown) =>
    error instanceof Problem && /changes faster/.test(error.message);
  const log = new Log().grow(150);
  const rotate = () => {
    log.text = log.text.slice(log.text.indexOf("\n", 9_000) + 1);
    log.grow(15);
  };
  await assert.rejects(read(log, rotate), restless);
  const page = Buffer.from("x\n".repeat(LOG_BYTES / 2));
  const endless = (_back: number) => Promise.resolve({ log: page, logEnd: 2 ** 50 });
  await assert.rejects(readWholeLog(endless), restless);
});
