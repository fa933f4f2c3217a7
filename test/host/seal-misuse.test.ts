/** Epochs, segments and records that are used wrongly, or dropped. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { run, start, variants } from "./support/camera.ts";
import { startEncoder } from "./support/encoder.ts";

for (const variant of variants) {
  test(`wrong use of epochs, segments and records throws (${variant})`, async (t) => {
    const { door } = await startEncoder(t, ["--wait"]);
    const camera = await run(
      t,
      { variant, door },
      (native, _given, { out, thrown, idleEncoder, openEpoch }) => {
        const any = native as unknown as Record<string, (...given: unknown[]) => unknown>;
        const key = native.boxKeypair().publicKey;
        const epoch = openEpoch(key);
        const at = { stream: 0, boot: 1, epoch: 1, seq: 0 };
        const encoder = idleEncoder();
        const segment = native.openSegment(epoch, at);
        const write = segment.writeFragment as (...given: unknown[]) => unknown;
        const writing = (...given: unknown[]) => thrown(() => write.apply(segment, given));
        const bytes = new Uint8Array(4);
        const frame = {
          seq: 5,
          bytes: 5,
          key: true,
          discontinuity: false,
          config: 1,
          captureUs: 1,
        };
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
      },
    );
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
    const camera = await start(
      t,
      { variant, door },
      (native, _given, { idleEncoder, openEpoch }) => {
        const drop = () => {
          const epoch = openEpoch();
          const encoder = idleEncoder();
          const segment = native.openSegment(epoch, { stream: 0, boot: 1, epoch: 1, seq: 0 });
          segment.writeFragment(new Uint8Array(100_000), encoder, [], false);
        };
        drop();
        if (native.usage().queueUsedBytes !== 0) throw new Error("the arena was not given back");
        native.exit(0);
      },
    );
    await once(camera.child, "close");
    assert.equal(camera.child.exitCode, 0, camera.log);
    for (const name of ["Epoch", "Encoder", "Segment"])
      assert.match(camera.log, new RegExp(`error defect: an? ${name} was dropped`));
  });
}
