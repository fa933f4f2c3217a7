/** Property tests: a seed that is printed, and that can be given again. */
import fc from "fast-check";

/** Seed of this process's property tests: OCELLUS_SEED, or a fresh one. Printed, so that a failure can be repeated. */
export const SEED = Number(process.env.OCELLUS_SEED ?? Math.floor(Math.random() * 0x7fff_ffff));
console.log(`seed ${SEED} (OCELLUS_SEED=${SEED} repeats it)`);

/** Checks a property `runs` times from the process's seed; a failure names the smallest counterexample. */
export function check<T>(property: fc.IPropertyWithHooks<T>, runs = 200): void {
  fc.assert(property, { seed: SEED, numRuns: runs });
}
