/**
 * The boot script of a board: boot.env with what differs between boards filled in.
 */
import { readFileSync } from "node:fs";
import { findPartition } from "../../scripts/board/flash.mjs";

/** @import { Chip, Firmware } from "../../scripts/board/board.mjs" */

const HERE = new URL(".", import.meta.url);
const TEXT = readFileSync(new URL("boot.env", HERE), "utf8");
const JOURNAL = JSON.parse(readFileSync(new URL("../../agent/update/journal.json", HERE), "utf8"));

const SECTOR_BYTES = 512;
/** Where U-Boot sees physical memory without a cache. */
const KSEG1 = 0xa000_0000;

const hex = (/** @type {number} */ number) => number.toString(16);

/** Bytes of a journal block that may hold records. */
const USED_BYTES = JOURNAL.record_bytes * JOURNAL.records;

/**
 * @param {Firmware} firmware
 * @returns {Map<string, string>} variables of U-Boot's environment
 */
export function bootScript(firmware) {
  const values = { ...protocolValues(), ...boardValues(firmware) };
  return fill(TEXT, values);
}

/**
 * @param {string} text
 * @param {Record<string, string>} values
 * @returns {Map<string, string>}
 */
export function fill(text, values) {
  const filled = text
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) =>
      line.replaceAll(/@([A-Z_]+)@/g, (whole, name) => {
        const value = values[name];
        if (value === undefined) throw new Error(`boot.env has ${whole}, which nobody fills in`);
        return value;
      }),
    );
  /** @type {Map<string, string>} */
  const variables = new Map();
  let last = "";
  for (const line of filled) {
    if (line.startsWith(" ")) {
      variables.set(last, `${variables.get(last)} ${line.trim()}`.trim());
      continue;
    }
    last = line.slice(0, line.indexOf("="));
    variables.set(last, line.slice(last.length + 1).trim());
  }
  return variables;
}

/** What journal.json says. */
export function protocolValues() {
  const { fields, patterns, slots } = JOURNAL;
  const bare = (/** @type {string} */ value) => hex(Number(value));
  return {
    MAGIC: bare(JOURNAL.magic),
    RECORD_BYTES: hex(JOURNAL.record_bytes),
    GENERATION: hex(fields.generation),
    SLOT: hex(fields.slot),
    CHECK: hex(fields.check),
    ARMED: hex(fields.armed),
    ATTEMPTS: hex(fields.attempts - 4),
    CONFIRMED: hex(fields.confirmed),
    FAILED: hex(fields.failed),
    SLOT_B: bare(slots.b),
    ARMED_PATTERN: bare(patterns.armed),
    ATTEMPT_PATTERN: bare(patterns.attempt),
    CONFIRMED_PATTERN: bare(patterns.confirmed),
    FAILED_PATTERN: bare(patterns.failed),
  };
}

/** @param {Firmware} firmware */
function boardValues(firmware) {
  const { slots, memory, watchdog } = firmware;
  const ram = Number(memory.read_address);
  const at = (/** @type {string} */ name) => {
    const { chip, start } = findPartition(firmware, name);
    return KSEG1 + Number(chip.physical_address) + start;
  };
  const blocks = [at("journal-a"), at("journal-b")];
  const copies = [ram, ram + USED_BYTES];
  const scratch = ram + 2 * USED_BYTES;
  const read = (/** @type {string} */ name) => {
    const { start } = findPartition(firmware, name);
    return `ide read ${hex(ram)} ${hex(start / SECTOR_BYTES)} ${hex(slots.read_bytes / SECTOR_BYTES)}`;
  };
  const copy = blocks.map(
    (from, i) => `cp.b ${hex(from)} ${hex(copies[i] ?? 0)} ${hex(USED_BYTES)}`,
  );
  const [a = 0, b = 0] = blocks;
  return {
    WATCHDOG: (watchdog.before_linux ?? []).map((line) => `${line};`).join(" "),
    JOURNAL_RAM: hex(ram),
    JOURNAL_RAM_END: hex(scratch),
    JOURNAL_READ: copy.join(" && "),
    ATTEMPT_WRITE: [
      `setexpr flash $attempt_at - ${hex(ram)}`,
      `if itest $attempt_at < ${hex(ram + USED_BYTES)}; then setexpr flash $flash + ${hex(a)}; else setexpr flash $flash + ${hex(b - USED_BYTES)}; fi`,
      `mw.l ${hex(scratch)} ${hex(Number(JOURNAL.patterns.attempt))}; cp.l ${hex(scratch)} $flash 1`,
    ].join("; "),
    READ_A: read(slots.a),
    READ_B: read(slots.b),
    READ_ADDRESS: hex(ram),
  };
}
