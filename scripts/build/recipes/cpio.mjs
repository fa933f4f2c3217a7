/** A cpio archive in the kernel's "newc" form, written without root and the same bytes for the same files. */

/**
 * @typedef {object} Node
 * @property {string} path without a slash in front
 * @property {number} mode type and permissions, as stat has them
 * @property {number} [uid] 0 by default
 * @property {number} [gid] 0 by default
 * @property {readonly [major: number, minor: number]} [device] of a device
 * @property {Uint8Array} [data] a file's contents, or where a symbolic link leads
 */

export const DIRECTORY = 0o040000;
export const FILE = 0o100000;
export const LINK = 0o120000;
export const CHARACTER_DEVICE = 0o020000;

const END = "TRAILER!!!";

/**
 * @param {Iterable<Node>} nodes in any order
 * @returns {Buffer}
 */
export function cpio(nodes) {
  // A directory's path is the beginning of those in it, so it comes first.
  const sorted = [...nodes].sort((a, b) => (a.path < b.path ? -1 : 1));
  const parts = sorted.map((node, index) => record(node, index + 1));
  return Buffer.concat([...parts, record({ path: END, mode: 0 }, 0)]);
}

/**
 * @param {Node} node
 * @param {number} inode
 */
function record({ path, mode, uid = 0, gid = 0, device = [0, 0], data = Buffer.alloc(0) }, inode) {
  const name = Buffer.from(`${path}\0`);
  const links = (mode & 0o170000) === DIRECTORY ? 2 : 1;
  const time = 0;
  const fields = [
    ...[inode, mode, uid, gid, links, time, data.length, 0, 0, ...device, name.length, 0],
  ].map((value) => value.toString(16).padStart(8, "0"));
  return Buffer.concat([padded(Buffer.from(`070701${fields.join("")}`), name), padded(data)]);
}

/** @param {readonly Uint8Array[]} parts */
function padded(...parts) {
  const bytes = Buffer.concat(parts);
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
}
