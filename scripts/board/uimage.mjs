/** U-Boot's legacy image: a header of 64 bytes that `bootm` checks, and the kernel. */
import { crc32 } from "./crc32.mjs";

const MAGIC = 0x27051956;
export const HEADER_BYTES = 64;
const NAME_BYTES = 32;
const LINUX = 5;
const MIPS = 5;
const KERNEL = 2;
const LZMA = 3;

/**
 * @param {object} image
 * @param {string} image.name what it is, at most 32 bytes
 * @param {number} image.load_address
 * @param {number} image.entry_address
 * @param {Uint8Array} image.data LZMA
 * @returns {Buffer} header and data; without a date, so that the same data gives the same image
 */
export function uimage({ name, load_address, entry_address, data }) {
  if (Buffer.byteLength(name) > NAME_BYTES) throw new Error(`${name} is too long for an image`);
  const header = Buffer.alloc(HEADER_BYTES);
  const words = [MAGIC, 0, 0, data.length, load_address, entry_address, crc32(data)];
  for (const [index, word] of words.entries()) header.writeUInt32BE(word, index * 4);
  header.set([LINUX, MIPS, KERNEL, LZMA], 28);
  header.write(name, 32);
  header.writeUInt32BE(crc32(header), 4);
  return Buffer.concat([header, data]);
}
