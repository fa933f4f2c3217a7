/**
 * The emulated camera's boot ROM: a program for QEMU's -kernel that goes to U-Boot in the flash and does nothing else.
 *
 * Without -kernel QEMU starts a little-endian Malta at the beginning of the flash, and turns the bytes of each word round in
 * the first 0x3e0000 bytes whenever it starts (hw/mips/malta.c), written ones included: nothing kept there would survive a
 * power cycle. With -kernel it writes a boot loader of its own to the beginning of the flash in memory (partition rom), which
 * sets up the board, and leaves the rest as it stands in the file.
 */

import { findPartition, KSEG1 } from "./flash.mjs";

/** @import { Firmware } from "./board.mjs" */

const HEADER_BYTES = 52;
const SEGMENT_BYTES = 32;
/** QEMU wants something to load. Nobody looks there. */
const NOTHING_ADDRESS = 0x8080_0000;

/**
 * @param {Firmware} firmware
 * @returns {Buffer} a MIPS ELF file
 */
export function romProgram(firmware) {
  const { chip, start } = findPartition(firmware, "u-boot");
  const entry = KSEG1 + Number(chip.physical_address) + start;
  const file = Buffer.alloc(HEADER_BYTES + SEGMENT_BYTES + 4);
  // 32 bits, little-endian, version 1.
  file.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  const EXECUTABLE = 2;
  const MIPS = 8;
  for (const [at, value] of [
    [16, EXECUTABLE],
    [18, MIPS],
    [40, HEADER_BYTES],
    [42, SEGMENT_BYTES],
    [44, 1],
  ]) {
    file.writeUInt16LE(value ?? 0, at);
  }
  for (const [at, value] of [
    [20, 1],
    [24, entry],
    [28, HEADER_BYTES],
  ]) {
    file.writeUInt32LE(value ?? 0, at);
  }
  const LOAD = 1;
  const READ_AND_EXECUTE = 5;
  const segment = [
    LOAD,
    HEADER_BYTES + SEGMENT_BYTES,
    NOTHING_ADDRESS,
    NOTHING_ADDRESS,
    4,
    4,
    READ_AND_EXECUTE,
    4,
  ];
  for (const [index, value] of segment.entries()) {
    file.writeUInt32LE(value, HEADER_BYTES + index * 4);
  }
  return file;
}
