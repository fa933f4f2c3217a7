/** Segments from ring to server, and records, opened with tweetnacl. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import nacl from "tweetnacl";
import type { Encoder, Frame } from "../../agent/runtime/native.d.ts";
import { everywhere, run } from "./support/camera.ts";
import { samplesOf, startEncoder } from "./support/encoder.ts";
import { nonce, open, openChunks, subkey, unwrap } from "./support/sealed.ts";
import { serve } from "./support/server.ts";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const CHUNK = 32_768;

interface Fragment {
  boxes: number;
  frames: number;
  key: boolean;
}

interface Report {
  ephemeral: string;
  wraps: string[];
  commitment: string;
  metadata: string;
  chunkBytes: number[];
  chunkSha256: string;
  fragmentChunk: number[];
  fragmentKeyChunks: number[];
  fragments: Fragment[];
  objectBytes: number;
  plainBytes: number;
  queue: number[];
  head: string;
}

/** Lengths of the chunks that a fragment gives, by the rule in FORMAT.md ("Chunks"). */
function cut(first: number, rest: number): number[] {
  const pieces = (bytes: number) =>
    Array.from({ length: Math.ceil(bytes / CHUNK) }, (_, i) => Math.min(CHUNK, bytes - i * CHUNK));
  return [...pieces(first), ...pieces(rest)];
}

/** Cheap enough for the camera's own code under emulation too. */
for (const variant of everywhere) {
  test(`a segment goes from the ring to a server and opens with tweetnacl (${variant})`, async (t) => {
    const recipients = [nacl.box.keyPair(), nacl.box.keyPair(), nacl.box.keyPair()];
    const at = { stream: 0, boot: 7, epoch: 3, seq: 2 ** 40 + 5 };
    const received: Buffer[] = [];
    const { to, server } = await serve(t, {}, (socket) => {
      socket.on("data", (bytes) => received.push(bytes));
      socket.on("end", () => socket.end());
      socket.on("close", () => server.emit("arrived"));
    });
    const arrived = once(server, "arrived");
    const { door } = await startEncoder(t);
    const given = { at, to, recipients: recipients.map(({ publicKey }) => hex(publicKey)) };
    const camera = await run(t, { variant, given, door }, (native, its, { out, hex: h, unhex }) => {
      native.setDeviceSeed(new Uint8Array(32).fill(1));
      const opened = native.openEpoch(its.recipients.map(unhex));
      if ("error" in opened) throw new Error(opened.text);
      const segment = native.openSegment(opened, its.at);
      const ephemeral = h(opened.ephemeral);
      opened.close();
      const fragments: { boxes: number; frames: number; key: boolean }[] = [];
      let pending: Frame[] = [];
      const queue: number[] = [];
      const write = (encoder: Encoder) => {
        const [first] = pending;
        if (!first) return;
        // Of many sizes: none, a few bytes, more than a chunk.
        const boxes = [0, 8, 700, 40_000, 5][fragments.length % 5] ?? 0;
        const bytes = new Uint8Array(boxes).fill(fragments.length + 1);
        const written = segment.writeFragment(bytes, encoder, pending, first.key);
        if (written !== "ok") throw new Error(written);
        fragments.push({ boxes, frames: pending.length, key: first.key });
        queue.push(native.usage().queueUsedBytes);
        pending = [];
      };
      const finish = () => {
        const metadata = segment.sealMetadata(native.utf8Encode("times"));
        const list = segment.seal();
        const head = native.random(1234);
        if (segment.objectBytes !== 0) throw new Error("an object without a head");
        if (segment.attachHead(head) !== "ok") throw new Error("full");
        out("report", {
          ephemeral,
          wraps: segment.wraps.map(h),
          commitment: h(segment.commitment),
          metadata: h(metadata),
          ...list,
          chunkSha256: h(list.chunkSha256),
          fragments,
          objectBytes: segment.objectBytes,
          plainBytes: segment.plainBytes,
          queue: [...queue, segment.arenaBytes, native.usage().queueUsedBytes],
          head: h(head),
        });
        const connection = native.connect(its.to, {
          open() {
            connection.sendSegment(segment);
            connection.close(true);
            segment.close();
          },
          data: () => undefined,
          drain: () => undefined,
          closed: (error) => {
            throw new Error(error?.text);
          },
        });
        const poll = () => {
          // The arena is free before the connection has ended in order.
          if (native.usage().queueUsedBytes === 0) native.setTimer(500, () => native.exit(0));
          else native.setTimer(20, poll);
        };
        poll();
      };
      const take = () => {
        for (;;) {
          const next = encoder.next();
          if (next === null) return;
          if (next === "ended") {
            write(encoder);
            encoder.close();
            return finish();
          }
          if ("error" in next || "lapped" in next) throw new Error(JSON.stringify(next));
          if (next.key || pending.length === 9) write(encoder);
          pending.push(next);
        }
      };
      const openedEncoder = native.openEncoder(0, {
        readable: take,
        reply: () => undefined,
        closed: () => undefined,
      });
      if ("error" in openedEncoder) throw new Error(openedEncoder.text);
      const encoder = openedEncoder;
    });
    await arrived;

    const report = camera.result<Report>("report");
    const object = Buffer.concat(received);
    const head = Buffer.from(report.head, "hex");
    assert.equal(object.length, report.objectBytes);
    assert.deepEqual(object.subarray(0, head.length), head);

    const key = unwrap(1, at, report, recipients);
    const metadata = open(
      Buffer.from(report.metadata, "hex"),
      nonce(3, at),
      subkey("metadata", key),
    );
    assert.equal(metadata.toString(), "times");
    const chunks = openChunks(object.subarray(head.length), report.chunkBytes, at, key);
    assert.equal(chunks.map(({ sha256 }) => sha256).join(""), report.chunkSha256);

    // What should be in there, from the clip itself.
    const samples = await samplesOf();
    const plain: Buffer[] = [];
    const lengths: number[] = [];
    const fragmentChunk: number[] = [];
    const keyChunks: number[] = [];
    let taken = 0;
    for (const [i, { boxes, frames, key: isKey }] of report.fragments.entries()) {
      const its = samples.slice(taken, taken + frames);
      taken += frames;
      assert.equal(its[0]?.key, isKey);
      const bytes = Buffer.concat(its.map((sample) => sample.bytes));
      const first = isKey ? boxes + (its[0]?.bytes.length ?? 0) : 0;
      fragmentChunk.push(lengths.length);
      keyChunks.push(Math.ceil(first / CHUNK));
      lengths.push(...cut(first, boxes + bytes.length - first));
      plain.push(Buffer.alloc(boxes, i + 1), bytes);
    }
    assert.equal(taken, samples.length);
    assert.ok(Buffer.concat(plain).equals(Buffer.concat(chunks.map((chunk) => chunk.plain))));
    assert.equal(report.plainBytes, Buffer.concat(plain).length);
    assert.deepEqual(
      chunks.map((chunk) => chunk.plain.length),
      lengths,
    );
    assert.deepEqual(report.fragmentChunk, fragmentChunk);
    assert.deepEqual(report.fragmentKeyChunks, keyChunks);
    assert.ok(keyChunks.some((count) => count > 1) && keyChunks.includes(0));
    // Rounding costs less than 1 %, with chunks as short as these 2 %.
    const arena = report.queue.at(-2) ?? 0;
    assert.equal(report.queue.at(-1), arena);
    assert.ok(arena >= report.objectBytes && arena < report.objectBytes * 1.02, `${arena}`);
  });

  test(`records open with tweetnacl (${variant})`, async (t) => {
    const recipients = Array.from({ length: 16 }, () => nacl.box.keyPair());
    const given = { recipients: recipients.map(({ publicKey }) => hex(publicKey)) };
    const camera = await run(t, { variant, given }, (native, its, { out, hex: h, unhex }) => {
      const opened = native.openEpoch(its.recipients.map(unhex));
      if ("error" in opened) throw new Error(opened.text);
      const epoch = opened;
      const seal = (seq: number, plain: Uint8Array) => {
        const sealed = native.sealRecord(
          epoch,
          { stream: 0, boot: 4294967295, epoch: 9, seq },
          plain,
        );
        return {
          ephemeral: h(epoch.ephemeral),
          wraps: sealed.wraps.map(h),
          commitment: h(sealed.commitment),
          box: h(sealed.box),
        };
      };
      out("first", seal(1, native.utf8Encode("a record")));
      out("empty", seal(2, new Uint8Array(0)));
      out("large", seal(2 ** 53 - 1, new Uint8Array(16384).fill(6)));
      epoch.close();
      native.exit(0);
    });
    const keys = new Set<string>();
    for (const [name, seq, expected] of [
      ["first", 1, Buffer.from("a record")],
      ["empty", 2, Buffer.alloc(0)],
      ["large", 2 ** 53 - 1, Buffer.alloc(16384, 6)],
    ] as const) {
      const at = { stream: 0, boot: 4294967295, epoch: 9, seq };
      const sealed = camera.result<Report & { box: string }>(name);
      const key = unwrap(4, at, sealed, recipients);
      keys.add(hex(key));
      const body = open(Buffer.from(sealed.box, "hex"), nonce(5, at), subkey("body", key));
      assert.ok(body.equals(expected));
    }
    assert.equal(keys.size, 3);
  });
}
