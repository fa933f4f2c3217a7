/**
 * Debian's mipsel programs (recipe bench-programs), run to their end under the counter. Libraries are
 * found below the artefact's root; what they say on standard error is kept for a failure's text.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ensure } from "../../scripts/build/ensure.mjs";
import { count } from "./counter.ts";

/** A cost that grows with the bytes: instructions = start + perByte × bytes. */
export interface Cost {
  readonly start: number;
  readonly perByte: number;
}

/** The unpacked packages. */
export async function programsRoot(): Promise<string> {
  return join(await ensure("bench-programs"), "root");
}

/**
 * Instructions of one run of a program.
 * @param path below the root, such as "usr/bin/openssl"
 * @param env its environment
 */
export async function instructions(
  path: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<number> {
  const root = await programsRoot();
  const program = join(root, path);
  if (!existsSync(program)) throw new Error(`${path} is not in Debian's packages`);
  const counts = await count(program, args, { env, qemu: ["-L", root] });
  return counts.total.camera;
}

/** The line through two measurements of (bytes, instructions). */
export function costOf(
  small: readonly [bytes: number, instructions: number],
  large: readonly [bytes: number, instructions: number],
): Cost {
  const perByte = (large[1] - small[1]) / (large[0] - small[0]);
  return { perByte, start: small[1] - perByte * small[0] };
}
