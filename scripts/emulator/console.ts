/**
 * The shell on a development image's serial console, for tests and measurements: a command in, its output out.
 * What the kernel says meanwhile may stand between the lines.
 */
import { randomBytes } from "node:crypto";
import { Problem } from "../build/problem.mjs";
import type { Machine } from "./machine.ts";

const ANSWER_MS = 20_000;

/** One shell; commands one after another. Feed it every line of the console. */
export class Console {
  readonly #lines: string[] = [];
  #heard: (() => void) | null = null;

  /** The next line of the console. */
  line(text: string): void {
    this.#lines.push(text);
    this.#heard?.();
  }

  /**
   * Runs a command.
   * @returns the lines it printed, to standard output and error.
   * Throws Problem where the shell does not answer.
   */
  async run(machine: Machine, command: string): Promise<string[]> {
    const mark = randomBytes(8).toString("hex");
    this.#lines.length = 0;
    // Said in two parts: the console shows what is typed, and only what is printed has them as one.
    machine.type(`echo "begin"-${mark}; ${command}; echo "end"-${mark}\n`);
    const deadline_ms = Date.now() + ANSWER_MS;
    for (;;) {
      // The prompt may stand before it.
      const begin = this.#lines.findIndex((line) => line.endsWith(`begin-${mark}`));
      const end = this.#lines.findIndex((line) => line.endsWith(`end-${mark}`));
      if (begin >= 0 && end > begin) return this.#lines.slice(begin + 1, end);
      const left_ms = deadline_ms - Date.now();
      if (left_ms <= 0) throw new Problem(`the camera's console did not answer to: ${command}`);
      await this.#next(left_ms);
    }
  }

  #next(within_ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, within_ms);
      this.#heard = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
