/** Segments from ring to server, and records, opened with tweetnacl. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import nacl from "tweetnacl";
import type { Encoder, Epoch, Frame, Segment } from "../../agent/runtime/native.d.ts";
import { everywhere, run, start, variants } from "./support/camera.ts";
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

for (const variant of variants) {
  test(`each segment has its own key, also at the same place (${variant})`, async (t) => {
    const recipient = nacl.box.keyPair();
    const given = hex(recipient.publicKey);
    const camera = await run(t, { variant, given }, (native, key, { out, hex: h, unhex }) => {
      native.setDeviceSeed(new Uint8Array(32));
      const all: string[] = [];
      for (let i = 0; i < 3; i++) {
        const epoch = native.openEpoch([unhex(key)]);
        if ("error" in epoch) throw new Error(epoch.text);
        for (let j = 0; j < 2; j++) {
          const segment = native.openSegment(epoch, { stream: 1, boot: 1, epoch: 1, seq: 0 });
          all.push(h(segment.commitment));
          segment.close();
        }
        epoch.close();
      }
      out("all", all);
      native.exit(0);
    });
    assert.equal(new Set(camera.result<string[]>("all")).size, 6);
  });

  test(`a full arena takes nothing, and goes on when there is room (${variant})`, async (t) => {
    const { door } = await startEncoder(t);
    const args = ["--queue-bytes", "524288"];
    const camera = await run(t, { variant, door, args }, (native, _given, { out, hex: h }) => {
      const opened = native.openEpoch([native.boxKeypair().publicKey]);
      if ("error" in opened) throw new Error(opened.text);
      const epoch = opened;
      const openAt = (seq: number) =>
        native.openSegment(epoch, { stream: 0, boot: 1, epoch: 1, seq });
      const used = () => native.usage().queueUsedBytes;
      const encoder = native.openEncoder(0, {
        readable: () => undefined,
        reply: () => undefined,
        closed: () => undefined,
      });
      if ("error" in encoder) throw new Error(encoder.text);
      const a = openAt(0);
      const b = openAt(1);
      const fill = (segment: Segment, bytes: number) =>
        segment.writeFragment(new Uint8Array(bytes).fill(1), encoder, [], false);
      const results: unknown[] = [fill(a, 300_000), fill(b, 100_000)];
      const before = [used(), b.plainBytes, b.arenaBytes];
      results.push(fill(b, 200_000), fill(b, 3_000_000));
      results.push(JSON.stringify([used(), b.plainBytes, b.arenaBytes]) === JSON.stringify(before));
      a.close();
      results.push(fill(b, 300_000));
      const list = b.seal();
      // The head needs its place too.
      const c = openAt(2);
      while (fill(c, 10_000) === "ok");
      results.push(b.attachHead(new Uint8Array(60_000)), b.objectBytes);
      c.close();
      results.push(b.attachHead(new Uint8Array(60_000)), b.objectBytes > 460_000);
      b.close();
      results.push(used(), list.chunkBytes.length, h(list.chunkSha256).length);
      epoch.close();
      encoder.close();
      out("results", results);
      native.exit(0);
    });
    const expected = [
      "ok",
      "ok",
      "full",
      "full",
      true,
      "ok",
      "full",
      0,
      "ok",
      true,
      0,
      14,
      14 * 64,
    ];
    assert.deepEqual(camera.result("results"), expected);
  });

  test(`a segment takes as many chunks as its header may list, 1,536, and no more (${variant})`, async (t) => {
    const { door } = await startEncoder(t, ["--wait"]);
    const camera = await run(t, { variant, door }, (native, _given, { out }) => {
      const epoch = native.openEpoch([native.boxKeypair().publicKey]) as Epoch;
      const encoder = native.openEncoder(0, {
        readable: () => undefined,
        reply: () => undefined,
        closed: () => undefined,
      }) as Encoder;
      const segment = native.openSegment(epoch, { stream: 0, boot: 1, epoch: 1, seq: 0 });
      const write = (bytes: number) =>
        segment.writeFragment(new Uint8Array(bytes), encoder, [], false);
      const results: unknown[] = [];
      let first = 0;
      while (write(1) === "ok") first++;
      results.push(first, write(1), segment.plainBytes);
      const list = segment.seal();
      results.push(list.chunkBytes.length, list.chunkSha256.length, list.fragmentChunk.length);
      results.push(segment.attachHead(new Uint8Array(60_000)));
      segment.close();
      // The same where one fragment has several.
      const other = native.openSegment(epoch, { stream: 0, boot: 1, epoch: 1, seq: 1 });
      const used = native.usage().queueUsedBytes;
      const fill = (chunks: number) =>
        other.writeFragment(new Uint8Array((chunks - 1) * 32_768 + 1), encoder, [], false);
      for (let i = 0; i < 1535; i++) fill(1);
      results.push(fill(2), fill(1), other.plainBytes);
      other.close();
      results.push(native.usage().queueUsedBytes === used);
      epoch.close();
      encoder.close();
      out("results", results);
      native.exit(0);
    });
    assert.deepEqual(camera.result("results"), [
      ...[1536, "too-long", 1536],
      ...[1536, 1536 * 32, 1536],
      "ok",
      ...["too-long", "ok", 1536, true],
    ]);
  });

  test(`frames that were overwritten are "lapped"; the segment goes on without them (${variant})`, async (t) => {
    const recipient = nacl.box.keyPair();
    // The clip has 2.5 MB and the ring 512 KiB: all but its end is overwritten before it is written.
    const ring = ["--wait", "--loops", "1", "--rate", "200", "--ring-bytes", "524288"];
    const { door } = await startEncoder(t, ring);
    const given = hex(recipient.publicKey);
    const camera = await run(t, { variant, door, given }, (native, key, { out, hex: h, unhex }) => {
      const epoch = native.openEpoch([unhex(key)]);
      if ("error" in epoch) throw new Error(epoch.text);
      const at = { stream: 0, boot: 1, epoch: 1, seq: 0 };
      const segment = native.openSegment(epoch, at);
      const early: Frame[] = [];
      let lapped = 0;
      const encoder = native.openEncoder(0, {
        readable() {
          for (let next = encoder.next(); next !== null; next = encoder.next()) {
            if (next === "ended") return finish();
            if ("error" in next) throw new Error(next.text);
            if ("lapped" in next) lapped += next.lapped;
            else if (early.length < 5) early.push(next);
            // Slow on purpose: frames are lost here as well.
            if (early.length === 5 && lapped === 0) {
              const until = native.monotonicUs() + 150_000;
              while (native.monotonicUs() < until);
            }
          }
        },
        reply: () => undefined,
        closed: () => undefined,
      }) as Encoder;
      const finish = () => {
        const boxes = native.utf8Encode("boxes");
        const used = native.usage().queueUsedBytes;
        const results = [
          segment.writeFragment(boxes, encoder, early, true),
          segment.plainBytes,
          native.usage().queueUsedBytes - used,
          segment.writeFragment(boxes, encoder, [], false),
        ];
        const list = segment.seal();
        out("result", {
          results,
          lapped,
          chunkBytes: list.chunkBytes,
          wrap: h(segment.wraps[0] ?? boxes),
        });
        segment.close();
        epoch.close();
        encoder.close();
        native.exit(0);
      };
    });
    const { results, lapped, chunkBytes } = camera.result<{
      results: unknown[];
      lapped: number;
      chunkBytes: number[];
    }>("result");
    assert.deepEqual(results, ["lapped", 0, 0, "ok"]);
    assert.deepEqual(chunkBytes, [21]);
    assert.ok(lapped > 0);
  });

  test(`a segment that is closed while it is sent arrives whole (${variant})`, async (t) => {
    const received: number[] = [];
    const { to } = await serve(t, {}, (socket) => {
      let bytes = 0;
      // A slow reader: the kernel's buffers do not hold what is sent.
      const timer = setInterval(() => {
        const piece: Buffer | null = socket.read();
        bytes += piece?.length ?? 0;
      }, 2);
      socket.pause();
      socket.on("end", () => {
        clearInterval(timer);
        received.push(bytes);
      });
    });
    const { door } = await startEncoder(t, ["--wait"]);
    const args = ["--queue-bytes", "25000000"];
    const given = { to };
    const camera = await run(
      t,
      { variant, door, given, args },
      (native, { to }, { out, thrown }) => {
        const epoch = native.openEpoch([native.boxKeypair().publicKey]) as Epoch;
        const encoder = native.openEncoder(0, {
          readable: () => undefined,
          reply: () => undefined,
          closed: () => undefined,
        }) as Encoder;
        const segment = native.openSegment(epoch, { stream: 0, boot: 1, epoch: 1, seq: 0 });
        const piece = new Uint8Array(1_000_000);
        for (let i = 0; i < 20; i++) segment.writeFragment(piece, encoder, [], false);
        const early = thrown(() => connection.sendSegment(segment));
        const unsealed = native.usage().queueUsedBytes;
        segment.seal();
        segment.attachHead(new Uint8Array(500));
        let drained = 0;
        const connection = native.connect(to, {
          open() {
            connection.write(native.utf8Encode("before"));
            connection.sendSegment(segment);
            connection.write(native.utf8Encode("after"));
            const twice = thrown(() => connection.sendSegment(segment));
            const waiting = connection.waitingBytes - segment.objectBytes;
            segment.close();
            const held = native.usage().queueUsedBytes > 20_000_000;
            out("at-start", { early, twice, waiting, held, unsealed: unsealed > 20_000_000 });
          },
          data: () => undefined,
          drain() {
            drained++;
            const { wireBytesOut, waitingBytes } = connection;
            out("at-end", {
              drained,
              waitingBytes,
              wireBytesOut,
              used: native.usage().queueUsedBytes,
            });
            connection.close(true);
            epoch.close();
            encoder.close();
            native.setTimer(100, () => native.exit(0));
          },
          closed: (error) => {
            throw new Error(error?.text);
          },
        });
      },
    );
    const start = camera.result<Record<string, unknown>>("at-start");
    assert.match(String(start.early), /^(TypeError|ReferenceError)/);
    assert.match(String(start.twice), /^RangeError/);
    assert.deepEqual([start.waiting, start.held, start.unsealed], [11, true, true]);
    const end = camera.result<Record<string, number>>("at-end");
    assert.deepEqual([end.drained, end.waitingBytes, end.used], [1, 0, 0]);
    const sealed = 500 + 20_000_000 + 20 * 31 * 16 + 11;
    for (let i = 0; received.length === 0 && i < 200; i++)
      await new Promise((resolve) => setTimeout(resolve, 20));
    assert.deepEqual(received, [sealed]);
    // What TLS adds, handshake included: budget 0.3 %.
    const overhead = (end.wireBytesOut ?? 0) / sealed - 1;
    assert.ok(overhead > 0 && overhead < 0.003, `${overhead}`);
  });

  test(`a connection that breaks gives the segment back (${variant})`, async (t) => {
    const { to } = await serve(t, {}, (socket) => {
      socket.once("data", () => socket.destroy());
    });
    const { door } = await startEncoder(t, ["--wait"]);
    const args = ["--heap-bytes", "16000000"];
    const camera = await run(t, { variant, door, given: to, args }, (native, target, { out }) => {
      const epoch = native.openEpoch([native.boxKeypair().publicKey]) as Epoch;
      const encoder = native.openEncoder(0, {
        readable: () => undefined,
        reply: () => undefined,
        closed: () => undefined,
      }) as Encoder;
      const segment = native.openSegment(epoch, { stream: 0, boot: 1, epoch: 1, seq: 0 });
      segment.writeFragment(new Uint8Array(7_000_000), encoder, [], false);
      segment.seal();
      segment.attachHead(new Uint8Array(500));
      let attempts = 0;
      const attempt = () => {
        const connection = native.connect(target, {
          open: () => connection.sendSegment(segment),
          data: () => undefined,
          drain: () => undefined,
          closed() {
            connection.close();
            if (++attempts < 3) return attempt();
            const kept = native.usage().queueUsedBytes;
            segment.close();
            out("queue", { kept: kept > 7_000_000, after: native.usage().queueUsedBytes });
            epoch.close();
            encoder.close();
            native.exit(0);
          },
        });
      };
      attempt();
    });
    assert.deepEqual(camera.result("queue"), { kept: true, after: 0 });
  });

  test(`wrong use of epochs, segments and records throws (${variant})`, async (t) => {
    const { door } = await startEncoder(t, ["--wait"]);
    const camera = await run(t, { variant, door }, (native, _given, { out, thrown }) => {
      const any = native as unknown as Record<string, (...given: unknown[]) => unknown>;
      const key = native.boxKeypair().publicKey;
      const epoch = native.openEpoch([key]) as Epoch;
      const at = { stream: 0, boot: 1, epoch: 1, seq: 0 };
      const encoder = native.openEncoder(0, {
        readable: () => undefined,
        reply: () => undefined,
        closed: () => undefined,
      }) as Encoder;
      const segment = native.openSegment(epoch, at);
      const write = segment.writeFragment as (...given: unknown[]) => unknown;
      const writing = (...given: unknown[]) => thrown(() => write.apply(segment, given));
      const bytes = new Uint8Array(4);
      const frame = { seq: 5, bytes: 5, key: true, discontinuity: false, config: 1, captureUs: 1 };
      const closed = native.openSegment(epoch, at);
      closed.close();
      closed.close();
      const low = native.openEpoch([key, new Uint8Array(32)]);
      out("low", low);
      out("thrown", [
        thrown(() => native.openEpoch([])),
        thrown(() => native.openEpoch(Array.from({ length: 17 }, () => key))),
        thrown(() => native.openEpoch([new Uint8Array(31)])),
        thrown(() => any.openEpoch?.(key)),
        thrown(() => any.openSegment?.({}, at)),
        thrown(() => any.openSegment?.(segment, at)),
        thrown(() => native.openSegment(epoch, { ...at, stream: 256 })),
        thrown(() => native.openSegment(epoch, { ...at, boot: 2 ** 32 })),
        thrown(() => native.openSegment(epoch, { ...at, seq: 2 ** 53 })),
        thrown(() => any.openSegment?.(epoch)),
        thrown(() => native.sealRecord(epoch, { ...at, stream: 1 }, bytes)),
        thrown(() => native.sealRecord(epoch, at, new Uint8Array(16385))),
        writing(bytes, encoder, [frame], true),
        writing(bytes, encoder, [{ ...frame, seq: "5" }], true),
        writing(bytes, encoder, [], true),
        writing(new Uint8Array(0), encoder, [], false),
        writing(bytes, {}, [], false),
        writing(bytes, encoder, {}, false),
        writing("bytes", encoder, [], false),
        writing(bytes, encoder, [], 0),
        writing(
          bytes,
          encoder,
          Array.from({ length: 1025 }, () => frame),
          false,
        ),
        thrown(() => segment.seal()),
        thrown(() => segment.attachHead(bytes)),
        thrown(() => segment.sealMetadata(new Uint8Array(32769))),
        thrown(() => closed.seal()),
        thrown(() => closed.writeFragment(bytes, encoder, [], false)),
        thrown(() => closed.plainBytes),
        thrown(() => closed.wraps),
      ]);
      segment.writeFragment(bytes, encoder, [], false);
      segment.sealMetadata(bytes);
      const again = thrown(() => segment.sealMetadata(bytes));
      segment.seal();
      out("after-seal", [
        again,
        thrown(() => segment.seal()),
        thrown(() => segment.sealMetadata(bytes)),
        thrown(() => segment.writeFragment(bytes, encoder, [], false)),
        thrown(() => segment.attachHead(new Uint8Array(0))),
        thrown(() => segment.attachHead(new Uint8Array(65625))),
        segment.attachHead(new Uint8Array(65624)),
        thrown(() => segment.attachHead(bytes)),
      ]);
      encoder.close();
      const other = native.openSegment(epoch, at);
      out("closed", [
        thrown(() => other.writeFragment(bytes, encoder, [], false)),
        thrown(() => encoder.next()),
      ]);
      other.close();
      epoch.close();
      epoch.close();
      out("closed-epoch", [
        thrown(() => native.openSegment(epoch, at)),
        thrown(() => epoch.ephemeral),
      ]);
      native.exit(0);
    });
    const kinds = (name: string) => camera.result<string[]>(name).map((text) => text.split(":")[0]);
    const [r, y] = ["RangeError", "TypeError"];
    assert.equal(camera.result<{ error: string }>("low").error, "low-order-key");
    assert.deepEqual(kinds("thrown"), [
      ...[r, r, r, y, y, y, r, r, r, y, r, r],
      ...[r, y, r, r, y, y, y, y, r, y, y, r],
      ...[y, y, y, y],
    ]);
    assert.deepEqual(kinds("after-seal"), [y, y, y, y, r, r, "ok", y]);
    assert.deepEqual(kinds("closed"), [y, y]);
    assert.deepEqual(kinds("closed-epoch"), [y, y]);
  });

  test(`handles that are dropped are closed, and told as defects (${variant})`, async (t) => {
    const { door } = await startEncoder(t, ["--wait"]);
    const camera = await start(t, { variant, door }, (native) => {
      const drop = () => {
        const epoch = native.openEpoch([native.boxKeypair().publicKey]) as Epoch;
        const encoder = native.openEncoder(0, {
          readable: () => undefined,
          reply: () => undefined,
          closed: () => undefined,
        }) as Encoder;
        const segment = native.openSegment(epoch, { stream: 0, boot: 1, epoch: 1, seq: 0 });
        segment.writeFragment(new Uint8Array(100_000), encoder, [], false);
      };
      drop();
      if (native.usage().queueUsedBytes !== 0) throw new Error("the arena was not given back");
      native.exit(0);
    });
    await once(camera.child, "close");
    assert.equal(camera.child.exitCode, 0, camera.log);
    for (const name of ["Epoch", "Encoder", "Segment"])
      assert.match(camera.log, new RegExp(`error defect: an? ${name} was dropped`));
  });
}
