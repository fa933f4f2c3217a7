/** Why a camera gave footage up, in words for its owner. */
import { ocellus } from "#proto";

type Range = ocellus.v1.Range.$Properties;

/** How many segments these ranges name. */
export function countOf(ranges: readonly Range[]): number {
  return ranges.reduce((sum, { first, last }) => sum + (last ?? 0) - (first ?? 0) + 1, 0);
}

/** Such as "12 no room left, 1 refused by the store": most first. Reasons of newer cameras are shown as their number. */
export function showDrops(dropped: readonly Range[]): string {
  const counts = new Map<ocellus.v1.DropReason, number>();
  for (const range of dropped) {
    const reason = range.reason ?? ocellus.v1.DropReason.DROP_UNKNOWN;
    counts.set(reason, (counts.get(reason) ?? 0) + countOf([range]));
  }
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([reason, count]) => `${count} ${WORDS[reason] ?? `for reason ${reason}`}`)
    .join(", ");
}

const WORDS: { readonly [reason in ocellus.v1.DropReason]: string } = {
  [ocellus.v1.DropReason.DROP_UNKNOWN]: "without a reason",
  [ocellus.v1.DropReason.DROP_QUEUE_FULL]: "no room left",
  [ocellus.v1.DropReason.DROP_LAPPED]: "taken too slowly from the encoder",
  [ocellus.v1.DropReason.DROP_CONFLICT]: "another object had its name",
  [ocellus.v1.DropReason.DROP_SHUTDOWN]: "stopped before it was stored",
  [ocellus.v1.DropReason.DROP_UPDATE]: "paused for an update",
  [ocellus.v1.DropReason.DROP_POLICY]: "by its settings",
  [ocellus.v1.DropReason.DROP_REFUSED]: "refused by the store",
  [ocellus.v1.DropReason.DROP_TOO_LONG]: "too much for one segment",
  [ocellus.v1.DropReason.DROP_SEVERAL]: "for several reasons",
  [ocellus.v1.DropReason.DROP_POWER]: "power lost",
  [ocellus.v1.DropReason.DROP_ENCODER]: "nothing from the encoder",
  [ocellus.v1.DropReason.DROP_CARD]: "memory card failed",
};
