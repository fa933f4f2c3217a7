/** A process of U-Boot's sandbox that judges boots (ota/sim/u-boot/judge.c): what goes in, and what it says. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Firmware } from "../../scripts/board/board.mjs";
import { environmentText } from "../../scripts/board/bootloader.mjs";
import { findPartition } from "../../scripts/board/flash.mjs";
import { ensure } from "../../scripts/build/ensure.mjs";

/** In the order of judge.c. */
const KINDS = ["flash", "disk", "unreadable disk", "worn flash"] as const;

/** A part of a chip that is not erased; where it cannot be read or programmed, `data` is only as long as that part. */
export interface Piece {
  readonly kind: (typeof KINDS)[number];
  readonly offset_bytes: number;
  readonly data: Uint8Array;
}

/** What U-Boot did, from power-on to jump, reset or prompt. */
export interface Verdict {
  /** Lines of the judge, each a word and more. */
  readonly lines: readonly string[];
  /** All that U-Boot said on its console, those lines included. */
  readonly said: string;
}

const MARK = "judge: ";
/** Ends what is said to a request: the first, and each further one. */
const LAST = [`${MARK}ready\n`, `${MARK}end\n`];
/** Named pipes, since Node waits for no others. Each opens when its other end does. */
const SERVE = 'exec "$0" -c serve 3<"$1" >"$2"';

/** It ends with this process, however that ends. Its holder calls `stop`. */
export class Judge {
  readonly #child: ChildProcess;
  readonly #requests: number;
  readonly #answers: number;
  readonly #piece = Buffer.alloc(65_536);
  #stopped = false;

  private constructor(child: ChildProcess, requests: number, answers: number) {
    this.#child = child;
    this.#requests = requests;
    this.#answers = answers;
  }

  /** Starts one for a board, with this environment. Builds the sandbox where it is missing. */
  static async start(firmware: Firmware, variables: ReadonlyMap<string, string>): Promise<Judge> {
    const program = join(await ensure("uboot-sandbox"), "u-boot");
    const directory = mkdtempSync(join(tmpdir(), "ocellus-judge-"));
    try {
      const pipes = [join(directory, "requests"), join(directory, "answers")] as const;
      execFileSync("mkfifo", [...pipes]);
      const child = spawn("sh", ["-c", SERVE, program, ...pipes], {
        stdio: ["ignore", "ignore", "inherit"],
      });
      await once(child, "spawn");
      const judge = new Judge(child, openSync(pipes[0], "w"), openSync(pipes[1], "r"));
      const { chip } = findPartition(firmware, firmware.journal.a);
      const text = Buffer.from(environmentText(variables), "latin1");
      const board = [chip.physical_address, chip.size_bytes, chip.erase_bytes, text.length];
      judge.#ask(Buffer.concat([words(board.map(Number)), text]));
      return judge;
    } finally {
      rmSync(directory, { recursive: true });
    }
  }

  /** Switches a board on with these in its chips. Throws where the process has ended. */
  judge(pieces: readonly Piece[]): Verdict {
    const parts = pieces.flatMap(({ kind, offset_bytes, data }) => {
      const head = words([KINDS.indexOf(kind), offset_bytes, data.length]);
      return kind === "flash" || kind === "disk" ? [head, data] : [head];
    });
    const said = this.#ask(Buffer.concat([words([pieces.length]), ...parts]));
    const lines = said.split("\n").filter((line) => line.startsWith(MARK));
    return { said, lines: lines.map((line) => line.slice(MARK.length)) };
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    const ended = once(this.#child, "close");
    closeSync(this.#requests);
    closeSync(this.#answers);
    await ended;
  }

  /** What it says until the last line of an answer. */
  #ask(request: Buffer): string {
    for (let at = 0; at < request.length; ) at += writeSync(this.#requests, request, at);
    let said = "";
    while (!LAST.some((last) => said.endsWith(last))) {
      const bytes = readSync(this.#answers, this.#piece);
      if (bytes === 0) throw new Error(`U-Boot's sandbox has ended: ${said.trim()}`);
      said += this.#piece.toString("latin1", 0, bytes).replaceAll("\r", "");
    }
    return said;
  }
}

function words(values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeUInt32LE(value, index * 4);
  return bytes;
}
