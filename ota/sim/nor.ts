/**
 * NOR flash as power cuts leave it: programming only clears bits, erasing works by erase blocks, and either may be cut anywhere.
 * What was cut may read right and be weak: it is then a mistake to rely on it, and what relies on it is told.
 */
import { createHash } from "node:crypto";

export const ERASED = 0xff;

/** How a cut leaves an operation. `none` and `all` are cuts before and after it. */
export const PROGRAM_TEARS = ["none", "prefix", "all-but-last", "random", "weak", "all"] as const;
export const ERASE_TEARS = ["none", "zeros", "random", "weak", "all"] as const;
export type Tear = (typeof PROGRAM_TEARS)[number] | (typeof ERASE_TEARS)[number];

export type Operation =
  | { readonly do: "erase"; readonly offset: number }
  | { readonly do: "program"; readonly offset: number; readonly bytes: Uint8Array };

/** Of a program that is cut when all of it reads right, so many bytes are weak. */
const WEAK_BYTES = 16;

type WeakWords = ReadonlyMap<number, Uint8Array>;

/** An erase block. Shared between copies of a chip until it is written. */
interface Block {
  readonly bytes: Uint8Array;
  /** Its last erasure was cut: it may read erased, and may not be programmed. */
  readonly weak: boolean;
  /** By offset, words whose programming was cut when they read right, and what that is: they may not tomorrow. */
  readonly weakWords: WeakWords;
  readonly digest: string;
}

/** What no flash of a camera may see. */
export class FlashAbuse extends Error {}

/** Random bits of a seed, the same each time. */
export type Random = () => number;

export class Nor {
  readonly erase_bytes: number;
  readonly #blocks: Block[];

  private constructor(erase_bytes: number, blocks: Block[]) {
    this.erase_bytes = erase_bytes;
    this.#blocks = blocks;
  }

  static erased(blocks: number, erase_bytes: number): Nor {
    const block = makeBlock(new Uint8Array(erase_bytes).fill(ERASED));
    return new Nor(
      erase_bytes,
      Array.from({ length: blocks }, () => block),
    );
  }

  clone(): Nor {
    return new Nor(this.erase_bytes, [...this.#blocks]);
  }

  get bytes(): number {
    return this.#blocks.length * this.erase_bytes;
  }

  /** The same for the same content and weakness. */
  get digest(): string {
    return this.#blocks.map(({ digest }) => digest).join();
  }

  /** A copy of what stands there. */
  read(offset: number, bytes: number): Uint8Array {
    const out = new Uint8Array(bytes);
    for (let at = 0; at < bytes; ) {
      const { block, from, length } = this.#piece(offset + at, bytes - at);
      out.set(block.bytes.subarray(from, from + length), at);
      at += length;
    }
    return out;
  }

  /** Does it whole. Throws FlashAbuse where bits would have to be set, or what it writes to is not properly erased. */
  apply(operation: Operation): void {
    if (operation.do === "erase") {
      this.#put(this.#startOf(operation.offset), makeBlock(this.#filled(ERASED)));
      return;
    }
    this.#program(operation.offset, operation.bytes);
  }

  /** Does it as a cut leaves it. */
  tear(operation: Operation, tear: Tear, random: Random): void {
    if (tear === "none") return;
    if (tear === "all") this.apply(operation);
    else if (operation.do === "erase") this.#tearErase(operation.offset, tear, random);
    else this.#tearProgram(operation.offset, operation.bytes, tear, random);
  }

  #tearErase(offset: number, tear: Tear, random: Random): void {
    const index = this.#startOf(offset);
    const before = this.#at(index).bytes;
    // A chip programs all bits before it erases them; some of them are erased early.
    const bytes =
      tear === "zeros"
        ? this.#filled(0)
        : tear === "random"
          ? before.map((byte) => byte | (random() * 256))
          : this.#filled(ERASED);
    this.#put(index, makeBlock(bytes, true));
  }

  #tearProgram(offset: number, bytes: Uint8Array, tear: Tear, random: Random): void {
    if (tear === "weak") {
      this.#program(offset, bytes, true);
      return;
    }
    const cut = tear === "prefix" ? Math.floor(bytes.length / 2) : bytes.length - 1;
    const before = this.read(offset, bytes.length);
    const torn = bytes.map((byte, index) => {
      if (tear === "random") return byte | (random() * 256);
      return index < cut ? byte : ERASED;
    });
    this.#program(
      offset,
      torn.map((byte, index) => byte & (before[index] ?? ERASED)),
    );
  }

  #program(offset: number, bytes: Uint8Array, weak = false): void {
    if (offset % 4 !== 0 || bytes.length % 4 !== 0) throw new FlashAbuse("not whole words");
    for (let at = 0; at < bytes.length; ) {
      const { block, index, from, length } = this.#piece(offset + at, bytes.length - at);
      if (block.weak)
        throw new FlashAbuse(`programmed where an erasure was cut, at ${offset + at}`);
      const next = block.bytes.slice();
      const weakWords = new Map(block.weakWords);
      for (let i = 0; i < length; i++) {
        const old = block.bytes[from + i] ?? 0;
        const wanted = bytes[at + i] ?? 0;
        if ((wanted & ~old) !== 0)
          throw new FlashAbuse(`bits set without erasing, at ${offset + at + i}`);
        next[from + i] = wanted;
      }
      // Those programmed last are those that the cut reaches.
      const firm = weak ? length - WEAK_BYTES : length;
      for (let word = 0; word < length; word += 4) {
        // Programming what is programmed already changes no cell.
        const changes = next
          .subarray(from + word, from + word + 4)
          .some((byte, i) => byte !== block.bytes[from + word + i]);
        if (word < firm) weakWords.delete(from + word);
        else if (changes) weakWords.set(from + word, next.slice(from + word, from + word + 4));
      }
      this.#put(index, makeBlock(next, false, weakWords));
      at += length;
    }
  }

  /** What an erase block's weak words read is settled anew: as they were written, or erased. */
  powerOn(random: Random): void {
    for (const [index, { bytes, weak, weakWords }] of this.#blocks.entries()) {
      if (weakWords.size === 0) continue;
      const next = bytes.slice();
      const written = random() < 0.5;
      for (const [word, value] of weakWords) {
        if (written) next.set(value, word);
        else next.fill(ERASED, word, word + 4);
      }
      this.#put(index, makeBlock(next, weak, weakWords));
    }
  }

  #piece(offset: number, most: number) {
    const index = this.#startOf(offset - (offset % this.erase_bytes));
    const from = offset % this.erase_bytes;
    return { block: this.#at(index), index, from, length: Math.min(most, this.erase_bytes - from) };
  }

  #startOf(offset: number): number {
    if (offset % this.erase_bytes !== 0)
      throw new FlashAbuse("not the beginning of an erase block");
    return offset / this.erase_bytes;
  }

  #at(index: number): Block {
    const block = this.#blocks[index];
    if (block === undefined) throw new FlashAbuse("beyond the end");
    return block;
  }

  #put(index: number, block: Block): void {
    this.#at(index);
    this.#blocks[index] = block;
  }

  #filled(byte: number): Uint8Array {
    return new Uint8Array(this.erase_bytes).fill(byte);
  }
}

function makeBlock(bytes: Uint8Array, weak = false, weakWords: WeakWords = new Map()): Block {
  const words = [...weakWords.keys()].sort((a, b) => a - b).join();
  const digest = `${createHash("sha1").update(bytes).digest("base64")}${weak ? "w" : ""}${words}`;
  return { bytes, weak, weakWords, digest };
}
