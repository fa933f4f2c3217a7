/** Small images that are real as far as anybody looks before starting them: uImages of LZMA data. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { uimage } from "../../../scripts/board/uimage.mjs";

/** qemu/malta's. */
const LOAD_ADDRESS = 0x8010_0000;

/** What an image is, where it is not the usual. */
export interface ImageParts {
  readonly name?: string;
  /** Of what is packed. */
  readonly bytes?: number;
  readonly load_address?: number;
  /** In place of LZMA data. */
  readonly data?: Uint8Array;
}

/** An image of about as many bytes as are packed, since they are noise that repeats. */
export function smallImage(parts: ImageParts = {}): Uint8Array {
  const { name = "ocellus 0.2.0+0123abcd", load_address = LOAD_ADDRESS } = parts;
  const data = parts.data ?? lzma(noise(parts.bytes ?? 200_000));
  return new Uint8Array(uimage({ name, load_address, entry_address: load_address, data }));
}

function lzma(input: Uint8Array): Buffer {
  const { status, stdout } = spawnSync("xz", ["--format=lzma", "-0", "--stdout"], {
    input,
    maxBuffer: 16 << 20,
  });
  assert.equal(status, 0);
  return stdout;
}

/** Bytes of xorshift32. */
function noise(bytes: number): Uint8Array {
  let state = 1;
  return Uint8Array.from({ length: bytes }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state & 0xff;
  });
}
