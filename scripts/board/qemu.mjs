/** The machine of QEMU that is the emulated camera. */

/**
 * Files that stand for what is in a camera; QEMU writes to flash, slots and card.
 * @typedef {object} Chips
 * @property {string} rom rom.elf of the firmware (rom.mjs)
 * @property {string} flash 4 MB CFI flash (flash-image.mjs)
 * @property {string} [flash_log] an empty file that gets every write to the flash, in order (QEMU's blklogwrites)
 * @property {string} slots the disk with the slots (flash-image.mjs)
 * @property {string} clip what the encoder plays, padded to whole sectors
 * @property {string} [card] a FAT medium; none by default
 * @property {string} [lan] where another station may join the camera's network (scripts/emulator/lan.ts): Unix sockets are
 *   made with ".from" and ".to" after this; by default there is only QEMU's own router
 */

/** System calls that QEMU needs for none of this. */
const SANDBOX = ["obsolete", "elevateprivileges", "spawn", "resourcecontrol"];

/**
 * The serial console is standard input and output.
 * @param {Chips} chips
 * @returns {string[]} arguments of qemu-system-mipsel
 */
export function qemuArguments({ rom, flash, flash_log, slots, clip, card, lan }) {
  const disk = (/** @type {number} */ index, /** @type {string} */ file, more = "") => [
    "-drive",
    `if=ide,index=${index},format=raw,file=${quoted(file)}${more}`,
  ];
  return [
    ...["-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none"],
    // U-Boot insists on 256 MB; Linux takes what mem= says. A T20 has a floating-point unit, and 24Kf too.
    ...["-machine", "malta", "-cpu", "24Kf", "-m", "256", "-vga", "none", "-serial", "stdio"],
    // A camera has no clock that runs while it is off.
    ...["-rtc", "base=1970-01-01"],
    ...["-kernel", rom],
    ...["-drive", `if=pflash,${flashOptions(flash, flash_log)}`],
    ...disk(0, slots),
    // Linux names disks in the order it finds them: without the clip the card would have its name.
    ...disk(1, clip, ",snapshot=on"),
    ...(card === undefined ? [] : disk(2, card)),
    // Where Malta has its own network chip, whose interrupt Linux knows.
    ...["-netdev", "user,id=net", "-device", "pcnet,id=nic,netdev=net,romfile=,addr=0x0b"],
    ...(lan === undefined ? [] : station(lan)),
    ...["-device", "ib700", "-action", "watchdog=reset"],
    // A guest that breaks out of QEMU may start nothing and become nobody else (QEMU's manual, "-sandbox").
    ...["-sandbox", `on,${SANDBOX.map((what) => `${what}=deny`).join()}`],
  ];
}

/**
 * Another station beside the router: it sees what the camera sends, and what it sends only the camera sees, since the router
 * would carry it on to the outside. Filters of QEMU do that (its manual, filter-mirror and filter-redirector).
 * @param {string} lan
 * @returns {string[]}
 */
function station(lan) {
  const socket = (/** @type {string} */ id) =>
    `socket,id=lan-${id},path=${quoted(`${lan}.${id}`)},server=on,wait=off`;
  return [
    ...["-chardev", socket("from"), "-chardev", socket("to")],
    ...["-object", "filter-mirror,id=lan-mirror,netdev=net,queue=rx,outdev=lan-from"],
    ...["-object", "filter-redirector,id=lan-inject,netdev=net,queue=tx,indev=lan-to"],
  ];
}

/**
 * @param {string} flash
 * @param {string} [log]
 */
function flashOptions(flash, log) {
  if (log === undefined) return `format=raw,file=${quoted(flash)}`;
  const files = Object.entries({ file: flash, log });
  return `driver=blklogwrites,${files.map(([name, file]) => `${name}.driver=file,${name}.filename=${quoted(file)}`).join()}`;
}

/**
 * @param {string} file
 * @returns {string} as a value among QEMU's options, where a comma ends it
 */
function quoted(file) {
  return file.replaceAll(",", ",,");
}
