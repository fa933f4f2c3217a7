/** What U-Boot and Linux are told, made from a board's data: the environment, Linux's arguments, U-Boot's addresses. */
import { bootScript } from "../../ota/boot/script.mjs";
import { Problem } from "../build/problem.mjs";
import { crc32 } from "./crc32.mjs";
import { extent, findPartition, KSEG1 } from "./flash.mjs";

/** @import { Firmware } from "./board.mjs" */

/** In the header of a redundant environment: this copy is the one in use. */
const ENVIRONMENT_ACTIVE = 1;
/** Before the variables of a stored environment: their CRC-32, and whether this copy is in use. */
const ENVIRONMENT_HEADER_BYTES = 5;
/** Room for the variables that U-Boot's own defaults add to ours. */
const OTHERS_BYTES = 512;
/** Linux's COMMAND_LINE_SIZE on MIPS. U-Boot takes as many. */
const LINUX_ARGUMENTS_BYTES = 4096;
/** The most that the boot script adds to Linux's arguments. */
const ADDED = " mem=4194303K ocellus.slot=a ocellus.trial=7fffffff ocellus.attempt=3";

const hex = (/** @type {number} */ number) => `0x${number.toString(16)}`;

/**
 * @param {number} bytes a whole number of KiB
 * @returns {string} as mem= takes it, e.g. "64M"
 */
export function memText(bytes) {
  return bytes % 2 ** 20 === 0 ? `${bytes / 2 ** 20}M` : `${bytes / 2 ** 10}K`;
}

/**
 * Linux's arguments without mem= and the slot, which the boot script adds.
 * @param {Firmware} firmware
 * @returns {string}
 */
function linuxArguments({ console, memory: { ramoops }, chips, watchdog }) {
  const partitions = chips.map(({ mtd_name, partitions: parts }) => {
    const list = parts.map((part) => {
      const { start, end } = extent(part);
      return `${hex(end - start)}@${hex(start)}(${part.name})${part.read_only ? "ro" : ""}`;
    });
    return `${mtd_name}:${list.join(",")}`;
  });
  const disks = chips.flatMap(({ kind, device, erase_bytes, mtd_name }) =>
    kind === "disk" ? [`block2mtd.block2mtd=${device},${Number(erase_bytes)},${mtd_name}`] : [],
  );
  return [
    `console=${console}`,
    "panic=5",
    // Without this ten lines in five seconds are taken from the supervisor, which bounds them itself, and ramoops keeps no more.
    "printk.devkmsg=on",
    // So long after the driver's start it resets the machine, if no supervisor has come.
    `watchdog.open_timeout=${watchdog.timeout_s}`,
    ...disks,
    `ramoops.mem_address=${hex(Number(ramoops.physical_address))}`,
    `ramoops.mem_size=${Number(ramoops.size_bytes)}`,
    `ramoops.record_size=${Number(ramoops.record_bytes)}`,
    `ramoops.console_size=${Number(ramoops.console_bytes)}`,
    `mtdparts=${partitions.join(";")}`,
  ].join(" ");
}

/**
 * U-Boot's whole environment: the boot script (ota/boot/boot.env). No key stops it, and there is no way to its prompt.
 * @param {Firmware} firmware
 * @param {number} [mem_bytes] another mem= than the board's
 * @returns {Map<string, string>}
 * @throws {Problem} Linux's arguments or all of it are longer than they may be
 */
export function environment(firmware, mem_bytes = Number(firmware.memory.mem_bytes)) {
  const linux_arguments = linuxArguments(firmware);
  const variables = new Map([
    ...bootScript(firmware),
    ["bootdelay", "-2"],
    ["linux_arguments", linux_arguments],
    ["mem", memText(mem_bytes)],
  ]);
  const arguments_bytes = linux_arguments.length + ADDED.length + 1;
  if (arguments_bytes > LINUX_ARGUMENTS_BYTES) {
    throw new Problem(
      `Linux's arguments take ${arguments_bytes} bytes, and it reads ${LINUX_ARGUMENTS_BYTES}; give board.json fewer partitions or shorter names.`,
    );
  }
  const bytes = ENVIRONMENT_HEADER_BYTES + environmentText(variables).length + OTHERS_BYTES;
  if (bytes > Number(firmware.environment_bytes)) {
    throw new Problem(
      `U-Boot's environment takes ${bytes} bytes; make environment_bytes in board.json larger.`,
    );
  }
  return variables;
}

/**
 * @param {ReadonlyMap<string, string>} variables
 * @returns {string} as U-Boot keeps them
 */
export function environmentText(variables) {
  return `${[...variables].map(([name, value]) => `${name}=${value}\0`).join("")}\0`;
}

/**
 * As `environment`, for a development image: any key, while U-Boot looks for one, leads to its prompt.
 * @param {Firmware} firmware
 * @param {number} [mem_bytes]
 * @returns {Map<string, string>}
 */
export function developmentEnvironment(firmware, mem_bytes) {
  return new Map([...environment(firmware, mem_bytes), ["bootdelay", "0"]]);
}

/**
 * One copy of the redundant environment, as U-Boot writes it.
 * @param {Firmware} firmware
 * @param {ReadonlyMap<string, string>} variables
 * @returns {Buffer} `environment_bytes` long
 */
export function environmentImage({ environment_bytes }, variables) {
  const image = Buffer.alloc(Number(environment_bytes));
  const text = environmentText(variables);
  if (ENVIRONMENT_HEADER_BYTES + text.length > image.length)
    throw new Error("the environment is too long");
  image.write(text, ENVIRONMENT_HEADER_BYTES, "latin1");
  image.writeUInt32LE(crc32(image.subarray(ENVIRONMENT_HEADER_BYTES)), 0);
  image.writeUInt8(ENVIRONMENT_ACTIVE, 4);
  return image;
}

/**
 * Lines of U-Boot's configuration.
 * @param {Firmware} firmware
 * @returns {string}
 */
export function ubootConfig(firmware) {
  const at = (/** @type {string} */ name) => {
    const { chip, start } = findPartition(firmware, name);
    return hexUpper(KSEG1 + Number(chip.physical_address) + start);
  };
  const { chip } = findPartition(firmware, "env");
  return [
    `CONFIG_TEXT_BASE=${at("u-boot")}`,
    `CONFIG_SYS_LOAD_ADDR=${hexUpper(Number(firmware.memory.read_address))}`,
    `CONFIG_ENV_ADDR=${at("env")}`,
    `CONFIG_ENV_ADDR_REDUND=${at("env-redundant")}`,
    `CONFIG_ENV_SIZE=${hexUpper(Number(firmware.environment_bytes))}`,
    `CONFIG_ENV_SECT_SIZE=${hexUpper(Number(chip.erase_bytes))}`,
    "",
  ].join("\n");
}

/** @param {number} number */
function hexUpper(number) {
  return `0x${number.toString(16).toUpperCase()}`;
}
