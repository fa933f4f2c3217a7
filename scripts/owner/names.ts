/**
 * Which segments the store says there are: names in the order of their numbers, over all classes.
 */
import { toHex } from "../../agent/identity/encoding.ts";
import { cameraPrefix, parseSegmentObjectName } from "../../agent/seal/names.ts";
import { isRefused } from "../../agent/seal/refusal.ts";
import { Problem } from "../build/problem.mjs";
import type { CameraView } from "./heads.ts";
import { type Named, Refusal } from "./open.ts";
import type { Listed, Store } from "./store.ts";

const PAGE = 1000;

/** All objects under a prefix, in order. Throws Problem where the store lists them out of order or outside the prefix. */
export async function* listAll(
  store: Store,
  prefix: string,
  from?: string,
): AsyncGenerator<Listed> {
  let after = from;
  for (;;) {
    const page = await store.list(prefix, after, PAGE);
    for (const listed of page) {
      // Otherwise a store could keep its owner listing for ever.
      if (!listed.name.startsWith(prefix) || (after !== undefined && listed.name <= after)) {
        throw new Problem(`the store lists ${listed.name} out of order; it cannot be relied on.`);
      }
      after = listed.name;
      yield listed;
    }
    if (page.length < PAGE) return;
  }
}

/** A segment as listed: its name, or why that is not believed. */
export type ListedSegment = Named | Refusal;

/** The prefixes a boot's footage stands under, one for each class there is. */
export async function classPrefixes(view: CameraView, stream: number, boot: number) {
  const { tenant, camera } = view.trusted;
  const folders = await view.store.folders(`${cameraPrefix(tenant, camera)}${stream}/`);
  return folders.map((folder) => `${folder}${tenDigits(boot)}/`);
}

/**
 * The segments of a boot from number `seq` on, rising. One that stands under two classes is given once.
 */
export async function* segmentNames(
  view: CameraView,
  prefixes: readonly string[],
  seq: number,
): AsyncGenerator<ListedSegment> {
  const heads = await Promise.all(
    prefixes.map(async (prefix) => {
      const names = listAll(view.store, prefix, prefix + tenDigits(seq));
      return { names, next: await names.next() };
    }),
  );
  let given = "";
  for (;;) {
    // What follows the class is digits of one length, so text order is the order of numbers.
    const rest = ({ next }: (typeof heads)[number]) =>
      next.done ? "~" : (next.value.name.split("/").at(-1) ?? "");
    const first = heads.reduce<(typeof heads)[number] | null>(
      (best, head) => (best === null || rest(head) < rest(best) ? head : best),
      null,
    );
    if (!first || first.next.done) return;
    const { name: object } = first.next.value;
    const last = rest(first);
    first.next = await first.names.next();
    if (last === given) continue;
    given = last;
    const name = parseSegmentObjectName(object);
    yield isRefused(name) ? new Refusal(object, "name") : { ...name, object };
  }
}

/** The first segment of a boot from number `seq` on; null where there is none. */
export async function firstSegment(
  view: CameraView,
  prefixes: readonly string[],
  seq: number,
): Promise<Named | null> {
  const found = await Promise.all(
    prefixes.map((prefix) => view.store.list(prefix, prefix + tenDigits(seq), 1)),
  );
  const names = found.flat().map(({ name }) => ({ name, parsed: parseSegmentObjectName(name) }));
  let best: Named | null = null;
  for (const { name: object, parsed } of names) {
    if (isRefused(parsed)) throw new Refusal(object, "name");
    if (!best || parsed.seq < best.seq) best = { ...parsed, object };
  }
  return best;
}

/** A segment for people: boot and number. */
export function showSegment(name: Named): string {
  return `boot ${name.boot}, segment ${name.seq} (${toHex(name.hash).slice(0, 8)})`;
}

function tenDigits(value: number): string {
  return String(value).padStart(10, "0");
}
