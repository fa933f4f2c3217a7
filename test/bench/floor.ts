/** The C floor: instructions for each byte of a loop that only copies, seals, hashes and TLS-encrypts. */
import { join } from "node:path";
import { ensure } from "../../scripts/build/ensure.mjs";
import { type Counts, count } from "./counter.ts";

/** 10 MiB, in chunks as the camera seals them: enough that a loop's start does not count. */
const BYTES = 320 * 32_768;

export interface Floor {
  readonly perByte: number;
  readonly counts: Counts;
}

export async function measureFloor(): Promise<Floor> {
  const program = join(await ensure("bench-floor"), "floor");
  const counts = await count(program, [`${BYTES}`]);
  return { perByte: counts.total.camera / BYTES, counts };
}
