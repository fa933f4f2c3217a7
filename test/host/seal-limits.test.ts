/** Keys and bounds of segments: what is full, too long or overwritten takes nothing, and they go on. */
import assert from "node:assert/strict";
import { test } from "node:test";
import nacl from "tweetnacl";
import type { Encoder, Frame, Segment } from "../../agent/runtime/native.d.ts";
import { run, variants } from "./support/camera.ts";
import { startEncoder } from "./support/encoder.ts";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

for (const variant of variants) {
  test(`each segment has its own key, also at the same place (${variant})`, async (t) => {
    const recipient = nacl.box.keyPair();
    const given = hex(recipient.publicKey);
    const camera = await run(
      t,
      { variant, given },
      (native, key, { out, hex: h, unhex, openEpoch }) => {
        native.setDeviceSeed(new Uint8Array(32));
        const all: string[] = [];
        for (let i = 0; i < 3; i++) {
          const epoch = openEpoch(unhex(key));
          for (let j = 0; j < 2; j++) {
            const segment = native.openSegment(epoch, { stream: 1, boot: 1, epoch: 1, seq: 0 });
            all.push(h(segment.commitment));
            segment.close();
          }
          epoch.close();
        }
        out("all", all);
        native.exit(0);
      },
    );
    assert.equal(new Set(camera.result<string[]>("all")).size, 6);
  });

  test(`a full arena takes nothing, and goes on when there is room (${variant})`, async (t) => {
    const { door } = await startEncoder(t);
    const args = ["--queue-bytes", "524288"];
    const camera = await run(
      t,
      { variant, door, args },
      (native, _given, { out, hex: h, idleEncoder, openEpoch }) => {
        const epoch = openEpoch();
        const openAt = (seq: number) =>
          native.openSegment(epoch, { stream: 0, boot: 1, epoch: 1, seq });
        const used = () => native.usage().queueUsedBytes;
        const encoder = idleEncoder();
        const a = openAt(0);
        const b = openAt(1);
        const fill = (segment: Segment, bytes: number) =>
          segment.writeFragment(new Uint8Array(bytes).fill(1), encoder, [], false);
        const results: unknown[] = [fill(a, 300_000), fill(b, 100_000)];
        const before = [used(), b.plainBytes, b.arenaBytes];
        results.push(fill(b, 200_000), fill(b, 3_000_000));
        results.push(
          JSON.stringify([used(), b.plainBytes, b.arenaBytes]) === JSON.stringify(before),
        );
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
      },
    );
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
    const camera = await run(
      t,
      { variant, door },
      (native, _given, { out, idleEncoder, openEpoch }) => {
        const epoch = openEpoch();
        const encoder = idleEncoder();
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
      },
    );
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
    const camera = await run(
      t,
      { variant, door, given },
      (native, key, { out, hex: h, unhex, openEpoch }) => {
        const epoch = openEpoch(unhex(key));
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
      },
    );
    const { results, lapped, chunkBytes } = camera.result<{
      results: unknown[];
      lapped: number;
      chunkBytes: number[];
    }>("result");
    assert.deepEqual(results, ["lapped", 0, 0, "ok"]);
    assert.deepEqual(chunkBytes, [21]);
    assert.ok(lapped > 0);
  });
}
