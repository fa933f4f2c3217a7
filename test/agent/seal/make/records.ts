/** Records, good and bad: records.json. */
import nacl from "tweetnacl";
import {
  type At,
  type Bytes,
  cat,
  envelope,
  field,
  fixed,
  hex,
  keyId,
  message,
  nonce,
  type Pair,
  recordMessage,
  sealedFields,
  sealedMessage,
  sha256,
  subkey,
  text,
  type Value,
  wrapTo,
} from "../reference.ts";
import {
  BOOT,
  CAMERA_ID,
  camera,
  cameraBox,
  device,
  otherCamera,
  RECIPIENTS,
  stranger,
  TENANT,
} from "./keys.ts";

const RECORD = { wrap: 4, body: 5 };
const COMMAND = { wrap: 8, body: 9 };

const topic = (leaf: string) => `v1/${TENANT}/${hex(CAMERA_ID)}/${leaf}`;
const BOOT_TOPIC = `${topic("boot")}/${BOOT.toString().padStart(10, "0")}`;

interface RecordSpec {
  readonly what: string;
  readonly topic: string;
  readonly envelope: Bytes;
  /** Whose key verifies: a name in keys.json, `signing`. */
  readonly signer: "camera" | "device";
  readonly use: "record" | "command";
}

interface BodySpec {
  readonly kind: number;
  readonly seq: number;
  readonly signer: Pair;
  readonly plain?: Bytes;
  readonly sealed?: Bytes;
  readonly notAfterUs?: number;
}

function bodyFields(spec: BodySpec): [number, Value][] {
  const { kind, seq, signer, plain, sealed, notAfterUs } = spec;
  return [
    [1, kind],
    [2, CAMERA_ID],
    [3, BOOT],
    [4, seq],
    [5, keyId(signer.publicKey)],
    [6, plain ?? new Uint8Array(0)],
    [7, sealed ?? new Uint8Array(0)],
    [8, notAfterUs ?? 0],
  ];
}

const at = (epoch: number, seq: number): At => ({ stream: 0, boot: BOOT, epoch, seq });

const STATUS_PUBLIC = message(
  [1, 61_500_000],
  [2, "0.1.0+vectors"],
  [3, "host"],
  [4, 5],
  [5, 2],
  [8, 1],
);
const STATUS_PRIVATE = message([1, 1_795_176_061_500_000], [2, 1], [5, 123_456], [10, "power"]);
/** Ranges of each reason that a camera tells now, then what a later version may tell: reason 77, and a list in field 14. */
const ACCOUNT = message(
  [1, 1_795_176_062_500_000],
  [2, 1],
  [
    4,
    cat(
      message([2, 30], [3, fixed("a head", 32)], [4, 1], [5, 20]),
      ...[1, 2, 3, 4, 7, 8, 9, 77].map((reason) =>
        message([7, message([1, reason * 2], [2, reason * 2 + 1], [3, reason])]),
      ),
      message([14, message([1, 5_000_000], [2, 9_000_000], [3, 5])]),
    ),
  ],
);
/** An access that the store refused, in field 13. */
const ACCESS_REJECTED = message(
  [1, 1_795_176_063_500_000],
  [2, 1],
  [13, message([1, 3], [2, text("The store does not know the camera's access key.")])],
);
const SEGMENT = message(
  [2, 3],
  [3, fixed("a header hash", 32)],
  [4, "v1/home/x"],
  [5, 2600],
  [6, 61_000_000],
);
const BOOT_RECORD = message(
  [1, 61_600_000],
  [2, 1_795_176_061_600_000],
  [3, 1],
  [4, "0.1.0+vectors"],
  [5, "power"],
);
/** `Command` with a `Ping`, `Reply` to it. */
const PING = message([1, message([1, text("hello")])]);
const REPLY = message([1, keyId(device.publicKey)], [2, 9], [3, 1], [5, text("hello")]);

const status: BodySpec = {
  kind: 1,
  seq: 1,
  signer: camera,
  plain: STATUS_PUBLIC,
  sealed: sealedMessage("status", RECORD, at(1, 1), RECIPIENTS, STATUS_PRIVATE),
};
const command: BodySpec = {
  kind: 4,
  seq: 9,
  signer: device,
  sealed: sealedMessage("command", COMMAND, at(0, 9), [cameraBox.publicKey], PING),
  notAfterUs: 62_000_000,
};

function signed(where: string, spec: BodySpec, extra: Bytes = new Uint8Array(0)): Bytes {
  const body = cat(message(...bodyFields(spec)), extra);
  return envelope(where, CAMERA_ID, BOOT, body, spec.signer.secretKey);
}

function goodRecords(): (RecordSpec & { body: BodySpec; opens: Bytes | null; by: string })[] {
  const fromCamera = (what: string, where: string, body: BodySpec, opens: Bytes | null) => ({
    what,
    topic: where,
    body,
    envelope: signed(where, body),
    signer: "camera" as const,
    use: "record" as const,
    opens,
    by: "vault",
  });
  const record = (kind: number, seq: number, plain: Bytes): BodySpec => ({
    kind,
    seq,
    signer: camera,
    sealed: sealedMessage(`record ${seq}`, RECORD, at(1, seq), RECIPIENTS, plain),
  });
  return [
    fromCamera("status", topic("status"), status, STATUS_PRIVATE),
    fromCamera(
      "status before adoption: nothing is sealed",
      topic("status"),
      { kind: 1, seq: 2, signer: camera, plain: STATUS_PUBLIC },
      null,
    ),
    fromCamera("segment", topic("seg"), record(2, 3, SEGMENT), SEGMENT),
    fromCamera("reply", topic("rsp"), record(5, 4, REPLY), REPLY),
    fromCamera("boot record", BOOT_TOPIC, record(7, 5, BOOT_RECORD), BOOT_RECORD),
    {
      what: "command",
      topic: topic("cmd"),
      body: command,
      envelope: signed(topic("cmd"), command),
      signer: "device",
      use: "command",
      opens: PING,
      by: "cameraBox",
    },
    {
      ...fromCamera(
        "unknown fields 20 and 200 are ignored",
        topic("status"),
        status,
        STATUS_PRIVATE,
      ),
      envelope: signed(topic("status"), status, cat(field(20, 1), field(200, "later"))),
    },
    fromCamera(
      "status with dropped numbers, and reasons of a later version",
      topic("status"),
      {
        ...status,
        seq: 6,
        sealed: sealedMessage("account", RECORD, at(1, 6), RECIPIENTS, ACCOUNT),
      },
      ACCOUNT,
    ),
    fromCamera(
      "status that rejects new access",
      topic("status"),
      {
        ...status,
        seq: 7,
        sealed: sealedMessage("access", RECORD, at(1, 7), RECIPIENTS, ACCESS_REJECTED),
      },
      ACCESS_REJECTED,
    ),
  ];
}

interface BadRecord extends RecordSpec {
  readonly refused: string;
}

function badRecords(): BadRecord[] {
  const where = topic("status");
  const statusBody = message(...bodyFields(status));
  const bad = (what: string, refused: string, bytes: Bytes, over: Partial<RecordSpec> = {}) => ({
    what,
    refused,
    topic: where,
    envelope: bytes,
    signer: "camera" as const,
    use: "record" as const,
    ...over,
  });
  const body = (
    what: string,
    refused: string,
    fields: [number, Value][],
    extra: Bytes = new Uint8Array(0),
  ) =>
    bad(
      what,
      refused,
      envelope(where, CAMERA_ID, BOOT, cat(message(...fields), extra), camera.secretKey),
    );
  const without = (number: number, ...put: [number, Value][]) => [
    ...bodyFields(status).filter(([n]) => n !== number),
    ...put,
  ];
  const sealed = (what: string, refused: string, part: Bytes) =>
    body(what, refused, without(7, [7, part]));
  const key = fixed("bad record/K", 32);
  const place = at(1, 1);
  const wrapped = wrapTo("bad record", key, 4, place, RECIPIENTS);
  const box = nacl.secretbox(STATUS_PRIVATE, nonce(5, place), subkey("body", key));
  const [wrap] = wrapped.wraps;
  if (wrap === undefined) throw new Error("no wrap");
  const flip = (bytes: Bytes) => cat(bytes.slice(0, -1), new Uint8Array([(bytes.at(-1) ?? 0) ^ 1]));
  const raw = signed(where, status);
  const otherDomain = nacl.sign.detached(
    cat(text("ocellus/v1/segment\0"), statusBody),
    camera.secretKey,
  );
  return [
    bad("no envelope", "field-length", new Uint8Array(0)),
    bad("an envelope that is no protobuf", "malformed", new Uint8Array([0x0a, 0xff])),
    bad("critical field 64 in the envelope", "critical-field", cat(raw, field(64, 1))),
    bad("a signature of 63 bytes", "field-length", message([1, statusBody], [2, fixed("s", 63)])),
    body("critical field 100 in the body", "critical-field", bodyFields(status), field(100, 1)),
    body("a body that is no protobuf", "malformed", bodyFields(status), new Uint8Array([0xff])),
    body("a camera of 15 bytes", "field-length", without(2, [2, CAMERA_ID.slice(1)])),
    body("a signer of 7 bytes", "field-length", without(5, [5, fixed("id", 7)])),
    body("boot 0", "field-value", without(3)),
    body("number 0", "field-value", without(4)),
    body("number 2^53", "number-too-large", without(4, [4, 2n ** 53n])),
    body("another kind under this topic", "kind", without(1, [1, 5])),
    body("kind 0", "kind", without(1)),
    body("another camera's", "camera", without(2, [2, fixed("another camera", 16)])),
    body("another boot's", "boot", without(3, [3, BOOT + 1])),
    body("another signer's id", "signer", without(5, [5, keyId(otherCamera.publicKey)])),
    bad("under another topic", "kind", raw, { topic: topic("rsp") }),
    bad("another tenant's", "signature", raw, { topic: where.replace("home", "other") }),
    bad("a topic without records", "kind", raw, { topic: topic("link") }),
    bad(
      "signed for another boot",
      "signature",
      envelope(where, CAMERA_ID, BOOT + 1, statusBody, camera.secretKey),
    ),
    bad(
      "signed by another camera",
      "signature",
      envelope(where, CAMERA_ID, BOOT, statusBody, otherCamera.secretKey),
    ),
    bad(
      "signed in the domain of segments",
      "signature",
      message([1, statusBody], [2, otherDomain]),
    ),
    bad(
      "without the topic's length in what is signed",
      "signature",
      message(
        [1, statusBody],
        [
          2,
          nacl.sign.detached(
            recordMessage(where, CAMERA_ID, BOOT, statusBody).slice(2),
            camera.secretKey,
          ),
        ],
      ),
    ),
    sealed(
      "an ephemeral of 31 bytes",
      "field-length",
      sealedFields(1, { ...wrapped, ephemeral: wrapped.ephemeral.slice(1) }, box),
    ),
    sealed(
      "a commitment of 31 bytes",
      "field-length",
      sealedFields(1, { ...wrapped, commitment: wrapped.commitment.slice(1) }, box),
    ),
    sealed("a box of 15 bytes", "field-length", sealedFields(1, wrapped, box.slice(0, 15))),
    sealed("epoch 0 in a camera's record", "field-value", sealedFields(0, wrapped, box)),
    sealed("no wraps", "wraps", sealedFields(1, { ...wrapped, wraps: [] }, box)),
    sealed(
      "17 wraps",
      "wraps",
      sealedFields(1, { ...wrapped, wraps: Array.from({ length: 17 }, () => wrap) }, box),
    ),
    sealed(
      "critical field 64 in the sealed part",
      "critical-field",
      cat(sealedFields(1, wrapped, box), field(64, 1)),
    ),
    sealed(
      "for somebody else",
      "no-wrap",
      sealedFields(1, wrapTo("x", key, 4, place, [stranger.publicKey]), box),
    ),
    sealed(
      "wraps of another record",
      "unwrap",
      sealedFields(1, wrapTo("x", key, 4, at(1, 2), RECIPIENTS), box),
    ),
    sealed(
      "wraps made for a segment",
      "unwrap",
      sealedFields(1, wrapTo("x", key, 1, place, RECIPIENTS), box),
    ),
    sealed(
      "the commitment of another key",
      "commitment",
      sealedFields(1, { ...wrapped, commitment: subkey("commitment", fixed("other", 32)) }, box),
    ),
    sealed("a flipped bit in the box", "box", sealedFields(1, wrapped, flip(box))),
    sealed(
      "a box sealed under the number of another record",
      "box",
      sealedFields(
        1,
        wrapped,
        nacl.secretbox(STATUS_PRIVATE, nonce(5, at(1, 2)), subkey("body", key)),
      ),
    ),
    bad(
      "a command in epoch 1",
      "field-value",
      signed(topic("cmd"), {
        ...command,
        sealed: sealedMessage("command", COMMAND, at(1, 9), [cameraBox.publicKey], PING),
      }),
      { topic: topic("cmd"), signer: "device", use: "command" },
    ),
  ];
}

const shown = ({ what, topic: where, envelope: bytes, signer, use }: RecordSpec) => ({
  what,
  topic: where,
  signer,
  use,
  envelope: hex(bytes),
});

/** An owner's backup: kinds 10 and 11 of the nonce, without a record around it. */
function backup() {
  const place: At = { stream: 0, boot: 0, epoch: 0, seq: 1 };
  const plain = text("an owner's keys");
  const sealed = sealedMessage("backup", { wrap: 10, body: 11 }, place, RECIPIENTS.slice(1), plain);
  return { sealed: hex(sealed), seq: 1, boot: 0, by: "recovery", opens: hex(plain) };
}

export function recordsFile() {
  return {
    good: goodRecords().map(({ body, opens, by, ...spec }) => ({
      ...shown(spec),
      by,
      seq: body.seq,
      kind: body.kind,
      plain: hex(body.plain ?? new Uint8Array(0)),
      opens: opens && hex(opens),
    })),
    bootRecordName: `${BOOT_TOPIC}-${bootHash()}`,
    bad: badRecords().map((record) => ({ ...shown(record), refused: record.refused })),
    backup: backup(),
  };
}

function bootHash(): string {
  const boot = goodRecords().find(({ what }) => what === "boot record");
  return hex(sha256(boot?.envelope ?? new Uint8Array(0)).slice(0, 16));
}
