/** What a tested camera says, kept in a file, its last lines at hand for the sentence that tells of a failure. */
import { createWriteStream, type WriteStream } from "node:fs";
import { Problem } from "../build/problem.mjs";

/** What the camera said. */
export class CameraLog {
  #lines: string[] = [];
  readonly #file: WriteStream;

  constructor(file: string) {
    this.#file = createWriteStream(file);
  }

  line(line: string): void {
    this.#lines = [...this.#lines.slice(-9), line];
    this.#file.write(`${line}\n`);
  }

  /** Ends the log. */
  close(): Promise<void> {
    return new Promise((resolve) => this.#file.end(resolve));
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
