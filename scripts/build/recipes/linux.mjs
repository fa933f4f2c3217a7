/**
 * `linux-<board>`: vmlinux.bin, its symbols and configuration, and layout.json. The kernel carries a room for the initramfs
 * that another recipe fills (firmware.mjs), so that a change of the camera's programs compiles no kernel. The room belongs to
 * the kernel's init data, which it frees once it has unpacked it.
 */
import { appendFileSync, cpSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readFirmware } from "../../board/board.mjs";
import { Problem } from "../problem.mjs";
import { boardId } from "./board-id.mjs";
import { configureFromNothing, fragmentOf } from "./kconfig.mjs";
import { JOBS, mapWork } from "./variants.mjs";

/** @import { Recipe } from "../recipe.mjs" */

const SOURCE = "source-linux-source-6.1";
const CROSS = "mipsel-linux-gnu-";

/** First bytes of the room; zeros follow. */
export const ROOM_MARK = "ocellus: room for the initramfs\n";

/**
 * Where things are in vmlinux.bin; layout.json.
 * @typedef {object} KernelLayout
 * @property {number} load_address where vmlinux.bin goes
 * @property {number} entry_address where it is jumped to
 * @property {number} room_offset_bytes of the initramfs in vmlinux.bin
 * @property {number} room_bytes
 */

/** Left in the tree: all Kconfig files and Makefiles, and the code that could be part of such a kernel. */
const LEFT_OUT = [
  ...["Documentation/*.rst", "Documentation/*.txt", "Documentation/*.yaml", "LICENSES/*"],
  ...["tools/perf/*", "tools/testing/*", "rust/*", "samples/*.[chS]"],
  ...[
    ...["drivers/accessibility", "drivers/acpi", "drivers/crypto", "drivers/gpu", "drivers/hwmon"],
    ...[
      "drivers/iio",
      "drivers/infiniband",
      "drivers/input",
      "drivers/media",
      "drivers/net/wireless",
    ],
    ...["drivers/pinctrl", "drivers/staging", "drivers/usb", "sound", "fs/btrfs", "fs/xfs"],
  ].map((folder) => `${folder}/*.[chS]`),
  ...["drivers/net/ethernet/[b-z]*", "arch/[a-ln-z]*", "arch/m68k", "arch/microblaze"].flatMap(
    (folder) => [`${folder}/*.[chS]`, `${folder}/*.dts*`],
  ),
];

/**
 * @param {string} board <vendor>/<model>
 * @returns {Recipe}
 */
export function linux(board) {
  const fragments = [
    "buildroot/board/common/kernel.config",
    `buildroot/board/${board}/kernel.config`,
  ];
  const drivers = `buildroot/board/${board}/linux`;
  return {
    name: `linux-${boardId(board)}`,
    text: fileURLToPath(import.meta.url),
    needs: [SOURCE],
    files: [...fragments, drivers],
    tools: [`${CROSS}gcc`, "gcc", "make", "bison", "flex"],
    // No more of the board than this, so that other changes to it compile no kernel.
    identity: (root) => ({ inputs: [JSON.stringify(numbers(root, board))], unpinned: [] }),
    async build({ root, work, out, need, step }) {
      const { load_address, room_bytes } = numbers(root, board);
      const archive = join(need(SOURCE), "usr/src/linux-source-6.1.tar.xz");
      await step("tar", [
        ...["--extract", "--file", archive, "--strip-components=1", "--no-same-owner"],
        ...LEFT_OUT.map((pattern) => `--exclude=linux-source-6.1/${pattern}`),
      ]);
      addDrivers(join(root, drivers), work);
      const room = Buffer.alloc(room_bytes);
      room.write(ROOM_MARK);
      writeFileSync(join(work, "room.cpio"), room);
      const make = [
        ...["ARCH=mips", `CROSS_COMPILE=${CROSS}`, JOBS],
        // Not KCFLAGS, which the vDSO does not follow: where it was built would get into its build id.
        `CC=${CROSS}gcc ${mapWork(work)}`,
        ...["KBUILD_BUILD_USER=ocellus", "KBUILD_BUILD_HOST=build", "KBUILD_BUILD_VERSION=1"],
        // The archive's own time: the same source says the same.
        `KBUILD_BUILD_TIMESTAMP=${statSync(archive).mtime.toUTCString()}`,
        ...["LOCALVERSION=", "PYTHON3=false"],
      ];
      const texts = fragments.map((file) => fragmentOf(root, file));
      const made = {
        from: "scripts/build/recipes/linux.mjs",
        text: 'CONFIG_INITRAMFS_SOURCE="room.cpio"',
      };
      await configureFromNothing(work, [...texts, made], make, step);
      await step("make", [...make, "vmlinux.bin"]);
      const image = readFileSync(join(work, "arch/mips/boot/vmlinux.bin"));
      const layout = {
        load_address,
        // The entry of a 32-bit little-endian ELF file.
        entry_address: readFileSync(join(work, "vmlinux")).readUInt32LE(0x18),
        room_offset_bytes: findRoom(image, room),
        room_bytes,
      };
      writeFileSync(join(out, "layout.json"), `${JSON.stringify(layout, null, 2)}\n`);
      writeFileSync(join(out, "vmlinux.bin"), image);
      cpSync(join(work, "System.map"), join(out, "System.map"));
      cpSync(join(work, ".config"), join(out, "config"));
    },
  };
}

/**
 * Adds the board's own drivers, where it has some: a Kconfig, a Makefile, and what that compiles.
 * @param {string} from
 * @param {string} work the kernel's tree
 */
function addDrivers(from, work) {
  if (!existsSync(from)) return;
  cpSync(from, join(work, "drivers/ocellus"), { recursive: true });
  appendFileSync(join(work, "drivers/Kconfig"), 'source "drivers/ocellus/Kconfig"\n');
  appendFileSync(join(work, "drivers/Makefile"), "obj-y += ocellus/\n");
}

/**
 * @param {string} root the checkout
 * @param {string} board
 */
function numbers(root, board) {
  const { memory, initramfs_room_bytes } = readFirmware(root, board);
  return { load_address: Number(memory.load_address), room_bytes: Number(initramfs_room_bytes) };
}

/**
 * @param {Buffer} image vmlinux.bin
 * @param {Buffer} room as it was given to the kernel's build
 * @returns {number} where it stands
 */
function findRoom(image, room) {
  const at = image.indexOf(ROOM_MARK);
  const whole = at >= 0 && image.subarray(at, at + room.length).equals(room);
  if (!whole || image.indexOf(ROOM_MARK, at + 1) >= 0) {
    throw new Problem("the kernel does not hold the room for the initramfs exactly once.");
  }
  return at;
}
