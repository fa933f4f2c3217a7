/** The camera's root file system: busybox, our programs and buildroot/board/common/overlay, as one list of files. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readBoard, readFirmware } from "../../board/board.mjs";
import { Problem } from "../problem.mjs";
import { CHARACTER_DEVICE, DIRECTORY, FILE, LINK } from "./cpio.mjs";

/** @import { Node } from "./cpio.mjs" */

export const OVERLAY = "buildroot/board/common/overlay";

/** Mounted upon, or what programs stand in. */
const DIRECTORIES = [
  "bin",
  "card",
  "config",
  "dev",
  "lib",
  "lib/ocellus",
  "proc",
  "run",
  "sbin",
  "sys",
  "usr",
];

/**
 * @param {object} parts
 * @param {string} parts.root the checkout
 * @param {string} parts.board
 * @param {boolean} parts.development with what inittab.dev says
 * @param {string} parts.busybox directory of that artefact
 * @param {ReadonlyMap<string, string>} parts.programs path on the camera → file here
 * @param {string} parts.build what the image is called
 * @returns {Node[]}
 */
export function rootfs({ root, board, development, busybox, programs, build }) {
  const text = (/** @type {string} */ path, /** @type {string} */ data) =>
    file(path, 0o644, Buffer.from(data));
  const overlay = new Map(
    readdirSync(join(root, OVERLAY), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => {
        const path = join(entry.parentPath, entry.name);
        return [path.slice(join(root, OVERLAY).length + 1), readFileSync(path, "utf8")];
      }),
  );
  const extra = overlay.get("etc/inittab.dev") ?? "";
  overlay.delete("etc/inittab.dev");
  if (development) overlay.set("etc/inittab", `${overlay.get("etc/inittab")}${extra}`);
  const folders = new Set(DIRECTORIES);
  for (const path of overlay.keys()) {
    for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1))
      folders.add(path.slice(0, at));
  }
  const applets = readFileSync(join(busybox, "busybox.links"), "utf8").trim().split("\n");
  if (applets.some((path) => path.startsWith("/usr/"))) folders.add("usr/bin").add("usr/sbin");
  return [
    ...[...folders].map((path) => ({ path, mode: DIRECTORY | 0o755 })),
    // init's own, before /dev is mounted.
    { path: "dev/console", mode: CHARACTER_DEVICE | 0o600, device: [5, 1] },
    ...[...overlay].map(([path, data]) => text(path, filled(data, path, root, board))),
    // In the way of an agent whose config is not mounted: what it kept in RAM would be gone with the power.
    text("config/state", "The config partition is not mounted.\n"),
    text("etc/ocellus-build", `${build}\n`),
    link("etc/resolv.conf", "/run/resolv.conf"),
    file("bin/busybox", 0o755, readFileSync(join(busybox, "bin/busybox"))),
    ...["/init", ...applets].map((path) => link(path.slice(1), "/bin/busybox")),
    ...[...programs].map(([path, from]) => file(path, 0o755, readFileSync(from))),
  ];
}

/**
 * @param {string} path
 * @param {number} mode
 * @param {Uint8Array} data
 * @returns {Node}
 */
function file(path, mode, data) {
  return { path, mode: FILE | mode, data };
}

/**
 * @param {string} path
 * @param {string} to
 * @returns {Node}
 */
function link(path, to) {
  return { path, mode: LINK | 0o777, data: Buffer.from(to) };
}

/**
 * @param {string} text
 * @param {string} path for the user
 * @param {string} root
 * @param {string} board
 * @returns {string} with the board's values for names between at signs
 */
function filled(text, path, root, board) {
  const { queue_bytes } = readBoard(root, board);
  const { network, watchdog, clip_device, card_device } = readFirmware(root, board);
  /** @type {Record<string, string>} */
  const values = {
    BOARD: board,
    QUEUE_BYTES: String(queue_bytes),
    NETWORK: network,
    WATCHDOG_DEVICE: watchdog.device,
    WATCHDOG_TIMEOUT_S: String(watchdog.timeout_s),
    CLIP_DEVICE: clip_device,
    CARD_DEVICE: card_device,
  };
  return text.replaceAll(/@([A-Z_]+)@/g, (whole, name) => {
    const value = values[name];
    if (value === undefined && name !== "NAMES")
      throw new Problem(`${OVERLAY}/${path} has ${whole}, which is nothing of a board.`);
    return value ?? whole;
  });
}
