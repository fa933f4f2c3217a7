/** Sealed segments on their way to a server. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { run, variants } from "./support/camera.ts";
import { startEncoder } from "./support/encoder.ts";
import { serve } from "./support/server.ts";

for (const variant of variants) {
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
      (native, { to }, { out, thrown, idleEncoder, openEpoch }) => {
        const epoch = openEpoch();
        const encoder = idleEncoder();
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
    const camera = await run(
      t,
      { variant, door, given: to, args },
      (native, target, { out, idleEncoder, openEpoch }) => {
        const epoch = openEpoch();
        const encoder = idleEncoder();
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
      },
    );
    assert.deepEqual(camera.result("queue"), { kept: true, after: 0 });
  });
}
