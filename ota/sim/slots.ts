/** Slots as the boot script can tell them apart: tiny images, each good or wrong in one way. */
import type { Slot } from "../../agent/update/journal.ts";
import { crc32 } from "../../scripts/board/crc32.mjs";
import { HEADER_BYTES, uimage } from "../../scripts/board/uimage.mjs";

/**
 * What stands in a slot. `valid` starts; `undecompressable` has header and checksums right, and U-Boot resets over it; U-Boot
 * leaves all others and goes on. `unreadable` cannot be read at all.
 */
export type SlotContent =
  | "valid"
  | "erased"
  | "header bad"
  | "data bad"
  | "undecompressable"
  | "other architecture"
  | "no kernel"
  | "unreadable";

/**
 * LZMA of a program for the emulated camera's processor: it says U-Boot's arguments for Linux on the serial line, one a line
 * (by the UART at 0xb80003f8), and then waits for ever.
 */
const TELL = Buffer.from(
  "5d00008000ffffffffffffffff00002e903fc406ea543cede546ac9d6ae9edc50a3226aab37cb75813ae6692" +
    "c1d44b8e09b0b995d4191bc7f342c715d8000524559f895dfc7aadb240b891b653bdbedc3ce1d686f75ce600" +
    "a6d8851b07568af5526032a2e13fffdcf8b000",
  "hex",
);
const LOAD_ADDRESS = 0x8010_0000;
/** Places in a header. */
const CHECK_AT = 4;
const LOAD_ADDRESS_AT = 16;
const ARCHITECTURE_AT = 29;
const TYPE_AT = 30;
const ARM = 2;
const RAM_DISK = 3;

/** The name of the image in a slot. */
export function imageName(slot: Slot): string {
  return `slot ${slot}`;
}

/** The bytes at the slot's beginning; what follows is erased. None for one that cannot be read. */
export function slotImage(slot: Slot, content: SlotContent): Buffer {
  switch (content) {
    case "valid":
      return image(slot, TELL);
    case "undecompressable":
      return image(slot, Buffer.from("this is no LZMA at all, and long enough for a header of it"));
    case "header bad":
      return changed(image(slot, TELL), LOAD_ADDRESS_AT);
    case "data bad":
      return changed(image(slot, TELL), HEADER_BYTES + 40);
    case "other architecture":
      return withByte(image(slot, TELL), ARCHITECTURE_AT, ARM);
    case "no kernel":
      return withByte(image(slot, TELL), TYPE_AT, RAM_DISK);
    case "erased":
    case "unreadable":
      return Buffer.alloc(0);
  }
}

function image(slot: Slot, data: Buffer): Buffer {
  const addresses = { load_address: LOAD_ADDRESS, entry_address: LOAD_ADDRESS };
  return uimage({ name: imageName(slot), ...addresses, data });
}

/** One bit is another, and no checksum knows. */
function changed(bytes: Buffer, at: number): Buffer {
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  return bytes;
}

/** A byte of the header is another, and its checksum knows. */
function withByte(bytes: Buffer, at: number, value: number): Buffer {
  bytes.writeUInt8(value, at);
  const header = bytes.subarray(0, HEADER_BYTES);
  header.writeUInt32BE(0, CHECK_AT);
  header.writeUInt32BE(crc32(header), CHECK_AT);
  return bytes;
}
