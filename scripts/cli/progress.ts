/**
 * A line on standard error that tells how far long work is: rewritten in place on a terminal, now and then a new line
 * elsewhere.
 */
import { shown } from "../build/shown.mjs";

const TERMINAL_MS = 200;
const QUIET_MS = 10_000;

/** Progress of one piece of work. */
export interface Progress {
  /** What to show now; shown when it is time. */
  show(text: string): void;
  /** Shows a line that stays. */
  tell(text: string): void;
  /** Removes the line. */
  end(): void;
}

/** Starts a progress line. Nothing is shown before the first `show`. */
export function startProgress(stream: NodeJS.WriteStream = process.stderr): Progress {
  const interval_ms = stream.isTTY ? TERMINAL_MS : QUIET_MS;
  // Work that ends at once needs no line where lines stay.
  let shown_ms = stream.isTTY ? 0 : Date.now();
  let standing = false;
  const clear = () => {
    if (standing) stream.write("\r\x1b[K");
    standing = false;
  };
  // Whatever is said at the very end begins on a line of its own.
  process.once("exit", clear);
  return {
    show(words) {
      if (Date.now() - shown_ms < interval_ms) return;
      shown_ms = Date.now();
      const text = shown(words);
      if (!stream.isTTY) {
        stream.write(`  ${text}\n`);
        return;
      }
      stream.write(`\r\x1b[K  ${text.slice(0, (stream.columns || 80) - 3)}`);
      standing = true;
    },
    tell(text) {
      clear();
      stream.write(`  ${shown(text)}\n`);
    },
    end() {
      process.off("exit", clear);
      clear();
    },
  };
}
