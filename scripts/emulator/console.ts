/**
 * The serial console of an emulated camera: what it says, and on a development image its shell, for tests and measurements.
 */
import { randomBytes } from "node:crypto";
import { Problem } from "../build/problem.mjs";

/** Bounds a wait for what takes a second or a few on a machine that is not busy. */
const PATIENCE_MS = 120_000;
/** Shown of the console where a wait fails. */
const TAIL = 4_000;
/** What printk writes into the middle of whatever is being said. */
const KERNEL_LINE = /\[ *\d+\.\d{6}\] [^\n]*\n/g;

/** What a command printed, to standard output and error, and its exit status. */
export interface Answer {
  readonly text: string;
  readonly status: number;
}

/** One console, whose reader waits for one thing at a time. */
export class Console {
  readonly #type: (text: string) => void;
  #output = "";
  /** Where the next wait begins to read. */
  #read = 0;
  #quiet = false;
  #over: string | null = null;
  #heard: (() => void) | null = null;

  /** @param type sends keystrokes. */
  constructor(type: (text: string) => void) {
    this.#type = type;
  }

  /** What came next from the serial line. */
  take(text: string): void {
    this.#output += text.replaceAll("\r", "");
    this.#heard?.();
  }

  /** Nothing more will come. */
  end(why: string): void {
    this.#over = why;
    this.#heard?.();
  }

  /** All that it has said, with "\n" at the end of each line. */
  get output(): string {
    return this.#output;
  }

  /** What has come until now is waited for no more. */
  skip(): void {
    this.#read = this.#output.length;
  }

  /** Waits until it has said this, at any time. Throws Problem where that does not come. */
  async seen(pattern: RegExp, within_ms = PATIENCE_MS): Promise<void> {
    const deadline_ms = Date.now() + within_ms;
    while (!pattern.test(this.#output)) await this.#more(deadline_ms, `${pattern}`);
  }

  /** Waits until it says this, after what was waited for before. Throws Problem where that does not come. */
  async see(pattern: RegExp, within_ms = PATIENCE_MS): Promise<RegExpExecArray> {
    const deadline_ms = Date.now() + within_ms;
    for (;;) {
      const found = pattern.exec(this.#output.slice(this.#read));
      if (found !== null) {
        this.#read += found.index + found[0].length;
        return found;
      }
      await this.#more(deadline_ms, `${pattern}`);
    }
  }

  /** Has the kernel say nothing more here: then what commands print may look like its lines. */
  async quieten(): Promise<void> {
    await this.run("dmesg -n 1");
    this.#quiet = true;
  }

  /** Runs a command in the shell. The kernel's own lines are left out. Throws Problem where the shell does not answer. */
  async run(command: string, within_ms = PATIENCE_MS): Promise<Answer> {
    const mark = randomBytes(8).toString("hex");
    // Said in two parts: the console shows what is typed, and only what is printed has them as one.
    const answer = new RegExp(`begin-${mark}\n(.*)end-${mark}:(\\d+)\n`, "s");
    const deadline_ms = Date.now() + within_ms;
    this.skip();
    this.#type(`echo "begin"-${mark}; ${command}; echo "end"-${mark}:$?\n`);
    for (;;) {
      const said = this.#output.slice(this.#read);
      const found = answer.exec(this.#quiet ? said : said.replaceAll(KERNEL_LINE, ""));
      if (found !== null) {
        this.skip();
        return { text: found[1] ?? "", status: Number(found[2]) };
      }
      await this.#more(deadline_ms, command);
    }
  }

  /** Waits for more output. Throws Problem at the deadline, naming what was waited for. */
  async #more(deadline_ms: number, what: string): Promise<void> {
    const left_ms = deadline_ms - Date.now();
    if (this.#over !== null || left_ms <= 0) {
      const why = this.#over ?? "the camera's console did not say it";
      throw new Problem(`${what}: ${why}; the console's end:\n${this.#output.slice(-TAIL)}`);
    }
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, left_ms);
      this.#heard = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
