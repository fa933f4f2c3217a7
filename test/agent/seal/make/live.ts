/** An announcement and the parts of its session, good and bad: live.json. */
import nacl from "tweetnacl";
import {
  type Bytes,
  cat,
  envelope,
  field,
  fixed,
  hex,
  keyId,
  livePart,
  message,
  nonce,
  sha256,
  subkey,
  text,
  u8,
  u16,
  u32,
  type Value,
  wrapField,
  wrapTo,
} from "../reference.ts";
import { BOOT, CAMERA_ID, camera, otherCamera, RECIPIENTS, stranger, TENANT } from "./keys.ts";

const TOPIC = `v1/${TENANT}/${hex(CAMERA_ID)}/live`;
const EPOCH = 2;
const SESSION = 3;
const KEY = fixed("live/K", 32);
const AT = { stream: 0, boot: BOOT, epoch: EPOCH, seq: SESSION };
const WRAPPED = wrapTo("epoch 2", KEY, 6, AT, RECIPIENTS);

function announcementFields(wrapped = WRAPPED): [number, Value][] {
  return [
    [1, SESSION],
    [2, 0],
    [3, EPOCH],
    [4, 5],
    [5, wrapped.ephemeral],
    ...wrapped.wraps.map((wrap): [number, Value] => [6, wrapField(wrap)]),
    [7, wrapped.commitment],
    [8, 10],
  ];
}

function announced(plain: Bytes, seq = 20): Bytes {
  const body = message(
    [1, 6],
    [2, CAMERA_ID],
    [3, BOOT],
    [4, seq],
    [5, keyId(camera.publicKey)],
    [6, plain],
  );
  return envelope(TOPIC, CAMERA_ID, BOOT, body, camera.secretKey);
}

interface Fixed {
  readonly magic: string;
  readonly version: number;
  readonly suite: number;
  readonly flags: number;
  readonly stream: number;
  readonly zero: Bytes;
  readonly boot: number;
  readonly session: number;
  readonly counter: number;
}

const START: Fixed = {
  magic: "OCEV",
  version: 1,
  suite: 1,
  flags: 0x0100,
  stream: 0,
  zero: new Uint8Array(3),
  boot: BOOT,
  session: SESSION,
  counter: 10,
};

const fixedBytes = (f: Fixed): Bytes =>
  cat(
    text(f.magic),
    u8(f.version),
    u8(f.suite),
    u16(f.flags),
    u8(f.stream),
    f.zero,
    u32(f.boot),
    u32(f.session),
    u32(f.counter),
  );

const ABOUT = message([1, 70_000_000], [2, 1_795_176_070_000_000], [3, 6], [4, true]);
const MEDIA = fixed("live media", 400);
const plaintext = (about: Bytes, media: Bytes) => cat(u32(about.length), about, media);

/** The box is sealed where `over` says that the part stands, unless `sealedAt` says otherwise. */
function part(
  over: Partial<Fixed> = {},
  plain = plaintext(ABOUT, MEDIA),
  sealedAt: Partial<Fixed> = over,
): Bytes {
  const where = { ...START, ...sealedAt };
  const at = { stream: where.stream, boot: where.boot, epoch: where.session, seq: where.counter };
  const box = nacl.secretbox(plain, nonce(7, at), subkey("live", KEY));
  return livePart(CAMERA_ID, fixedBytes({ ...START, ...over }), box, camera.secretKey);
}

/** A part of so many bytes in all; too long for the file. */
export function partOfSize(bytes: number): Bytes {
  return part({}, plaintext(ABOUT, fixed("large", bytes - 88 - 16 - 4 - ABOUT.length)));
}

export function liveFile() {
  const flipBox = part();
  flipBox[flipBox.length - 1] = (flipBox.at(-1) ?? 0) ^ 1;
  const flipSignature = part();
  flipSignature[24] = (flipSignature[24] ?? 0) ^ 1;
  const flipFixed = part();
  flipFixed[6] = (flipFixed[6] ?? 0) ^ 0x80;
  const whole = part();
  const foreign = livePart(CAMERA_ID, whole.slice(0, 24), whole.slice(88), otherCamera.secretKey);
  const bad: { what: string; refused: string; part: Bytes }[] = [
    { what: "103 bytes", refused: "too-short", part: whole.slice(0, 103) },
    { what: "another magic", refused: "magic", part: part({ magic: "OCEX" }) },
    { what: "version 2", refused: "version", part: part({ version: 2 }) },
    { what: "suite 2", refused: "suite", part: part({ suite: 2 }) },
    { what: "critical flag 1", refused: "critical-flag", part: part({ flags: 1 }) },
    {
      what: "reserved byte 9",
      refused: "reserved",
      part: part({ zero: new Uint8Array([1, 0, 0]) }),
    },
    {
      what: "reserved byte 11",
      refused: "reserved",
      part: part({ zero: new Uint8Array([0, 0, 1]) }),
    },
    { what: "stream 2", refused: "field-value", part: part({ stream: 2 }) },
    { what: "another stream", refused: "stream", part: part({ stream: 1 }) },
    { what: "another boot", refused: "boot", part: part({ boot: BOOT + 1 }) },
    {
      what: "a session that was not announced",
      refused: "session",
      part: part({ session: SESSION - 1 }),
    },
    { what: "the counter taken last", refused: "replayed", part: part({ counter: 9 }) },
    { what: "a flipped bit in the box", refused: "signature", part: flipBox },
    { what: "a flipped bit in the signature", refused: "signature", part: flipSignature },
    { what: "a flipped flag", refused: "signature", part: flipFixed },
    { what: "signed by another camera", refused: "signature", part: foreign },
    {
      what: "sealed under another counter",
      refused: "box",
      part: part({}, undefined, { counter: 11 }),
    },
    {
      what: "sealed under another session",
      refused: "box",
      part: part({}, undefined, { session: 4 }),
    },
    { what: "a plaintext of 3 bytes", refused: "malformed", part: part({}, new Uint8Array(3)) },
    {
      what: "a length past the end",
      refused: "malformed",
      part: part({}, cat(u32(9), new Uint8Array(8))),
    },
    {
      what: "critical field 64",
      refused: "critical-field",
      part: part({}, plaintext(cat(ABOUT, field(64, 1)), MEDIA)),
    },
  ];
  const without = (number: number, ...put: [number, Value][]) => [
    ...announcementFields().filter(([n]) => n !== number),
    ...put,
  ];
  const badAnnouncements: { what: string; refused: string; plain: Bytes }[] = [
    { what: "session 0", refused: "field-value", plain: message(...without(1)) },
    { what: "stream 2", refused: "field-value", plain: message(...without(2, [2, 2])) },
    { what: "epoch 0", refused: "field-value", plain: message(...without(3)) },
    {
      what: "an ephemeral of 33 bytes",
      refused: "field-length",
      plain: message(...without(5, [5, fixed("e", 33)])),
    },
    {
      what: "a commitment of 31 bytes",
      refused: "field-length",
      plain: message(...without(7, [7, fixed("c", 31)])),
    },
    { what: "no wraps", refused: "wraps", plain: message(...without(6)) },
    {
      what: "critical field 65",
      refused: "critical-field",
      plain: message(...announcementFields(), [65, 1]),
    },
    {
      what: "for somebody else",
      refused: "no-wrap",
      plain: message(...announcementFields(wrapTo("epoch 2", KEY, 6, AT, [stranger.publicKey]))),
    },
    {
      what: "wraps of another session",
      refused: "unwrap",
      plain: message(
        ...announcementFields(wrapTo("epoch 2", KEY, 6, { ...AT, seq: 4 }, RECIPIENTS)),
      ),
    },
    {
      what: "the commitment of another key",
      refused: "commitment",
      plain: message(...without(7, [7, subkey("commitment", fixed("other", 32))])),
    },
  ];
  const second = message([1, 70_250_000], [2, 1_795_176_070_250_000], [3, 7]);
  const parts = [
    {
      what: "the first part: ftyp, moov, then media",
      part: whole,
      counter: 10,
      about: ABOUT,
      media: MEDIA,
    },
    {
      what: "the next",
      part: part({ flags: 0, counter: 11 }, plaintext(second, fixed("more media", 90))),
      counter: 11,
      about: second,
      media: fixed("more media", 90),
    },
    {
      what: "one after a loss, with an unknown high flag",
      part: part({ flags: 0x8000, counter: 40 }, plaintext(second, new Uint8Array(0))),
      counter: 40,
      about: second,
      media: new Uint8Array(0),
    },
  ];
  return {
    topic: TOPIC,
    announcement: hex(announced(message(...announcementFields()))),
    session: SESSION,
    parts: parts.map(({ part: bytes, about, media, ...rest }) => ({
      ...rest,
      part: hex(bytes),
      about: hex(about),
      mediaSha256: hex(sha256(media)),
    })),
    badAnnouncements: badAnnouncements.map(({ plain, ...rest }) => ({
      ...rest,
      announcement: hex(announced(plain)),
    })),
    bad: bad.map(({ part: bytes, ...rest }) => ({ ...rest, part: hex(bytes) })),
  };
}
