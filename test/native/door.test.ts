/** The door between two processes: who gets in, what can be asked for, and who is shown out. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Program, scratch } from "./support/programs.ts";
import { drain, startPair, startReader, startWriter, writeFrames } from "./support/ring.ts";

/** enum door_kind and door_reason of native/ring/door.h. */
const KIND = { keyFrame: 1, bitrate: 2, overlayText: 5, motionGrid: 7, unknown: 31, absurd: 4096 };
const REASON = { version: 1, noStream: 2, full: 3, tooSoon: 4, badValue: 5 };

/** A message of 32-bit little-endian words. */
function words(...values: number[]): string {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [i, value] of values.entries()) bytes.writeUInt32LE(value >>> 0, i * 4);
  return bytes.toString("hex");
}

const SUBSCRIBE_MAGIC = 0x3153434f;
const HELLO_MAGIC = 0x3148434f;
const REQUEST_MAGIC = 0x3151434f;
const REPLY_MAGIC = 0x3152434f;
const SUBSCRIBE = words(SUBSCRIBE_MAGIC, 1, 0, 0, 0, 0, 0, 0);
/** Of the ring that door_forger hands over. */
const FORGED_RING_BYTES = 20480;
const HELLO = words(HELLO_MAGIC, 1, 0, 0, 0, FORGED_RING_BYTES, 0, 0);

test("frames and the end wake a consumer, which then sleeps", async (t) => {
  const { writer, reader } = await startPair(t);
  assert.equal(await reader.ask("wait 0"), "asleep");
  await writeFrames(writer, 3);
  assert.equal(await reader.ask("wait 1000"), "awake");
  assert.equal(await reader.ask("wait 0"), "asleep", "three frames, one wake-up");
  await writer.ask("end");
  assert.equal(await reader.ask("wait 1000"), "awake");
});

test("each consumer is woken for itself", async (t) => {
  const { writer, reader, socket } = await startPair(t);
  const other = await startReader(t);
  assert.match(await other.ask(`connect ${socket} 0`), /^attached/);
  await writeFrames(writer, 1);
  assert.equal(await reader.ask("wait 1000"), "awake");
  assert.equal(await other.ask("wait 0"), "awake");
});

test("requests get a typed reply with their id", async (t) => {
  const { writer, reader } = await startPair(t);
  const ask = (kind: number, value = 0) => reader.ask(`request ${kind} ${value}`);
  assert.equal(
    await ask(KIND.bitrate, 500000),
    "reply 1 kind 2 result 0 reason 0 value 0 0 0 0 data ",
  );
  assert.match(await ask(KIND.bitrate, -1), /^reply 2 kind 2 result 2 reason 5 /);
  assert.match(await ask(KIND.overlayText), /^reply 3 kind 5 result 1 reason 0 /);
  assert.match(await ask(KIND.unknown), /^reply 4 kind 31 result 1 /);
  assert.match(await ask(KIND.absurd), /^reply 5 kind 4096 result 1 /);
  assert.match(await ask(0), /^reply 6 kind 0 result 1 /);
  assert.match(await ask(KIND.motionGrid), /^reply 7 kind 7 result 0 .* data 616263$/);
  assert.equal(await writer.ask("requests"), "requests 3", "unsupported ones never get through");
});

test("key frames on request are limited to one a second, whoever asks", async (t) => {
  const { writer, reader, socket } = await startPair(t);
  const other = await startReader(t);
  await other.ask(`connect ${socket} 0`);
  assert.match(await reader.ask(`request ${KIND.keyFrame}`), /^reply 1 kind 1 result 0 /);
  for (const each of [reader, other, reader]) {
    const answer = await each.ask(`request ${KIND.keyFrame}`);
    const match = /result 2 reason (\d+) value (\d+)/.exec(answer);
    assert.ok(match, answer);
    assert.equal(Number(match[1]), REASON.tooSoon);
    assert.ok(Number(match[2]) > 0 && Number(match[2]) <= 1000, answer);
  }
  await new Promise((resolve) => setTimeout(resolve, 1050));
  assert.match(await other.ask(`request ${KIND.keyFrame}`), /result 0 /);
  assert.equal(await writer.ask("requests"), "requests 2");
});

test("a stream that is not there and another protocol version are refused by name", async (t) => {
  const { reader, socket } = await startPair(t);
  for (const stream of [1, 4, 4294967295]) {
    assert.equal(await reader.ask(`connect ${socket} ${stream}`), `refused ${REASON.noStream}`);
    assert.equal(await reader.ask("event 1000"), "closed");
  }
  await reader.ask(`open ${socket}`);
  await reader.ask(`raw ${words(SUBSCRIBE_MAGIC, 2, 0, 0, 0, 0, 0, 0)}`);
  assert.equal(await reader.ask("event 1000"), `refused ${REASON.version}`);
});

test("consumers beyond the eighth are refused until one leaves", async (t) => {
  const socket = join(scratch(t), "door");
  const writer = await startWriter(t, socket);
  const readers: Program[] = [];
  for (let i = 0; i < 8; i++) {
    const reader = await startReader(t);
    assert.match(await reader.ask(`connect ${socket} 0`), /^attached/);
    readers.push(reader);
  }
  const late = await startReader(t);
  for (let i = 0; i < 20; i++) {
    assert.equal(await late.ask(`connect ${socket} 0`), `refused ${REASON.full}`);
  }
  assert.equal(await writer.ask("attached"), "attached 8");
  await readers[3]?.ask("close");
  // The encoder sees the hang-up at its next turn; until then the refusal above is right.
  let answer = "";
  for (let i = 0; i < 100 && !answer.startsWith("attached"); i++) {
    answer = await late.ask(`connect ${socket} 0`);
  }
  assert.match(answer, /^attached/);
  await writeFrames(writer, 2);
  assert.deepEqual(await drain(late), [0, 1]);
});

test("whoever sends nonsense is hung up on, and nobody else notices", async (t) => {
  const { writer, reader, socket } = await startPair(t);
  const rude = await startReader(t);
  const request = words(REQUEST_MAGIC, 1, KIND.bitrate, ...Array(21).fill(0));
  const nonsense: [string, string][] = [
    ["", "00"],
    ["", "ff".repeat(200)],
    ["", SUBSCRIBE.slice(8)],
    ["", `${SUBSCRIBE}00`],
    ["", request],
    ["", words(HELLO_MAGIC, 1, 0, 0, 0, 0, 0, 0)],
    [SUBSCRIBE, SUBSCRIBE],
    [SUBSCRIBE, request.slice(2)],
    [SUBSCRIBE, `${request}00`],
    [SUBSCRIBE, words(REQUEST_MAGIC, 1, KIND.bitrate, 0, 0, 0, 0, 65, ...Array(16).fill(0))],
    [SUBSCRIBE, words(REPLY_MAGIC, 1, KIND.bitrate, ...Array(21).fill(0))],
  ];
  for (const [first, second] of nonsense) {
    assert.equal(await rude.ask(`open ${socket}`), "open");
    if (first) {
      await rude.ask(`raw ${first}`);
      assert.match(await rude.ask("event 1000"), /^attached/);
    }
    await rude.ask(`raw ${second}`);
    assert.equal(await rude.ask("event 1000"), "closed", second);
  }
  await rude.ask("close");
  assert.equal(await writer.ask("attached"), "attached 1");
  await writeFrames(writer, 2);
  assert.deepEqual(await drain(reader), [0, 1]);
});

test("whoever connects and says nothing is hung up on after two seconds", async (t) => {
  const { reader, socket } = await startPair(t);
  const started = Date.now();
  await reader.ask(`open ${socket}`);
  assert.equal(await reader.ask("event 1000"), "silence");
  assert.equal(await reader.ask("event 4000"), "closed");
  assert.ok(Date.now() - started >= 1900);
});

test("a consumer that takes no replies is hung up on and never waited for", async (t) => {
  const { writer, reader, socket } = await startPair(t);
  const greedy = await startReader(t);
  await greedy.ask(`connect ${socket} 0`);
  assert.notEqual(await greedy.ask("spam 100000"), "sent all");
  assert.equal(await writer.ask("attached"), "attached 1");
  await writeFrames(writer, 2);
  assert.deepEqual(await drain(reader), [0, 1]);
});

test("a consumer that is stopped, or dies, holds nothing up", async (t) => {
  const { writer, reader, socket } = await startPair(t);
  const stopped = await startReader(t);
  const dying = await startReader(t);
  await stopped.ask(`connect ${socket} 0`);
  await dying.ask(`connect ${socket} 0`);
  stopped.signal("SIGSTOP");
  await dying.kill("SIGKILL");
  for (let i = 0; i < 10; i++) {
    await writeFrames(writer, 50, { from: i * 50 });
    assert.equal((await drain(reader)).length, 50);
  }
  stopped.signal("SIGCONT");
  assert.match(await stopped.ask("next"), /^frame 490 .* lost 490 /);
  assert.equal(await writer.ask("attached"), "attached 2");
});

test("the socket is open to owner and group only, and goes with its encoder", async (t) => {
  const socket = join(scratch(t), "door");
  const writer = await startWriter(t, socket);
  assert.equal(statSync(socket).mode & 0o7777, 0o660);
  await writer.end();
  assert.equal(existsSync(socket), false);
});

test("two encoders never take a path from each other; a dead one's is taken over", async (t) => {
  const socket = join(scratch(t), "door");
  const first = await startWriter(t, socket);
  const args = [socket, "65536", "64"];
  const second = await Program.start(t, "asan", "ring_writer", args);
  assert.equal(await second.line(), "no door: Address already in use");
  await second.exited(1);
  await first.kill("SIGKILL");
  assert.ok(existsSync(socket), "left behind");
  const third = await startWriter(t, socket);
  const reader = await startReader(t);
  assert.match(await reader.ask(`connect ${socket} 0`), /^attached/);
  assert.equal(await third.ask("attached"), "attached 1");
});

test("what is not a socket is left alone", async (t) => {
  const directory = scratch(t);
  const file = join(directory, "file");
  writeFileSync(file, "precious");
  const link = join(directory, "link");
  symlinkSync(file, link);
  const folder = join(directory, "folder");
  mkdirSync(folder);
  for (const path of [file, link, folder]) {
    const writer = await Program.start(t, "asan", "ring_writer", [path, "65536", "64"]);
    assert.equal(await writer.line(), "no door: File exists");
    await writer.exited(1);
  }
  assert.equal(statSync(file).size, 8);
  const long = join(directory, "x".repeat(101));
  const writer = await Program.start(t, "asan", "ring_writer", [long, "65536", "64"]);
  assert.equal(await writer.line(), "no door: File name too long");
  await writer.exited(1);
});

test("a consumer cannot write to the ring, by no way", async (t) => {
  const { writer } = await startPair(t);
  const files = execFileSync("sh", ["-c", `ls -l /proc/${writer.pid}/fd`]).toString();
  assert.match(files, /^lr-x------.*ocellus-ring-\w+ \(deleted\)$/m);
  assert.doesNotMatch(files, /^l.wx.*ocellus-ring/m, "not even the writer keeps such a descriptor");
  const ring = /(\d+) -> \S*ocellus-ring/.exec(files)?.[1];
  assert.equal(statSync(`/proc/${writer.pid}/fd/${ring}`).mode & 0o7777, 0o400);
});

test("a hello against the protocol is garbled, and its descriptors are closed", async (t) => {
  const socket = join(scratch(t), "door");
  const forger = await Program.start(t, "asan", "door_forger", [socket]);
  await forger.line();
  const reader = await startReader(t);
  const before = await reader.ask("descriptors");
  const cases: [string, string][] = [
    [`${HELLO}`, "garbled"],
    [`${HELLO} ring`, "garbled"],
    [`${HELLO} ring eventfd eventfd`, "garbled"],
    [`${HELLO} ring ring ring ring ring ring ring ring`, "garbled"],
    [`${HELLO.slice(2)} ring eventfd`, "garbled"],
    [`${HELLO}00 ring eventfd`, "garbled"],
    [`${HELLO} eventfd ring`, "garbled"],
    [`${HELLO} ring pipe`, "garbled"],
    [`${HELLO} ring zero`, "garbled"],
    [`${words(HELLO_MAGIC, 2, 0, 0, 0, FORGED_RING_BYTES, 0, 0)} ring eventfd`, "garbled"],
    [`${words(HELLO_MAGIC, 1, 0, 0, 1, FORGED_RING_BYTES, 0, 0)} ring eventfd`, "garbled"],
    [`${words(HELLO_MAGIC, 1, 2, 9, 0, 0, 0, 0)} ring eventfd`, "refused 9"],
    [`${words(HELLO_MAGIC, 1, 2, 3, 0, 0, 0, 0)}`, "refused 3"],
    [`${words(REPLY_MAGIC, 1, 0, 0, 0, 0, 0, 0)} ring eventfd`, "garbled"],
    [`${HELLO} pipe eventfd`, "bad ring: ring sizes that are not allowed or do not add up"],
    [`${HELLO} empty eventfd`, "bad ring: ring sizes that are not allowed or do not add up"],
    [`${HELLO} directory eventfd`, "bad ring: ring sizes that are not allowed or do not add up"],
    [`${HELLO} zero eventfd`, "bad ring: ring sizes that are not allowed or do not add up"],
  ];
  for (const [message, answer] of cases) {
    await reader.ask(`subscribe ${socket} 0`);
    await forger.ask("accept");
    assert.equal(await forger.ask("receive"), `received ${SUBSCRIBE}`);
    await forger.ask(`send ${message}`);
    assert.equal(await reader.ask("event 2000"), answer, message);
    await reader.ask("close");
    assert.equal(await reader.ask("descriptors"), before, message);
  }
});

test("a refusal is heard though the encoder hung up without listening", async (t) => {
  const socket = join(scratch(t), "door");
  const forger = await Program.start(t, "asan", "door_forger", [socket]);
  await forger.line();
  const reader = await startReader(t);
  await reader.ask(`subscribe ${socket} 0`);
  await forger.ask("accept");
  await forger.ask(`send ${words(HELLO_MAGIC, 1, 2, REASON.full, 0, 0, 0, 0)}`);
  await forger.ask("hang-up");
  assert.equal(await reader.ask("event 2000"), `refused ${REASON.full}`);
  assert.equal(await reader.ask("event 2000"), "closed");
});

test("an encoder that falls silent or talks nonsense later is survived", async (t) => {
  const socket = join(scratch(t), "door");
  const forger = await Program.start(t, "asan", "door_forger", [socket]);
  await forger.line();
  const reader = await startReader(t);
  const attach = async () => {
    await reader.ask(`subscribe ${socket} 0`);
    await forger.ask("accept");
    await forger.ask(`send ${HELLO} ring blocking-eventfd`);
    assert.match(await reader.ask("event 2000"), /^attached 20480/);
  };
  const reply = words(REPLY_MAGIC, 1, 1, ...Array(39).fill(0));
  await attach();
  assert.equal(await reader.ask("event 100"), "silence");
  await forger.ask(`send ${reply}`);
  assert.match(await reader.ask("event 1000"), /^reply 1 /);
  for (const message of [
    "00",
    reply.slice(2),
    `${reply}00`,
    `${reply} pipe`,
    words(REPLY_MAGIC, 1, 1, 0, 0, 0, 0, 0, 0, 129, ...Array(32).fill(0)),
    HELLO,
  ]) {
    await attach();
    await forger.ask(`send ${message}`);
    assert.equal(await reader.ask("event 1000"), "garbled", message);
  }
  await attach();
  assert.equal(await reader.ask("woken"), "woken", "an eventfd that blocks is made not to");
  await forger.ask("hang-up");
  assert.equal(await reader.ask("event 1000"), "closed");
  assert.equal(await reader.ask("next"), "nothing new");
});

test("without an encoder the client says why", async (t) => {
  const directory = scratch(t);
  const reader = await startReader(t);
  const answer = await reader.ask(`connect ${join(directory, "door")} 0`);
  assert.equal(answer, "error No such file or directory");
  const long = join(directory, "x".repeat(108));
  assert.equal(await reader.ask(`connect ${long} 0`), "error File name too long");
});
