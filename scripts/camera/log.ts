/** What a camera says, kept in files. */
import { closeSync, openSync, renameSync, writeFileSync } from "node:fs";
import { errorCode, explain, Problem } from "../build/problem.mjs";

/** How a log is kept. */
export interface LogOptions {
  /** A log of so many bytes is set aside, and begun anew. */
  readonly most_bytes: number;
  /** Told once where it cannot be written any more; what comes later is dropped. */
  readonly onTrouble: (problem: Problem) => void;
}

/** A log, written anew, readable by its owner only. Its holder closes it. */
export class LogFile {
  readonly #file: string;
  readonly #options: LogOptions;
  #descriptor: number | null = null;
  #bytes = 0;

  constructor(file: string, options: LogOptions) {
    this.#file = file;
    this.#options = options;
    this.#orTell(() => this.#open());
  }

  write(text: string): void {
    this.#orTell(() => {
      if (this.#descriptor === null) return;
      let descriptor = this.#descriptor;
      if (this.#bytes >= this.#options.most_bytes) {
        this.close();
        setAside(this.#file);
        descriptor = this.#open();
      }
      // Not a stream: that keeps in memory what a slow disk has not taken.
      writeFileSync(descriptor, text);
      this.#bytes += Buffer.byteLength(text);
    });
  }

  close(): void {
    if (this.#descriptor !== null) closeSync(this.#descriptor);
    this.#descriptor = null;
  }

  #open(): number {
    const descriptor = openSync(this.#file, "w", 0o600);
    this.#descriptor = descriptor;
    this.#bytes = 0;
    return descriptor;
  }

  #orTell(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.close();
      const told = explain(error, this.#file);
      const why = error instanceof Error ? error.message : `${error}`;
      this.#options.onTrouble(
        told instanceof Problem
          ? told
          : new Problem(
              `${this.#file} cannot be written (${why}); see to that and run this again.`,
            ),
      );
    }
  }
}

/** Puts a log, where there is one, beside itself: under its name and ".before", in place of what was there. */
export function setAside(file: string): void {
  try {
    renameSync(file, `${file}.before`);
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
  }
}

/** What a tested camera said, whole, its last lines at hand for the sentence that tells of a failure. */
export class CameraLog {
  #lines: string[] = [];
  #trouble: Problem | null = null;
  readonly #file: LogFile;

  constructor(file: string) {
    const onTrouble = (problem: Problem) => {
      this.#trouble = problem;
    };
    this.#file = new LogFile(file, { most_bytes: Number.POSITIVE_INFINITY, onTrouble });
  }

  line(line: string): void {
    this.#lines = [...this.#lines.slice(-9), line];
    this.#file.write(`${line}\n`);
  }

  /** Throws Problem where a line could not be written. */
  check(): void {
    if (this.#trouble !== null) throw this.#trouble;
  }

  /** Ends the log. */
  close(): void {
    this.#file.close();
  }

  /** The end of its log, for a sentence about a camera that got stuck. */
  get lastLines(): string {
    return this.#lines.join("\n");
  }
}

/** A problem that shows them, too. */
export function withLog({ message }: Problem, log: CameraLog): Problem {
  return new Problem(`${message} The camera's log ends:`, log.lastLines);
}
