/** The program at a terminal: `script` (Debian's bsdutils, which is essential) gives it one. */
import { OCELLUS, type Running, startProgram } from "./ocellus.ts";

/** Starts it at a terminal. `child.stdin` is the keyboard, what it shows is the output. */
export function startAtTerminal(args: readonly string[]): Running {
  const words = [process.execPath, OCELLUS, ...args].map((word) => `'${word}'`);
  // A terminal that is as wide as it likes to be, so that no line is broken.
  const command = `stty cols 200; exec ${words.join(" ")}`;
  return startProgram("script", ["--quiet", "--return", "--command", command, "/dev/null"], {});
}

/** Types a line. */
export function type({ child }: Running, line: string): void {
  child.stdin?.write(`${line}\r`);
}

/** Ctrl-C, as the keyboard sends it. */
export function ctrlC({ child }: Running): void {
  child.stdin?.write("\x03");
}
