/** `make firmware BOARD=vendor/model`: builds a board's images, release and development, and tells their sizes. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { checkout, ensure } from "../build/ensure.mjs";
import { exitWith, Problem } from "../build/problem.mjs";
import { printUnpinned } from "../build/unpinned.mjs";
import { readFirmware } from "./board.mjs";

/** @import { Sizes } from "../build/recipes/firmware.mjs" */

/**
 * @param {string} what
 * @param {number} bytes
 * @param {number} most
 */
function row(what, bytes, most) {
  const share = ((100 * bytes) / most).toFixed(1);
  console.log(
    `  ${what.padEnd(16)} ${`${bytes}`.padStart(8)} bytes, ${share} % of at most ${most}`,
  );
}

try {
  const board = process.argv[2] ?? "";
  if (board === "") throw new Problem("say for which board: make firmware BOARD=qemu/malta.");
  // An unknown one is told before anything is built.
  readFirmware(checkout, board);
  for (const variant of ["release", "dev"]) {
    const name = `firmware-${board.replace("/", "-")}-${variant}`;
    const directory = await ensure(name);
    /** @type {Sizes} */
    const sizes = JSON.parse(readFileSync(join(directory, "sizes.json"), "utf8"));
    console.log(`build/${name}:`);
    row("slot.uimage", sizes.slot_bytes, sizes.slot_bytes_most);
    row("  root files", sizes.rootfs_bytes, sizes.rootfs_bytes_most);
    row("U-Boot", sizes.uboot_bytes, sizes.uboot_bytes_most);
  }
  printUnpinned();
} catch (error) {
  exitWith(error);
}
