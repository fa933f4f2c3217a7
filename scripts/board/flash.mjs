/** What a board's flash map and memory must keep, beyond its shape: the first rule that is broken, in words. */

import { JOURNAL_USED_BYTES } from "../../ota/boot/journal.mjs";
import { memoryMistake } from "./memory.mjs";

/** @import { Chip, Firmware, Partition } from "./board.mjs" */

/** JFFS2 keeps five erase blocks for its own work, and does nothing with fewer; these leave room for what is kept. */
const CONFIG_BLOCKS_LEAST = 8;
/** What the bootloader and the agent need by name. */
const NEEDED = ["u-boot", "env", "env-redundant", "config"];
/** What U-Boot runs from and keeps its variables in is memory to it. */
const UBOOT_SEES = ["u-boot", "env", "env-redundant"];
const SECTOR_BYTES = 512;
/** Memory as the processor sees it without its cache begins here. */
export const KSEG1 = 0xa000_0000;

/**
 * @param {Firmware} firmware
 * @returns {string | undefined} what is wrong, without a full stop; undefined if nothing is
 */
export function flashMistake(firmware) {
  for (const chip of firmware.chips) {
    const mistake = chipMistake(chip);
    if (mistake !== undefined) return mistake;
  }
  return (
    nameMistake(firmware) ??
    journalMistake(firmware) ??
    deviceMistake(firmware) ??
    placeMistake(firmware) ??
    writeMistake(firmware) ??
    slotMistake(firmware) ??
    memoryMistake(firmware)
  );
}

/**
 * @param {Partition} partition
 * @returns {{ start: number, end: number }} bytes from the start of the chip
 */
export function extent({ offset_bytes, size_bytes }) {
  const start = Number(offset_bytes);
  return { start, end: start + Number(size_bytes) };
}

/**
 * @param {Firmware} firmware
 * @param {string} name
 * @returns {{ chip: Chip, partition: Partition, start: number, end: number }}
 */
export function findPartition(firmware, name) {
  for (const chip of firmware.chips) {
    const partition = chip.partitions.find((each) => each.name === name);
    if (partition !== undefined) return { chip, partition, ...extent(partition) };
  }
  throw new Error(`there is no partition ${name}`);
}

/** @param {Chip} chip */
function chipMistake(chip) {
  const erase = Number(chip.erase_bytes);
  const size = Number(chip.size_bytes);
  if (erase === 0 || size % erase !== 0) {
    return `${chip.mtd_name} is no whole number of erase blocks`;
  }
  const sorted = [...chip.partitions].sort((a, b) => extent(a).start - extent(b).start);
  return (
    neighbourMistake(sorted, erase) ??
    sorted
      .map((each) => partitionMistake(each, size, erase))
      .find((mistake) => mistake !== undefined)
  );
}

/**
 * @param {readonly Partition[]} sorted by where they begin
 * @param {number} erase bytes of an erase block
 */
function neighbourMistake(sorted, erase) {
  for (const [index, after] of sorted.entries()) {
    const before = sorted[index - 1];
    if (before === undefined) continue;
    const { start } = extent(after);
    const { end } = extent(before);
    if (start < end) return `partitions ${before.name} and ${after.name} overlap`;
    if (Math.floor(start / erase) === Math.floor((end - 1) / erase)) {
      return `partitions ${before.name} and ${after.name} share an erase block`;
    }
  }
  return undefined;
}

/**
 * @param {Partition} partition
 * @param {number} size bytes of the chip
 * @param {number} erase bytes of an erase block
 */
function partitionMistake(partition, size, erase) {
  const { name } = partition;
  const { start, end } = extent(partition);
  if (start === end) return `partition ${name} is empty`;
  if (end > size) return `partition ${name} leaves its chip`;
  if (start % erase !== 0 || end % erase !== 0) {
    return `partition ${name} does not begin and end with an erase block of ${erase} bytes`;
  }
  if (name === "config" && end - start < CONFIG_BLOCKS_LEAST * erase) {
    return `partition config has fewer than ${CONFIG_BLOCKS_LEAST} erase blocks`;
  }
  return undefined;
}

/** @param {Firmware} firmware */
function nameMistake({ chips, slots, journal, environment_bytes }) {
  const names = chips.flatMap(({ partitions }) => partitions.map(({ name }) => name));
  const twice = repeated(names);
  if (twice !== undefined) return `partition ${twice} is there twice`;
  const needed = [...NEEDED, journal.a, journal.b, slots.a, slots.b];
  const missing = needed.find((name) => !names.includes(name));
  if (missing !== undefined) return `partition ${missing} is missing`;
  const partitions = chips.flatMap((chip) => chip.partitions);
  for (const { name, size_bytes } of partitions) {
    if (name.startsWith("env") && Number(environment_bytes) > Number(size_bytes)) {
      return `the environment is longer than partition ${name}`;
    }
  }
  return undefined;
}

/**
 * That each block of the journal is an erase block of its own holds for every partition.
 * @param {Firmware} firmware
 */
function journalMistake(firmware) {
  const { journal, slots } = firmware;
  if (journal.a === journal.b) return "both blocks of the journal are one partition";
  for (const name of [journal.a, journal.b]) {
    const { chip, partition } = findPartition(firmware, name);
    if (NEEDED.includes(name) || name === slots.a || name === slots.b) {
      return `partition ${name} is the journal's and something else's`;
    }
    if (chip.kind !== "cfi") return `partition ${name} lies where U-Boot writes nothing`;
    if (partition.read_only === true) return `partition ${name} cannot be written by Linux`;
    // The boot script looks at no more than one erase block, and one is erased at once.
    if (Number(chip.erase_bytes) < JOURNAL_USED_BYTES) {
      return `an erase block of ${chip.mtd_name} is shorter than the ${JOURNAL_USED_BYTES} bytes of the journal's records`;
    }
    if (Number(partition.size_bytes) !== Number(chip.erase_bytes)) {
      return `partition ${name} is not one erase block`;
    }
  }
  return undefined;
}

/**
 * Chips and disks that would be told from each other by nothing.
 * @param {Firmware} firmware
 */
function deviceMistake({ chips, clip_device, card_device }) {
  const names = chips.map(({ mtd_name }) => mtd_name);
  const twice = repeated(names);
  if (twice !== undefined) return `two chips are called ${twice}`;
  const devices = [...chips.flatMap(({ device }) => device ?? []), clip_device, card_device];
  const shared = repeated(devices);
  return shared === undefined ? undefined : `${shared} stands for two disks`;
}

/**
 * The chip that each partition must lie on.
 * @param {Firmware} firmware
 */
function placeMistake(firmware) {
  const { slots } = firmware;
  const chipOf = (/** @type {string} */ name) => findPartition(firmware, name).chip;
  const hidden = UBOOT_SEES.find((name) => chipOf(name).kind !== "cfi");
  if (hidden !== undefined) return `partition ${hidden} does not lie on a cfi chip`;
  // U-Boot erases both by one size.
  if (chipOf("env") !== chipOf("env-redundant"))
    return "partitions env and env-redundant lie on two chips";
  if (chipOf("config").kind !== "cfi") return "partition config does not lie on a cfi chip";
  for (const name of [slots.a, slots.b]) {
    // The boot script reads them with "ide read".
    if (chipOf(name).kind !== "disk") return `partition ${name} does not lie on a disk`;
  }
  return chipOf(slots.a) === chipOf(slots.b) ? undefined : "the slots lie on two disks";
}

/**
 * What Linux must not write, and what it must.
 * @param {Firmware} firmware
 */
function writeMistake(firmware) {
  const isReadOnly = (/** @type {string} */ name) =>
    findPartition(firmware, name).partition.read_only === true;
  if (!isReadOnly("u-boot")) return "partition u-boot is not read_only";
  const written = ["config", firmware.slots.a, firmware.slots.b].find(isReadOnly);
  return written === undefined ? undefined : `partition ${written} is read_only`;
}

/**
 * @param {readonly string[]} names
 * @returns {string | undefined} the first that is there twice
 */
function repeated(names) {
  return names.find((name, index) => names.indexOf(name) !== index);
}

/** @param {Firmware} firmware */
function slotMistake(firmware) {
  const { a, b, read_bytes } = firmware.slots;
  if (a === b) return "both slots are one partition";
  for (const name of [a, b]) {
    const { chip, start, end } = findPartition(firmware, name);
    if (read_bytes > end - start) {
      return `partition ${name} is shorter than the ${read_bytes} bytes that U-Boot reads of a slot`;
    }
    if (chip.kind === "disk" && start % SECTOR_BYTES !== 0)
      return `partition ${name} begins within a sector`;
  }
  return undefined;
}
