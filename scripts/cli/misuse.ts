/** Wrong usage that commander cannot see by itself. */
import { Problem } from "../build/problem.mjs";

/** What was typed cannot be meant: the sentence says what can. The program ends with status 2. */
export class Misuse extends Problem {
  override readonly name = "Misuse";
}

/** What `read` makes of what was typed; a Problem it throws is a Misuse. */
export function typed<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof Problem ? new Misuse(error.message) : error;
  }
}
