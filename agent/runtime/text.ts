/** TextEncoder and TextDecoder (Encoding standard), UTF-8 alone, whole texts alone. */
import type { Native } from "./native.d.ts";

type Utf8 = Pick<Native, "utf8Encode" | "utf8Decode">;

const BOM = "\ufeff";

export function textEncoderFor(native: Utf8) {
  return class TextEncoder {
    readonly encoding = "utf-8";

    encode(text = ""): Uint8Array {
      return native.utf8Encode(text);
    }
  };
}

export function textDecoderFor(native: Utf8) {
  return class TextDecoder {
    readonly encoding = "utf-8";
    readonly fatal: boolean;
    readonly ignoreBOM: boolean;

    /** RangeError for any encoding but UTF-8. */
    constructor(label = "utf-8", options: { fatal?: boolean; ignoreBOM?: boolean } = {}) {
      if (!/^utf-?8$/i.test(label)) throw new RangeError(`no decoder for ${label}`);
      this.fatal = options.fatal ?? false;
      this.ignoreBOM = options.ignoreBOM ?? false;
    }

    /** TypeError for malformed bytes if `fatal`, else they become U+FFFD. */
    decode(bytes: Uint8Array = new Uint8Array(0)): string {
      const text = native.utf8Decode(bytes);
      if (this.fatal && text.includes("\ufffd") && !isWhole(native.utf8Encode(text), bytes)) {
        throw new TypeError("not UTF-8");
      }
      return !this.ignoreBOM && text.startsWith(BOM) ? text.slice(1) : text;
    }
  };
}

/** Whether decoding lost nothing: bytes that held U+FFFD themselves come back as they were. */
function isWhole(again: Uint8Array, bytes: Uint8Array): boolean {
  return again.length === bytes.length && again.every((byte, i) => byte === bytes[i]);
}
