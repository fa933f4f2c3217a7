/**
 * The boot script of a board: boot.env with what differs between boards, and the journal's numbers, filled in.
 */
import { readFileSync } from "node:fs";
import { findPartition, KSEG1 } from "../../scripts/board/flash.mjs";
import { JOURNAL, JOURNAL_USED_BYTES } from "./journal.mjs";

/** @import { Firmware } from "../../scripts/board/board.mjs" */

/** The script as it is written. */
export const SCRIPT = readFileSync(new URL("boot.env", import.meta.url), "utf8");

/** What U-Boot's `ide` counts in. */
const SECTOR_BYTES = 512;
/** CRC-32 over any bytes and their own CRC-32, little-endian. U-Boot has no other way to compare one that is so stored. */
const CRC_OVER_ITSELF = 0x2144_df1c;
const WORD_BYTES = 4;

/** As U-Boot reads numbers. */
const hex = (/** @type {number} */ number) => number.toString(16);

/**
 * @param {Firmware} firmware
 * @param {string} [text] another script than boot.env, for tests
 * @returns {Map<string, string>} variables of U-Boot's environment
 */
export function bootScript(firmware, text = SCRIPT) {
  return fill(text, scriptValues(firmware));
}

/**
 * @param {Firmware} firmware
 * @returns {Record<string, string>} what is filled in, by name
 */
export function scriptValues(firmware) {
  return { ...journalValues(), ...boardValues(firmware) };
}

/**
 * @param {string} text lines as boot.env explains them
 * @param {Readonly<Record<string, string>>} values by name
 * @returns {Map<string, string>} variables, each on one line, in the order of the text
 * @throws {Error} a name without a value, a line that begins no variable, a variable twice
 */
export function fill(text, values) {
  /** @type {Map<string, string>} */
  const variables = new Map();
  let last = "";
  for (const line of text.split("\n")) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const filled = line.replaceAll(/@([A-Z0-9_]+)@/g, (whole, name) => {
      const value = values[name];
      if (value === undefined) throw new Error(`the script has ${whole}, which nobody fills in`);
      return value;
    });
    if (/^\s/.test(filled)) {
      const before = variables.get(last);
      if (before === undefined) throw new Error(`the script has a line of no variable: ${line}`);
      variables.set(last, `${before} ${filled.trim()}`.trim());
      continue;
    }
    const [, name, rest] = /^([a-z_]+)=(.*)$/.exec(filled) ?? [];
    if (name === undefined || rest === undefined || variables.has(name)) {
      throw new Error(`the script has a line that begins no new variable: ${line}`);
    }
    variables.set(name, rest.trim());
    last = name;
  }
  return variables;
}

/** What journal.json says. */
function journalValues() {
  const { fields, patterns, slots } = JOURNAL;
  const bare = (/** @type {string} */ value) => hex(Number(value));
  const attempts = Array.from({ length: JOURNAL.attempts }, (_, index) => JOURNAL.attempts - index);
  return {
    MAGIC: bare(JOURNAL.magic),
    RECORD_BYTES: hex(JOURNAL.record_bytes),
    CHECKED_BYTES: hex(fields.check + WORD_BYTES),
    CHECKED_CRC: hex(CRC_OVER_ITSELF),
    GENERATION: hex(fields.generation),
    SLOT: hex(fields.slot),
    ARMED: hex(fields.armed),
    // Attempts count from 1, so that the last that is not consumed in this order is the next.
    ATTEMPT_0: hex(fields.attempts - WORD_BYTES),
    ATTEMPT_NUMBERS: attempts.map(hex).join(" "),
    CONFIRMED: hex(fields.confirmed),
    FAILED: hex(fields.failed),
    SLOT_A: bare(slots.a),
    SLOT_B: bare(slots.b),
    ARMED_PATTERN: bare(patterns.armed),
    ATTEMPT_PATTERN: bare(patterns.attempt),
    CONFIRMED_PATTERN: bare(patterns.confirmed),
    FAILED_PATTERN: bare(patterns.failed),
  };
}

/**
 * A journal that the processor sees as memory, and slots on the first IDE disk: what flash.mjs asks for.
 * @param {Firmware} firmware
 */
function boardValues(firmware) {
  const { slots, journal, memory, watchdog } = firmware;
  const ram = Number(memory.read_address);
  const at = (/** @type {string} */ name) => {
    const { chip, start } = findPartition(firmware, name);
    return KSEG1 + Number(chip.physical_address) + start;
  };
  const a = at(journal.a);
  const b = at(journal.b);
  // Copies of both blocks in RAM, one after the other, and the word that is to be written after them.
  const copy_b = ram + JOURNAL_USED_BYTES;
  const word = copy_b + JOURNAL_USED_BYTES;
  const copy = (/** @type {number} */ from, /** @type {number} */ to) =>
    `cp.b ${hex(from)} ${hex(to)} ${hex(JOURNAL_USED_BYTES)}`;
  const read = (/** @type {string} */ name) => {
    const { start } = findPartition(firmware, name);
    return `ide read ${hex(ram)} ${hex(start / SECTOR_BYTES)} ${hex(slots.read_bytes / SECTOR_BYTES)}`;
  };
  return {
    WATCHDOG: (watchdog.before_linux ?? []).map((line) => `${line};`).join(" "),
    JOURNAL_RAM: hex(ram),
    JOURNAL_RAM_END: hex(word),
    JOURNAL_READ: `${copy(a, ram)} && ${copy(b, copy_b)}`,
    ATTEMPT_WRITE: [
      `setexpr flash $attempt_at - ${hex(ram)}`,
      `if itest $attempt_at < ${hex(copy_b)}; then setexpr flash $flash + ${hex(a)}; else setexpr flash $flash + ${hex(b - JOURNAL_USED_BYTES)}; fi`,
      `mw.l ${hex(word)} ${hex(Number(JOURNAL.patterns.attempt))}; cp.l ${hex(word)} $flash 1`,
    ].join("; "),
    READ_A: read(slots.a),
    READ_B: read(slots.b),
    READ_ADDRESS: hex(ram),
  };
}
