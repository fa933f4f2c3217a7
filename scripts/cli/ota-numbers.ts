/** Whole numbers in the options of the commands about updates. */
import { Misuse } from "./misuse.ts";

const U32_MAX = 0xffff_ffff;

/** A whole number of `least` to 2^32 - 1. Throws Misuse where it is none. */
export function wholeNumber(option: string, text: string, least: number): number {
  const value = /^[0-9]{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= U32_MAX) return value;
  throw new Misuse(`${option} takes a whole number from ${least} on, not "${text}".`);
}
