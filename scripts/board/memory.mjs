/** What a board's memory must keep, so that U-Boot, Linux and the last messages are not in each other's way. */

/** @import { Firmware } from "./board.mjs" */

/** Memory as the processor sees it, through its cache, begins here, and has so many bytes. */
const KSEG0 = 0x8000_0000;
const KSEG0_BYTES = 0x2000_0000;
/** What Linux takes of ramoops' region where it is not told otherwise: 4 KiB each for a function trace and programs' messages. */
const RAMOOPS_OTHER_BYTES = 8192;
/** mem= is written in KiB. */
const KIB = 1024;

/**
 * @param {Firmware} firmware
 * @returns {string | undefined} what is wrong, without a full stop; undefined if nothing is
 */
export function memoryMistake(firmware) {
  return (
    sizeMistake(firmware) ??
    ramoopsMistake(firmware) ??
    kernelMistake(firmware, Number(firmware.initramfs_room_bytes)) ??
    readMistake(firmware)
  );
}

/**
 * Whether a kernel that is so long lies within the least memory and below what U-Boot reads.
 * @param {Firmware} firmware
 * @param {number} kernel_bytes unpacked
 * @returns {string | undefined} as `memoryMistake`
 */
export function kernelMistake({ memory }, kernel_bytes) {
  const load = Number(memory.load_address);
  if (load < KSEG0 || load >= KSEG0 + KSEG0_BYTES) {
    return "load_address is no address of memory through the cache";
  }
  if (load + kernel_bytes > KSEG0 + Number(memory.mem_least_bytes)) {
    return `a kernel of ${kernel_bytes} bytes at load_address does not lie within mem_least_bytes`;
  }
  if (Number(memory.read_address) < load + kernel_bytes) {
    return `a slot would be read to where the kernel of ${kernel_bytes} bytes is unpacked`;
  }
  return undefined;
}

/** @param {Firmware} firmware */
function sizeMistake({ memory }) {
  const mem = Number(memory.mem_bytes);
  const least = Number(memory.mem_least_bytes);
  if (least > mem) return "mem_least_bytes is more than mem_bytes";
  if (mem % KIB !== 0 || least % KIB !== 0) return "a size of memory is no whole number of KiB";
  return undefined;
}

/** @param {Firmware} firmware */
function ramoopsMistake({ memory }) {
  const { physical_address, ...sizes } = memory.ramoops;
  if (Number(physical_address) < Number(memory.mem_bytes))
    return "ramoops lies in the memory of Linux, below mem_bytes";
  for (const [name, text] of Object.entries(sizes)) {
    // Linux would round it down without a word.
    if (!isPowerOfTwo(Number(text))) return `${name} of ramoops is no power of two`;
  }
  const parts_bytes = Number(sizes.record_bytes) + Number(sizes.console_bytes);
  if (parts_bytes + RAMOOPS_OTHER_BYTES > Number(sizes.size_bytes))
    return "the parts of ramoops are longer than its region";
  return undefined;
}

/** @param {Firmware} firmware */
function readMistake({ memory, slots }) {
  const end = Number(memory.read_address) + slots.read_bytes;
  return end > KSEG0 + Number(memory.ramoops.physical_address)
    ? "a slot would be read over ramoops"
    : undefined;
}

/** @param {number} bytes */
function isPowerOfTwo(bytes) {
  return Number.isInteger(Math.log2(bytes));
}
