/**
 * `firmware-<board>-release` and `-dev`: slot.uimage (kernel, root file system and agent in one), flash.bin (the chip with
 * U-Boot), rom.elf, which goes to U-Boot in QEMU, rootfs.cpio, to look into, sizes.json, and NOTICES.txt, which goes wherever
 * they go. The development image has a shell on the serial console, and its U-Boot a prompt there.
 */
import { cpSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { readFirmware } from "../../board/board.mjs";
import { developmentEnvironment } from "../../board/bootloader.mjs";
import { findPartition } from "../../board/flash.mjs";
import { checkSlot, flashImage } from "../../board/flash-image.mjs";
import { kernelMistake } from "../../board/memory.mjs";
import { romProgram } from "../../board/rom.mjs";
import { uimage } from "../../board/uimage.mjs";
import { Problem } from "../problem.mjs";
import { boardId } from "./board-id.mjs";
import { cpio } from "./cpio.mjs";
import { OVERLAY, rootfs } from "./rootfs.mjs";

/** @import { Firmware } from "../../board/board.mjs" */
/** @import { Recipe } from "../recipe.mjs" */
/** @import { KernelLayout } from "./linux.mjs" */

/**
 * sizes.json: what images take, and the most they may.
 * @typedef {object} Sizes
 * @property {number} slot_bytes
 * @property {number} slot_bytes_most
 * @property {number} rootfs_bytes unpacked
 * @property {number} rootfs_bytes_most
 * @property {number} uboot_bytes
 * @property {number} uboot_bytes_most
 */

/** Where our programs stand on the camera. */
const PROGRAMS = [
  "bin/ocellus-camera",
  "bin/ocellus-canned",
  "sbin/ocellus-config",
  "sbin/ocellus-dhcp",
  "sbin/ocellus-supervise",
];
/** Of several settings tried, the smallest: MIPS code is words of four bytes. */
const LZMA = "--lzma1=preset=9e,lc=0,lp=2,pb=2";

/**
 * @param {string} board <vendor>/<model>
 * @param {"release" | "dev"} variant
 * @returns {Recipe}
 */
export function firmware(board, variant) {
  const id = boardId(board);
  const needed = { linux: `linux-${id}`, uboot: `uboot-${id}`, busybox: `busybox-${variant}` };
  return {
    name: `firmware-${id}-${variant}`,
    text: fileURLToPath(import.meta.url),
    needs: [...Object.values(needed), "native-mipsel", "bytecode", "notices"],
    files: [
      ...[OVERLAY, "scripts/board", "ota/boot", "agent/update/journal.json"],
      `buildroot/board/${board}/board.json`,
    ],
    tools: ["xz", "mipsel-linux-gnu-strip"],
    async build({ root, work, out, key, unpinned, need, step }) {
      const data = readFirmware(root, board);
      const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
      const build = `ocellus ${version}+${key.slice(0, 8)}${unpinned ? ".unp" : ""}`;
      const programs = new Map([["lib/ocellus/agent.bin", join(need("bytecode"), "agent.bin")]]);
      mkdirSync(join(work, "stripped"));
      for (const path of PROGRAMS) {
        const from = join(need("native-mipsel"), "bin", basename(path));
        const to = join(work, "stripped", basename(path));
        await step("mipsel-linux-gnu-strip", ["--strip-all", "-o", to, from]);
        programs.set(path, to);
      }
      const files = rootfs({
        ...{ root, board, build, programs, busybox: need(needed.busybox) },
        development: variant === "dev",
      });
      const archive = cpio(files);
      const kernel = join(work, "kernel");
      const layout = fillRoom(need(needed.linux), archive, kernel);
      checkKernel(data, statSync(kernel).size);
      // One thread: with more the result depends on how many.
      await step("xz", ["--format=lzma", "--threads=1", LZMA, "--keep", kernel]);
      const slot = uimage({ name: build, ...layout, data: readFileSync(`${kernel}.lzma`) });
      checkSlot(data, slot.length);
      const bootloader = readFileSync(join(need(needed.uboot), "u-boot.bin"));
      const development = variant === "dev" ? developmentEnvironment(data) : undefined;
      const flash = flashImage(data, bootloader, development);
      const uboot = findPartition(data, "u-boot");
      /** @type {Sizes} */
      const sizes = {
        slot_bytes: slot.length,
        slot_bytes_most: data.slots.read_bytes,
        rootfs_bytes: archive.length,
        rootfs_bytes_most: layout.room_bytes,
        uboot_bytes: bootloader.length,
        uboot_bytes_most: uboot.end - uboot.start,
      };
      writeFileSync(join(out, "sizes.json"), `${JSON.stringify(sizes, null, 2)}\n`);
      writeFileSync(join(out, "slot.uimage"), slot);
      writeFileSync(join(out, "flash.bin"), flash);
      writeFileSync(join(out, "rom.elf"), romProgram(data));
      writeFileSync(join(out, "rootfs.cpio"), archive);
      cpSync(join(need("notices"), "NOTICES.txt"), join(out, "NOTICES.txt"));
    },
  };
}

/**
 * The room is only a part of the kernel, and board.json knows no more of it.
 * @param {Firmware} firmware
 * @param {number} bytes of the kernel, unpacked
 * @throws {Problem} it does not lie where it may
 */
export function checkKernel(firmware, bytes) {
  const mistake = kernelMistake(firmware, bytes);
  if (mistake !== undefined) throw new Problem(`${mistake}; mend memory in board.json.`);
}

/**
 * Puts the root file system into the kernel's room.
 * @param {string} linux directory of the kernel
 * @param {Buffer} archive
 * @param {string} to file to write
 * @returns {KernelLayout}
 */
export function fillRoom(linux, archive, to) {
  /** @type {KernelLayout} */
  const layout = JSON.parse(readFileSync(join(linux, "layout.json"), "utf8"));
  if (archive.length > layout.room_bytes) {
    throw new Problem(
      `the root file system has ${archive.length} bytes and its room in the kernel ${layout.room_bytes}; raise initramfs_room_bytes in board.json.`,
    );
  }
  const image = readFileSync(join(linux, "vmlinux.bin"));
  image.fill(0, layout.room_offset_bytes, layout.room_offset_bytes + layout.room_bytes);
  image.set(archive, layout.room_offset_bytes);
  writeFileSync(to, image);
  return layout;
}
