/** What stands in a new camera's chips. */

import { Problem } from "../build/problem.mjs";
import { environmentImage } from "./bootloader.mjs";
import { findPartition } from "./flash.mjs";

/** @import { Firmware } from "./board.mjs" */

const ERASED = 0xff;

/**
 * The chip with U-Boot, all else of it erased: Linux makes the config partition's file system.
 * @param {Firmware} firmware
 * @param {Uint8Array} uboot
 * @param {ReadonlyMap<string, string>} [variables] a stored environment; without it U-Boot goes by its compiled-in one
 * @returns {Buffer} as long as the chip
 * @throws {Problem} U-Boot is longer than its partition
 */
export function flashImage(firmware, uboot, variables) {
  const { chip, start, end } = findPartition(firmware, "u-boot");
  if (uboot.length > end - start) {
    throw new Problem(
      `U-Boot has ${uboot.length} bytes and its partition ${end - start}; make it larger in board.json.`,
    );
  }
  const image = Buffer.alloc(Number(chip.size_bytes), ERASED);
  image.set(uboot, start);
  if (variables !== undefined)
    image.set(environmentImage(firmware, variables), findPartition(firmware, "env").start);
  return image;
}

/**
 * The chip with the slots.
 * @param {Firmware} firmware
 * @param {{ a?: Uint8Array, b?: Uint8Array }} images
 * @returns {Buffer} as long as the chip
 * @throws {Problem} an image is longer than what U-Boot reads of a slot
 */
export function slotsImage(firmware, images) {
  const { slots } = firmware;
  const { chip } = findPartition(firmware, slots.a);
  const disk = Buffer.alloc(Number(chip.size_bytes), ERASED);
  for (const [name, image] of [
    [slots.a, images.a],
    [slots.b, images.b],
  ]) {
    if (typeof name !== "string" || image === undefined || typeof image === "string") continue;
    checkSlot(firmware, image.length);
    disk.set(image, findPartition(firmware, name).start);
  }
  return disk;
}

/**
 * @param {Firmware} firmware
 * @param {number} bytes of an image
 * @throws {Problem} it is too long
 */
export function checkSlot({ slots }, bytes) {
  if (bytes <= slots.read_bytes) return;
  throw new Problem(
    `the slot image has ${bytes} bytes, and ${slots.read_bytes} are the most that a slot may have; leave something out of kernel.config, busybox.config or the agent.`,
  );
}
