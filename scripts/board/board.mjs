/**
 * Boards: one data file each, buildroot/board/<vendor>/<model>/board.json, in the shape of board.schema.json beside them.
 *
 * ajv judges them: the best-kept JSON schema validator on npm, and it names the place of each mistake.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { Problem } from "../build/problem.mjs";
import { flashMistake } from "./flash.mjs";

const FOLDER = "buildroot/board";

/**
 * A board's data. Each field is described in buildroot/board/board.schema.json.
 * @typedef {object} Board
 * @property {string} vendor
 * @property {string} model
 * @property {string} description
 * @property {"canned"} encoder
 * @property {number} queue_bytes
 * @property {Firmware} [firmware] of a board that boots by itself
 *
 * @typedef {string} Hex "0x" and eight digits; Number() takes it as it is
 *
 * @typedef {object} Firmware
 * @property {string} console
 * @property {string} network
 * @property {object} watchdog
 * @property {string} watchdog.device
 * @property {number} watchdog.timeout_s
 * @property {string[]} [watchdog.before_linux]
 * @property {object} memory
 * @property {Hex} memory.mem_bytes
 * @property {Hex} memory.mem_least_bytes
 * @property {Hex} memory.load_address
 * @property {Hex} memory.read_address
 * @property {object} memory.ramoops
 * @property {Hex} memory.ramoops.physical_address
 * @property {Hex} memory.ramoops.size_bytes
 * @property {Hex} memory.ramoops.record_bytes
 * @property {Hex} memory.ramoops.console_bytes
 * @property {Hex} initramfs_room_bytes
 * @property {Hex} environment_bytes
 * @property {{ a: string, b: string, read_bytes: number }} slots
 * @property {{ a: string, b: string }} journal
 * @property {Chip[]} chips
 * @property {string} clip_device
 * @property {string} card_device
 *
 * @typedef {object} Chip
 * @property {"cfi" | "disk"} kind
 * @property {string} mtd_name
 * @property {Hex} [physical_address] of cfi
 * @property {string} [device] of disk
 * @property {Hex} size_bytes
 * @property {Hex} erase_bytes
 * @property {Partition[]} partitions
 *
 * @typedef {object} Partition
 * @property {string} name
 * @property {Hex} offset_bytes
 * @property {Hex} size_bytes
 * @property {true} [read_only]
 */

/**
 * @param {string} root the checkout
 * @returns {string[]} names of all boards, <vendor>/<model>, sorted
 */
export function boardNames(root) {
  const folders = (/** @type {string} */ path) =>
    readdirSync(join(root, FOLDER, path), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => (path === "" ? name : `${path}/${name}`));
  return folders("")
    .flatMap(folders)
    .filter((name) => existsSync(join(root, FOLDER, name, "board.json")))
    .sort();
}

/**
 * @param {string} root the checkout
 * @param {string} name <vendor>/<model>
 * @returns {Board}
 * @throws {Problem} there is no such board, or its file is wrong: the sentence says where
 */
export function readBoard(root, name) {
  const names = boardNames(root);
  if (!names.includes(name)) {
    throw new Problem(`there is no board "${name}"; there are: ${names.join(", ")}.`);
  }
  const file = `${FOLDER}/${name}/board.json`;
  // Only now: set-up loads this file before it has installed anything.
  /** @type {typeof import("ajv")} */
  const { Ajv } = createRequire(import.meta.url)("ajv");
  const validate = new Ajv().compile(readJson(root, `${FOLDER}/board.schema.json`));
  /**
   * @param {unknown} data
   * @returns {data is Board}
   */
  const isBoard = (data) => validate(data);
  /** @type {unknown} */
  const board = readJson(root, file);
  if (!isBoard(board)) {
    const [error] = validate.errors ?? [];
    const extra = error?.params.additionalProperty;
    const what = extra === undefined ? error?.message : `"${extra}" is no field of a board`;
    throw new Problem(`${file}${error?.instancePath ?? ""}: ${what}.`);
  }
  if (`${board.vendor}/${board.model}` !== name) {
    throw new Problem(`${file} says that it is ${board.vendor}/${board.model}.`);
  }
  const mistake = board.firmware === undefined ? undefined : flashMistake(board.firmware);
  if (mistake !== undefined) throw new Problem(`${file}: ${mistake}.`);
  return board;
}

/**
 * The firmware's part of a board that has one.
 * @param {string} root the checkout
 * @param {string} name <vendor>/<model>
 * @returns {Firmware}
 * @throws {Problem} as `readBoard`; or the board does not boot by itself
 */
export function readFirmware(root, name) {
  const { firmware } = readBoard(root, name);
  if (firmware !== undefined) return firmware;
  const having = boardNames(root).filter((each) => readBoard(root, each).firmware !== undefined);
  throw new Problem(`board ${name} has no firmware; there is one for: ${having.join(", ")}.`);
}

/**
 * Whatever the file holds, to be validated.
 * @param {string} root
 * @param {string} file
 */
function readJson(root, file) {
  try {
    return JSON.parse(readFileSync(join(root, file), "utf8"));
  } catch (error) {
    throw new Problem(
      `${file} is no JSON: ${error instanceof Error ? error.message : String(error)}.`,
    );
  }
}
