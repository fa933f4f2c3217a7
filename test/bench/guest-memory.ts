/**
 * The resident memory of a program under qemu-mipsel, without the emulator's own: the pages of the guest's
 * address space that are present, by what they are. Needs root where the program has forbidden others to
 * look at it, which the camera does.
 */
import { closeSync, openSync, readFileSync, readSync } from "node:fs";

/** Bytes present, at one moment. */
export interface GuestMemory {
  /** All but ring and queue: program, stack, heaps. */
  readonly agent: number;
  /** The encoder's shared ring. */
  readonly ring: number;
  /** The arena that sealed footage waits in. */
  readonly queue: number;
}

/** A stretch of the guest's address space. */
export interface GuestRange {
  readonly address: number;
  readonly bytes: number;
}

const PAGE_BYTES = 4096;
/** Where a MIPS program that is not relocatable starts (System V ABI, MIPS supplement). */
const PROGRAM_ADDRESS = 0x400000;
const GUEST_BYTES = 0x80000000;

interface Mapping {
  readonly from: number;
  readonly to: number;
  readonly offset: number;
  readonly name: string;
}

function mappings(pid: number): Mapping[] {
  return readFileSync(`/proc/${pid}/maps`, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => {
      const [, from = "", to = "", offset = "", name = ""] =
        /^(\w+)-(\w+) \S+ (\w+) \S+ \d+ *(.*)$/.exec(line) ?? [];
      const [a, b, c] = [from, to, offset].map((text) => Number.parseInt(text, 16));
      if (a === undefined || b === undefined || c === undefined) throw new Error(line);
      return { from: a, to: b, offset: c, name };
    });
}

/** Bytes present in [from, to), by the kernel's pagemap (bit 63 of each page's word). */
function present(pagemap: number, from: number, to: number): number {
  const words = Buffer.alloc(((to - from) / PAGE_BYTES) * 8);
  const got = readSync(pagemap, words, 0, words.length, (from / PAGE_BYTES) * 8);
  let pages = 0;
  for (let at = 7; at < got; at += 8) pages += (words[at] ?? 0) >> 7;
  return pages * PAGE_BYTES;
}

/**
 * Looks at a running program.
 * @param program name of its file, as the mapping shows it ends
 * @param queue where its arena lies in the guest
 */
export function guestMemory(pid: number, program: string, queue: GuestRange): GuestMemory {
  const all = mappings(pid);
  const text = all.find(({ name, offset }) => offset === 0 && name.endsWith(program));
  if (text === undefined) throw new Error(`${program} is not mapped in process ${pid}`);
  const base = text.from - PROGRAM_ADDRESS;
  const guest = all.filter(({ from }) => from >= base && from < base + GUEST_BYTES);
  const pagemap = openSync(`/proc/${pid}/pagemap`, "r");
  try {
    const sum = (list: readonly Mapping[]) =>
      list.reduce((bytes, { from, to }) => bytes + present(pagemap, from, to), 0);
    const isRing = ({ name }: Mapping) => name.includes("ocellus-ring");
    const ring = sum(guest.filter(isRing));
    const from = base + queue.address;
    const waiting = present(pagemap, from, from + queue.bytes);
    return { ring, queue: waiting, agent: sum(guest.filter((m) => !isRing(m))) - waiting };
  } finally {
    closeSync(pagemap);
  }
}

/** The address that a private mapping of exactly `bytes` got, from the text of `qemu-mipsel -strace`. */
export function mappedAt(strace: string, bytes: number): GuestRange | null {
  const call = new RegExp(
    `mmap2?\\(NULL,${bytes},[^)]*\\) = 0x([0-9a-f]+)|mmap2?\\(0,${bytes},[^)]*\\) = 0x([0-9a-f]+)`,
  ).exec(strace);
  const address = call?.[1] ?? call?.[2];
  return address === undefined ? null : { address: Number.parseInt(address, 16), bytes };
}
