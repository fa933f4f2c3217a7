/**
 * A proof: what takes too long for `make test`, shown at full length by `make proof`. Its bounded slice is a test. To add
 * one, export it from a file of this folder and list it in main.ts.
 */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { Problem } from "../../scripts/build/problem.mjs";

export interface Proof {
  /** On the command line, and its folder below out/proof. */
  readonly name: string;
  /** What it shows, one line. */
  readonly shows: string;
  /** About how long it takes. */
  readonly minutes: number;
  /** @param directory its own, empty; what it leaves there is kept */
  run(directory: string): Promise<Verdict>;
}

export interface Verdict {
  /** Why it is not shown, one sentence; null where it is. */
  readonly fault: string | null;
  /** What was measured, one line. */
  readonly measured: string;
}

/** Those named, all where none is. Throws Problem for a name that is none. */
export function chosen(proofs: readonly Proof[], names: readonly string[]): readonly Proof[] {
  const known = proofs.map(({ name }) => name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new Problem(`there is no proof ${unknown}; there are: ${known.join(", ")}.`);
  return names.length === 0 ? proofs : proofs.filter(({ name }) => names.includes(name));
}

/** Runs them one after the other, each whatever became of the one before. @returns whether all is shown */
export async function prove(
  proofs: readonly Proof[],
  out: string,
  tell: (line: string) => void,
): Promise<boolean> {
  let all = true;
  for (const proof of proofs) {
    tell(`${proof.name}: ${proof.shows} (about ${proof.minutes} minutes)`);
    const directory = join(out, proof.name);
    await rm(directory, { recursive: true, force: true });
    await mkdir(directory, { recursive: true });
    const { fault, measured } = await attempt(proof, directory);
    if (measured !== "") tell(`  ${measured}`);
    tell(fault === null ? "  shown" : `  NOT SHOWN: ${fault}`);
    all &&= fault === null;
  }
  return all;
}

async function attempt(proof: Proof, directory: string): Promise<Verdict> {
  try {
    return await proof.run(directory);
  } catch (error) {
    return { fault: error instanceof Error ? error.message : String(error), measured: "" };
  }
}
