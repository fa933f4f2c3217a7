/** Successions of roots, good and bad: roots.json. */
import {
  type Bytes,
  cat,
  field,
  fixed,
  fromHex,
  hex,
  type Pair,
  signPair,
} from "../../seal/reference.ts";
import {
  type Case,
  encode,
  type Fields,
  k1,
  k2,
  k3,
  k4,
  over,
  owner,
  type RootsShown,
  rootsFields,
  rootsShown,
  signatureBy,
  signed,
  signedRoots,
  stranger,
} from "./world.ts";

const ROOTS = "ocellus/v1/update-roots\0";
const HOME = rootsShown(0, 1, [owner]);
const FIRST = rootsFields(1, 2, [k1, k2, k3]);
const FLEET = rootsShown(1, 2, [k1, k2, k3], 5);
/** k3 is revoked, k4 is new. */
const SECOND = rootsFields(2, 2, [k1, k2, k4], 5);

const one = (verdict: string, what: string, bytes: Bytes, roots: RootsShown = FLEET): Case => ({
  what,
  as: "roots",
  bytes: hex(bytes),
  roots,
  verdict,
});
/** Signed as it should be, but with fields that are wrong. */
const wrong = (verdict: string, what: string, ...changes: Fields): Case =>
  one(verdict, what, signedRoots(encode(over(SECOND, ...changes)), [k1, k2, k4]));
const second = (...pairs: Pair[]) => signedRoots(encode(SECOND), pairs);
const keysOf = (...keys: Bytes[]): Fields => keys.map((key): [number, Bytes] => [4, key]);

function goodCases(): Case[] {
  const third = rootsFields(3, 1, [k4], 9);
  return [
    one(
      "good",
      "the first, by the owner and its own",
      signedRoots(encode(FIRST), [owner, k1, k2]),
      HOME,
    ),
    one("good", "a key replaced, by two that are in both", second(k1, k2)),
    one("good", "a key replaced, by old and new ones", second(k3, k1, k4)),
    one("good", "signatures of strangers beside", second(stranger, k1, k2, owner)),
    one(
      "good",
      "fewer keys, and older images revoked",
      signedRoots(encode(third), [k1, k2, k4]),
      rootsShown(2, 2, [k1, k2, k4], 5),
    ),
  ];
}

function signatureCases(): Case[] {
  const third = encode(rootsFields(3, 2, [k1, k2, k4], 5));
  const flipped = signatureBy(ROOTS, encode(SECOND), k1).map((byte, i, all) =>
    i === all.length - 1 ? byte ^ 1 : byte,
  );
  return [
    one("roots-version", "a version skipped", signedRoots(third, [k1, k2, k4])),
    one("roots-version", "the version in force once more", signedRoots(encode(FIRST), [k1, k2])),
    one("roots-new", "signed by the old ones only", second(k2, k3)),
    one("roots-old", "signed by the new ones only", second(k4, k1)),
    one("roots-old", "one of the old keys, twice", second(k1, k1, k4)),
    one("roots-old", "signed by nobody", second()),
    one("roots-old", "signed by the owner, who is replaced", second(owner, k4)),
    one("roots-new", "the owner alone, for others", signedRoots(encode(FIRST), [owner]), HOME),
    one(
      "roots-old",
      "two of the others, without the owner",
      signedRoots(encode(FIRST), [k1, k2]),
      HOME,
    ),
    one("signature", "a bad signature among enough", cat(second(k2, k3, k4), field(2, flipped))),
    one(
      "signature",
      "signed as a manifest",
      signed(encode(SECOND), [k1, k2], "ocellus/v1/update-manifest\0"),
    ),
    one("malformed", "nothing", new Uint8Array(0)),
    one("malformed", "cut short by a byte", second(k1, k2).slice(0, -1)),
    one("roots-old", "cut after the first signature", second(k1, k2).slice(0, -78)),
    one("too-long", "more than 8,192 bytes", cat(second(k1, k2), field(40, fixed("p", 8192)))),
    one("critical-field", "a critical field beside the roots", cat(second(k1, k2), field(64, 1))),
    one("too-many-signatures", "33 signatures", second(...[...Array(33).keys()].map(() => k1))),
  ];
}

function fieldCases(): Case[] {
  const many = [...Array(17).keys()].map((i) => signPair(`one of many ${i}`).publicKey);
  const [a, b, c] = [k1.publicKey, k2.publicKey, k4.publicKey];
  const small = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85";
  return [
    wrong("critical-field", "a critical field that nobody knows", [100, 1]),
    wrong("roots-tenant", "another tenant", [1, "work"]),
    wrong("field-value", "version 0", [2, 0]),
    wrong("roots-threshold", "threshold 0", [3, 0]),
    wrong("roots-threshold", "a threshold of more than the keys", [3, 4]),
    wrong("roots-keys", "no key", [4, ""]),
    wrong("roots-keys", "17 keys", ...keysOf(...many)),
    wrong("roots-keys", "a key twice", ...keysOf(a, b, a)),
    wrong("roots-keys", "a key of 31 bytes", ...keysOf(a, b, c.slice(1))),
    wrong("roots-keys", "a key of zeros", ...keysOf(a, b, new Uint8Array(32))),
    wrong("roots-keys", "a key of order 8, sign bit set", ...keysOf(a, b, fromHex(small))),
    wrong("roots-counter", "revoked images let back in", [5, 4]),
    wrong("field-value", "no time", [6, 0]),
  ];
}

export function rootsCases(): Case[] {
  return [...goodCases(), ...signatureCases(), ...fieldCases()];
}
