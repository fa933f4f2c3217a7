/**
 * `uboot-<board>`: U-Boot as it stands in the flash, with addresses and environment made of board.json. Its host tools are
 * built by nothing but a C compiler: neither OpenSSL nor Python.
 */
import { appendFileSync, cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readFirmware } from "../../board/board.mjs";
import { environment, ubootConfig } from "../../board/bootloader.mjs";
import { boardId } from "./board-id.mjs";
import { configureOnTop, fragmentOf } from "./kconfig.mjs";
import { sourceDate_s } from "./source-date.mjs";
import { JOBS, mapWork } from "./variants.mjs";

/** @import { Recipe } from "../recipe.mjs" */

const SOURCE = "source-u-boot";
const CROSS = "mipsel-linux-gnu-";
const DEFCONFIG = "configs/maltael_defconfig";
/** Where U-Boot looks for an environment by the name in CONFIG_ENV_SOURCE_FILE. */
const ENVIRONMENT = "board/imgtec/malta/ocellus.env";
/** The code of 2025.01 still asks for it, but nothing can set it any more. */
const LOST_SYMBOL = '\nconfig MEMSIZE_IN_BYTES\n\tbool "Memory size in bytes for Linux"\n';

/**
 * @param {string} board <vendor>/<model>
 * @returns {Recipe}
 */
export function uboot(board) {
  const fragment = `buildroot/board/${board}/uboot.config`;
  return {
    name: `uboot-${boardId(board)}`,
    text: fileURLToPath(import.meta.url),
    needs: [SOURCE],
    files: [fragment],
    tools: [`${CROSS}gcc`, "gcc", "make", "bison", "flex"],
    identity: (root) => ({ inputs: [JSON.stringify(made(root, board))], unpinned: [] }),
    async build({ root, work, out, need, step }) {
      const { config, variables } = made(root, board);
      await step("cp", ["-a", `${need(SOURCE)}/.`, work]);
      writeFileSync(join(work, ENVIRONMENT), variables);
      appendFileSync(join(work, "arch/mips/Kconfig"), LOST_SYMBOL);
      const make = [
        ...[`CROSS_COMPILE=${CROSS}`, JOBS, `KCFLAGS=${mapWork(work)}`, `KAFLAGS=${mapWork(work)}`],
        ...["LOCALVERSION=", "PYTHON=false", "PYTHON3=false"],
        `SOURCE_DATE_EPOCH=${sourceDate_s(work)}`,
      ];
      const fragments = [fragmentOf(root, fragment), { from: `${board}/board.json`, text: config }];
      await configureOnTop(work, DEFCONFIG, fragments, { make, target: "olddefconfig" }, step);
      await step("make", [...make, "u-boot.bin"]);
      cpSync(join(work, "u-boot.bin"), join(out, "u-boot.bin"));
      cpSync(join(work, ".config"), join(out, "config"));
    },
  };
}

/**
 * What is made of board.json.
 * @param {string} root the checkout
 * @param {string} board
 */
function made(root, board) {
  const firmware = readFirmware(root, board);
  const lines = [...environment(firmware)].map(([name, value]) => `${name}=${value}\n`);
  const config = `${ubootConfig(firmware)}CONFIG_ENV_SOURCE_FILE="ocellus"\n`;
  return { config, variables: lines.join("") };
}
