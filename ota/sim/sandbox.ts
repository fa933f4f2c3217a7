/**
 * Boots of the real boot script: U-Boot's sandbox build runs the same text, in a board's own environment, over a journal and
 * slots. A boot is judged once for all states that the script cannot tell apart.
 */

import type { Slot } from "../../agent/update/journal.ts";
import { type Firmware, readFirmware } from "../../scripts/board/board.mjs";
import { environment } from "../../scripts/board/bootloader.mjs";
import { findPartition } from "../../scripts/board/flash.mjs";
import { checkout } from "../../scripts/build/ensure.mjs";
import { JOURNAL_USED_BYTES } from "../boot/journal.mjs";
import { Judge, type Piece, type Verdict } from "./judge.ts";
import { imageName, type SlotContent, slotImage } from "./slots.ts";

/** What the script can see. */
export interface BootState {
  /** Both erase blocks, from their beginnings; what an array does not reach is erased. */
  readonly journal: Readonly<Record<Slot, Uint8Array>>;
  readonly slots: Readonly<Record<Slot, SlotContent>>;
  /** Words of the journal that cannot be programmed any more, though the chip says they were. */
  readonly worn?: readonly { readonly block: Slot; readonly offset_bytes: number }[];
}

/** One word of the journal that the script programmed, before whatever it ended in. */
export interface Write {
  readonly block: Slot;
  readonly offset_bytes: number;
  readonly before: number;
  readonly after: number;
}

/** How a boot ended. `stopped` is a camera that only its watchdog brings back: at U-Boot's prompt, or in an endless loop. */
export type Ended =
  | {
      readonly outcome: "started";
      readonly slot: Slot;
      readonly trial?: { readonly generation: number; readonly attempt: number };
      /** Name of the image that U-Boot jumped to. */
      readonly image: string;
    }
  | { readonly outcome: "reset"; readonly during: "script" | "decompression" }
  | { readonly outcome: "stopped"; readonly by: "prompt" | "loop" };

export interface Boot {
  readonly ended: Ended;
  /** In the order of blocks and offsets. */
  readonly writes: readonly Write[];
  /** Both blocks as they were left, each as long as it was given, or as a write needs. */
  readonly journal: Readonly<Record<Slot, Uint8Array>>;
  /** Linux's arguments, of what was started. */
  readonly arguments: string;
  /** U-Boot's console. */
  readonly said: string;
}

export interface SandboxOptions {
  /** The emulated camera's by default. */
  readonly firmware?: Firmware;
  /** U-Boot's environment, for tests; the board's by default. */
  readonly variables?: ReadonlyMap<string, string>;
}

const ERASED = 0xff;
/** Of a signal, in the status of a child: it ran longer than any script. */
const TOO_LONG = "died 142";
const BLOCKS = ["a", "b"] as const;

/** Its holder calls `stop`. */
export class Sandbox {
  readonly #judge: Judge;
  readonly #firmware: Firmware;
  readonly #known = new Map<string, Verdict>();

  private constructor(judge: Judge, firmware: Firmware) {
    this.#judge = judge;
    this.#firmware = firmware;
  }

  static async start(options: SandboxOptions = {}): Promise<Sandbox> {
    const { firmware = readFirmware(checkout, "qemu/malta") } = options;
    const judge = await Judge.start(firmware, options.variables ?? environment(firmware));
    return new Sandbox(judge, firmware);
  }

  /** How many different states were judged. */
  get judged(): number {
    return this.#known.size;
  }

  /**
   * Switches a camera on in this state. Throws where the script did what no script may: turned a 0 into a 1, wrote outside of
   * the journal, started an image with the other slot's arguments; and where the sandbox has ended.
   */
  boot(state: BootState): Boot {
    const pieces = this.#pieces(state);
    const key = pieces.map(({ kind, offset_bytes, data }) => {
      return `${kind} ${offset_bytes} ${Buffer.from(data).toString("base64")}`;
    });
    const name = key.join("\n");
    const verdict = this.#known.get(name) ?? this.#judge.judge(pieces);
    this.#known.set(name, verdict);
    return this.#read(verdict, state);
  }

  stop(): Promise<void> {
    return this.#judge.stop();
  }

  #pieces({ journal, slots, worn = [] }: BootState): Piece[] {
    const firmware = this.#firmware;
    const start = (partition: string) => findPartition(firmware, partition).start;
    const pieces: Piece[] = [];
    for (const block of BLOCKS) {
      const data = used(journal[block]);
      pieces.push({ kind: "flash", offset_bytes: start(firmware.journal[block]), data });
      const slot_start = start(firmware.slots[block]);
      const content = slots[block];
      const unreadable = { kind: "unreadable disk", offset_bytes: slot_start } as const;
      if (content === "unreadable") pieces.push({ ...unreadable, data: Buffer.alloc(1) });
      else pieces.push({ kind: "disk", offset_bytes: slot_start, data: slotImage(block, content) });
    }
    for (const { block, offset_bytes } of worn) {
      const offset = start(firmware.journal[block]) + offset_bytes;
      pieces.push({ kind: "worn flash", offset_bytes: offset, data: Buffer.alloc(4) });
    }
    return pieces;
  }

  #read({ lines, said }: Verdict, state: BootState): Boot {
    const of = (word: string) => lines.filter((line) => line.startsWith(`${word} `));
    const writes = of("word").map((line) => this.#write(line));
    const journal = { a: Buffer.from(state.journal.a), b: Buffer.from(state.journal.b) };
    for (const { block, offset_bytes, after } of writes) {
      const missing = offset_bytes + 4 - journal[block].length;
      if (missing > 0)
        journal[block] = Buffer.concat([journal[block], Buffer.alloc(missing, ERASED)]);
      journal[block].writeUInt32LE(after, offset_bytes);
    }
    const text = of("arguments")[0]?.slice("arguments ".length) ?? "";
    return { ended: ending(lines, text, said), writes, journal, arguments: text, said };
  }

  #write(line: string): Write {
    const [at = 0, before = 0, after = 0] = line
      .split(" ")
      .slice(1)
      .map((word) => Number.parseInt(word, 16));
    if ((after & ~before) !== 0) throw new Error(`the boot script set bits of the flash: ${line}`);
    for (const block of BLOCKS) {
      const { start, end } = findPartition(this.#firmware, this.#firmware.journal[block]);
      if (at >= start && at < end) return { block, offset_bytes: at - start, before, after };
    }
    throw new Error(`the boot script wrote outside of the journal: ${line}`);
  }
}

/** What the script looks at, without the erased end. */
function used(block: Uint8Array): Uint8Array {
  const bytes = block.subarray(0, JOURNAL_USED_BYTES);
  const last = bytes.findLastIndex((byte) => byte !== ERASED);
  return bytes.subarray(0, last + 1);
}

function ending(lines: readonly string[], text: string, said: string): Ended {
  if (lines.includes("reset")) {
    const during = said.includes("Must RESET board to recover") ? "decompression" : "script";
    return { outcome: "reset", during };
  }
  if (lines.includes("prompt")) return { outcome: "stopped", by: "prompt" };
  if (lines.includes(TOO_LONG)) return { outcome: "stopped", by: "loop" };
  const image = lines.find((line) => line.startsWith("started "))?.slice("started ".length);
  const words = new Map(
    text
      .split(" ")
      .map((word) => word.split("=", 2))
      .map(([name = "", value = ""]) => [name, value]),
  );
  const slot = BLOCKS.find((each) => each === words.get("ocellus.slot"));
  if (image === undefined || slot === undefined) throw new Error(`the sandbox failed: ${said}`);
  if (image !== imageName(slot)) throw new Error(`image ${image} was started as slot ${slot}`);
  const [generation, attempt] = [words.get("ocellus.trial"), words.get("ocellus.attempt")];
  if (generation === undefined && attempt === undefined) return { outcome: "started", slot, image };
  const trial = { generation: Number.parseInt(generation ?? "", 16), attempt: Number(attempt) };
  return { outcome: "started", slot, trial, image };
}
