/** Signed manifests, good and bad: manifests.json. */
import { type Bytes, cat, field, fixed, hex, type Pair, varint } from "../../seal/reference.ts";
import {
  type Case,
  encode,
  type Fields,
  idOf,
  image,
  k1,
  k2,
  k3,
  k4,
  manifestFields,
  over,
  owner,
  rootsShown,
  SLOT_BYTES,
  signatureBy,
  signed,
  stranger,
} from "./world.ts";

const IMAGE = image(150_000);
const FIELDS = manifestFields(IMAGE);
const RAW = encode(FIELDS);
const MANIFEST = "ocellus/v1/update-manifest\0";
const HOME = rootsShown(0, 1, [owner]);
const FLEET = rootsShown(4, 2, [k1, k2, k3], 2);

/** The hashes of as many blocks as an image of so many bytes has. */
const sized = (bytes: number): Fields => [
  [5, bytes],
  [7, fixed("hashes", 32 * Math.ceil(bytes / 65_536))],
];

const good = (what: string, bytes: Bytes, raw = RAW, more: Partial<Case> = {}): Case => ({
  ...{ what, as: "manifest", bytes: hex(bytes), roots: FLEET, verdict: "good" },
  ...{ imageId: idOf(raw), ...more },
});
const bad = (verdict: string, what: string, bytes: Bytes, more: Partial<Case> = {}): Case => ({
  ...{ what, as: "manifest", bytes: hex(bytes), roots: FLEET, verdict, ...more },
});
/** Signed as it should be, but of a manifest that is wrong. */
const wrong = (verdict: string, what: string, ...changes: Fields): Case =>
  bad(verdict, what, signed(encode(over(FIELDS, ...changes)), [k1, k2]));

const flipped = (bytes: Bytes, at: number): Bytes =>
  bytes.map((byte, i) => (i === (at + bytes.length) % bytes.length ? byte ^ 1 : byte));

function goodCases(): Case[] {
  const newer = encode(over(FIELDS, [40, "of a later version"]));
  const largest = encode(over(FIELDS, ...sized(SLOT_BYTES)));
  const application = encode(over(FIELDS, [11, applicationOf(100_000, 2)]));
  return [
    good("the owner's root key alone", signed(RAW, [owner]), RAW, { roots: HOME }),
    good("two of three keys", signed(RAW, [k3, k1])),
    good("three keys and one that the roots do not name", signed(RAW, [k1, stranger, k2, k3])),
    good("one key twice, and another", signed(RAW, [k1, k1, k2])),
    good("an unknown field that may be passed over", signed(newer, [k1, k2]), newer),
    good("as large as the slot", signed(largest, [k1, k2]), largest),
    good("an application, where there is a partition", signed(application, [k1, k2]), application, {
      applicationBytes: 100_000,
    }),
  ];
}

function applicationOf(bytes: number, hashes: number): Bytes {
  return encode([
    [1, bytes],
    [2, fixed("application hashes", 32 * hashes)],
    [3, fixed("application", 32)],
  ]);
}

function signatureCases(): Case[] {
  const both = signed(RAW, [k1, k2]);
  const oneFlipped = (pair: Pair) => flipped(signatureBy(MANIFEST, RAW, pair), -1);
  const short = (id: number, signature: number) =>
    cat(
      field(1, RAW),
      field(
        2,
        encode([
          [1, fixed("id", id)],
          [2, fixed("s", signature)],
        ]),
      ),
    );
  return [
    bad("malformed", "nothing", new Uint8Array(0)),
    bad("malformed", "cut short by a byte", both.slice(0, -1)),
    bad("malformed", "cut within the manifest", both.slice(0, 100)),
    bad("below-threshold", "cut after the first signature", both.slice(0, -78)),
    bad("too-long", "more than 8,192 bytes", cat(both, field(40, fixed("padding", 8192)))),
    bad("signature", "a signature with a wrong bit", cat(field(1, RAW), field(2, oneFlipped(k1)))),
    bad("signature", "altered after it was signed", flipped(both, 60)),
    bad("signature", "signed as roots", signed(RAW, [k1, k2], "ocellus/v1/update-roots\0")),
    bad("signature", "good signatures and a bad one", cat(both, field(2, oneFlipped(k3)))),
    bad("below-threshold", "no signature", signed(RAW, [])),
    bad("below-threshold", "one of two keys", signed(RAW, [k1])),
    bad("below-threshold", "one key that signed twice", signed(RAW, [k1, k1])),
    bad("below-threshold", "one key and a stranger's", signed(RAW, [k1, stranger])),
    bad("below-threshold", "a revoked key and one in force", signed(RAW, [k4, k1])),
    bad("below-threshold", "the owner's key, which other roots replaced", signed(RAW, [owner])),
    bad(
      "too-many-signatures",
      "33 signatures",
      signed(
        RAW,
        [...Array(33).keys()].map(() => k1),
      ),
    ),
    bad("field-value", "a signature of 63 bytes", short(8, 63)),
    bad("field-value", "a key id of 9 bytes", short(9, 64)),
    bad("critical-field", "a critical field beside the manifest", cat(both, field(64, 1))),
    bad(
      "critical-field",
      "a critical field in a signature",
      cat(field(1, RAW), field(2, cat(signatureBy(MANIFEST, RAW, k1), field(127, 1)))),
    ),
  ];
}

function fieldCases(): Case[] {
  const large = cat(RAW, varint(9 << 3), varint(2n ** 53n));
  return [
    wrong("critical-field", "a critical field that nobody knows", [64, 1]),
    bad("malformed", "a time of 2^53", signed(large, [k1, k2])),
    bad("malformed", "signed, but no message", signed(fixed("noise", 80), [k1, k2])),
    wrong("board", "another board", [1, "qemu/malta-8m"]),
    wrong("field-value", "a board that is none", [1, "Malta"]),
    wrong("field-value", "a board of 65 characters", [1, `qemu/${"m".repeat(60)}`]),
    wrong("field-value", "a version with a space", [2, "0.2 beta"]),
    wrong("field-value", "security counter 0", [3, 0]),
    bad("security-counter", "older than the roots let in", signed(RAW, [k1, k2]), {
      roots: rootsShown(4, 2, [k1, k2, k3], 4),
    }),
    wrong("security-counter", "older than the camera's floor", [3, 2]),
    wrong("field-value", "a build of 33 characters", [4, "x".repeat(33)]),
    wrong("field-value", "a build with a line break", [4, "ocellus\n0.2.0"]),
    wrong("image-size", "an image of no bytes", ...sized(0)),
    wrong("image-size", "an image that is but a header", ...sized(64)),
    wrong("image-size", "one byte more than the slot", ...sized(SLOT_BYTES + 1)),
    wrong("image-size", "more than any slot, with a hash", [5, 0xffff_ffff], [7, fixed("h", 32)]),
    wrong("block-size", "blocks of 32 KiB", [6, 32_768]),
    wrong("block-size", "no size of blocks", [6, 0]),
    wrong("block-count", "a hash too few", [7, fixed("hashes", 64)]),
    wrong("block-count", "a hash too many", [7, fixed("hashes", 128)]),
    wrong("block-count", "a byte too few", [7, fixed("hashes", 95)]),
    wrong("block-count", "no hash", [7, ""]),
    wrong("field-value", "a hash of 31 bytes", [8, fixed("hash", 31)]),
    wrong("field-value", "no time", [9, 0]),
    wrong("field-value", "a variant that is none", [10, "debug"]),
    wrong("field-value", "no schema of settings", [12, 0]),
    wrong("application", "an application where there is no room", [11, applicationOf(1000, 1)]),
    wrong("application", "an application of no bytes", [11, applicationOf(0, 0)]),
    wrong("block-count", "an application with too few hashes", [11, applicationOf(70_000, 1)]),
  ];
}

/** Every case. The camera's floor is a security counter of 3. */
export function manifestCases(): Case[] {
  return [...goodCases(), ...signatureCases(), ...fieldCases()];
}
