/**
 * Mutational fuzzing with kept corpora, bounded by time. FUZZ_SECONDS sets how long each target runs (default 4),
 * OCELLUS_SEED repeats a run; both are printed. An input that shows a fault is printed in hex: it belongs into the corpus afterwards.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const SECONDS = Number(process.env.FUZZ_SECONDS ?? 4);
const SEED = Number(process.env.OCELLUS_SEED ?? Math.floor(Math.random() * 0x7fff_ffff));

/** The inputs kept for a target, by file name. */
export function corpusOf(target: string): Uint8Array[] {
  const folder = join(import.meta.dirname, "corpus", target);
  const inputs = readdirSync(folder)
    .sort()
    .map((name) => new Uint8Array(readFileSync(join(folder, name))));
  if (inputs.length === 0) throw new Error(`the corpus ${folder} is empty`);
  return inputs;
}

/** A small generator that repeats (mulberry32): not for secrets. */
export function generator(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const TELLING = [0, 1, 2, 0x7f, 0x80, 0x81, 0xfe, 0xff, 0x20, 0x30, 0x40];

/** One to eight changes of `input`: bits, telling bytes, cuts, repeats, insertions, pieces of another input. */
export function mutate(
  input: Uint8Array,
  others: readonly Uint8Array[],
  random: (below: number) => number,
): Uint8Array {
  let bytes = Array.from(input);
  for (let change = random(8); change >= 0; change--) {
    const at = random(bytes.length + 1);
    const length = random(8) + 1;
    switch (random(8)) {
      case 0:
        bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
        break;
      case 1:
        bytes[at] = TELLING[random(TELLING.length)] ?? 0;
        break;
      case 2:
        bytes.splice(at, length);
        break;
      case 3:
        bytes.splice(at, 0, ...bytes.slice(at, at + length));
        break;
      case 4:
        bytes.splice(at, 0, ...Array.from({ length }, () => random(256)));
        break;
      case 5:
        bytes = bytes.slice(0, at);
        break;
      case 6: {
        const other = others[random(others.length)] ?? input;
        const from = random(other.length + 1);
        bytes.splice(at, length, ...other.subarray(from, from + random(64)));
        break;
      }
      default:
        bytes[at] = random(256);
    }
  }
  return Uint8Array.from(bytes);
}

/** Changes an input, out of nothing but what it is given. */
export type Mutation = typeof mutate;

/**
 * Gives `check` first every input of the corpus as it is, then mutations of them until time is up. Rethrows what `check`
 * throws, with the input.
 */
export async function fuzz(
  target: string,
  check: (input: Uint8Array, isMutated: boolean) => void | Promise<void>,
  change: Mutation = mutate,
): Promise<void> {
  const corpus = corpusOf(target);
  const random = generator(SEED);
  const end = Date.now() + SECONDS * 1000;
  let runs = 0;
  let current = new Uint8Array(0);
  const tell = () => {
    console.log(`${target}: seed ${SEED}, input ${Buffer.from(current).toString("hex")}`);
  };
  const run = async (input: Uint8Array, isMutated: boolean) => {
    runs += 1;
    current = new Uint8Array(input);
    try {
      await check(input, isMutated);
    } catch (error) {
      tell();
      throw error;
    }
  };
  // What is thrown in a turn of its own does not pass through here.
  process.on("uncaughtExceptionMonitor", tell);
  try {
    for (const input of corpus) await run(input, false);
    while (Date.now() < end) {
      await run(change(corpus[random(corpus.length)] ?? new Uint8Array(0), corpus, random), true);
    }
  } finally {
    process.off("uncaughtExceptionMonitor", tell);
  }
  console.log(`${target}: seed ${SEED}, ${corpus.length} kept inputs, ${runs} runs`);
}
