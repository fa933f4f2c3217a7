/** The journal's numbers, which stand in agent/update/journal.json alone, for what is made from them outside the camera. */
import { readFileSync } from "node:fs";

/**
 * @typedef {object} Journal hexadecimal text is 32-bit words
 * @property {number} record_bytes
 * @property {number} records of an erase block, at most
 * @property {string} magic
 * @property {Record<"magic" | "generation" | "slot" | "image" | "check" | "armed" | "attempts" | "confirmed" | "failed", number>} fields
 *   bytes from a record's beginning
 * @property {number} attempts of a trial
 * @property {Record<"a" | "b", string>} slots
 * @property {Record<"armed" | "attempt" | "confirmed" | "failed", string>} patterns
 */

const FILE = new URL("../../agent/update/journal.json", import.meta.url);

/** @type {Journal} */
export const JOURNAL = JSON.parse(readFileSync(FILE, "utf8"));

/** Bytes of an erase block that may hold records, from its beginning. */
export const JOURNAL_USED_BYTES = JOURNAL.record_bytes * JOURNAL.records;
