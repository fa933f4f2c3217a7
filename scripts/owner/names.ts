/**
 * Which segments the store says there are: names in the order of their numbers, over all classes.
 *
 * Whoever has a camera's access to the store can put objects of any name and content under its prefix. They are told, and
 * cost time, but hide nothing.
 */
import {
  cameraPrefix,
  type FootageClass,
  isBoot,
  parseSegmentObjectName,
} from "../../agent/seal/names.ts";
import { isRefused } from "../../agent/seal/refusal.ts";
import { Problem } from "../build/problem.mjs";
import { byBytes } from "./answers.ts";
import type { CameraView } from "./heads.ts";
import { type Named, Refusal } from "./open.ts";
import type { Listed, Store } from "./store.ts";

const PAGE = 1000;
const PAGE_GROWTH = 4;
const CLASSES: readonly FootageClass[] = ["event", "continuous", "all"];

/**
 * All objects under a prefix, in order. Throws Problem where the store lists them out of order or outside the prefix.
 * @param page how many are asked for at first; more and more later.
 */
export async function* listAll(
  store: Store,
  prefix: string,
  from?: string,
  page = PAGE,
): AsyncGenerator<Listed> {
  let after = from;
  for (let asked = page; ; asked = Math.min(PAGE, asked * PAGE_GROWTH)) {
    const listing = await store.list(prefix, after, asked);
    for (const listed of listing) {
      // Otherwise a store could keep its owner listing for ever.
      const { name } = listed;
      if (!name.startsWith(prefix) || (after !== undefined && byBytes(name, after) <= 0)) {
        throw new Problem(`the store lists ${name} out of order; it cannot be relied on.`);
      }
      after = name;
      yield listed;
    }
    if (listing.length < asked) return;
  }
}

/** A segment as listed: the names it stands under, one for each class, at least one; or why a name is not believed. */
export type ListedSegment = readonly Named[] | Refusal;

/** The prefixes a boot's footage stands under, one for each class there is. */
export async function classPrefixes(
  view: CameraView,
  stream: number,
  boot: number,
): Promise<string[]> {
  const prefixes = streamPrefixes(view, stream).map((prefix) => `${prefix}${tenDigits(boot)}/`);
  const held = await Promise.all(
    prefixes.map(async (prefix) => (await view.store.list(prefix, undefined, 1)).length > 0),
  );
  return prefixes.filter((_prefix, i) => held[i]);
}

/** Boots before one that are looked at by their numbers, where the store holds too many folders to list. */
export const BOOTS_TRIED = 300;

/**
 * Numbers of the boots before `boot` under which there may be objects of the stream, the nearest first.
 * @param onFlood told of each prefix that holds more folders than are looked at; then it is the BOOTS_TRIED nearest numbers.
 */
export async function bootsBefore(
  view: CameraView,
  stream: number,
  boot: number,
  onFlood: (refusal: Refusal) => void,
): Promise<number[]> {
  let flooded = false;
  const boots = await bootsListed(view, stream, (refusal) => {
    flooded = true;
    onFlood(refusal);
  });
  if (flooded) return Array.from({ length: Math.min(boot, BOOTS_TRIED) }, (_, i) => boot - 1 - i);
  return boots.filter((number) => number < boot).reverse();
}

/**
 * Numbers of the boots under which there are objects of the stream, whatever they are; rising.
 * @param onFlood told of each prefix that holds more folders than are looked at; then it is the lowest numbers.
 */
export async function bootsListed(
  view: CameraView,
  stream: number,
  onFlood: (refusal: Refusal) => void,
): Promise<number[]> {
  const boots = new Set<number>();
  for (const prefix of streamPrefixes(view, stream)) {
    const { names, cut } = await view.store.folders(prefix);
    if (cut) onFlood(new Refusal(prefix, "flooded", false));
    for (const folder of names) {
      const number = Number(/\/([0-9]{10})\/$/.exec(folder)?.[1]);
      if (isBoot(number)) boots.add(number);
    }
  }
  return [...boots].sort((a, b) => a - b);
}

function streamPrefixes({ trusted }: CameraView, stream: number): string[] {
  const prefix = `${cameraPrefix(trusted.tenant, trusted.camera)}${stream}/`;
  return CLASSES.map((footageClass) => `${prefix}${footageClass}/`);
}

/**
 * The segments of a boot from number `seq` on, rising. One that stands under two classes is given once, with both names.
 * @param page as for `listAll`.
 */
export async function* segmentNames(
  view: CameraView,
  prefixes: readonly string[],
  seq: number,
  page = PAGE,
): AsyncGenerator<ListedSegment> {
  const heads = await Promise.all(
    prefixes.map(async (prefix) => {
      const from = seq === 0 ? undefined : prefix + tenDigits(seq);
      const names = listAll(view.store, prefix, from, page);
      return { prefix, names, next: await names.next() };
    }),
  );
  /** What follows the class and boot: of real segments digits of one length, so text order is the order of numbers. */
  const rest = ({ prefix, next }: (typeof heads)[number]) =>
    next.done ? null : next.value.name.slice(prefix.length);
  for (;;) {
    const first = heads.reduce<string | null>((best, head) => {
      const own = rest(head);
      return best === null || (own !== null && byBytes(own, best) < 0) ? own : best;
    }, null);
    if (first === null) return;
    const copies: Named[] = [];
    const given = heads.filter((head) => rest(head) === first);
    for (const { prefix } of given) {
      const object = prefix + first;
      const name = parseSegmentObjectName(object);
      // No footage of ours has such a name, so none is left out.
      if (isRefused(name)) yield new Refusal(object, "name", false);
      else copies.push({ ...name, object });
    }
    if (copies.length > 0) yield copies;
    // Only now: whoever looked for one may be gone.
    for (const head of given) head.next = await head.names.next();
  }
}

/** Ten digits, as names have them. */
export function tenDigits(value: number): string {
  return String(value).padStart(10, "0");
}
