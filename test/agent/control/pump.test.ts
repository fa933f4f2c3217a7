import assert from "node:assert/strict";
import { test } from "node:test";
import { Inbound } from "../../../agent/control/inbound.ts";
import { Pump } from "../../../agent/control/pump.ts";
import type { Trouble } from "../../../agent/control/trouble.ts";
import { ConnectionStream } from "../../../agent/runtime/stream.ts";
import { Writable } from "../../../agent/runtime/vendor/readable-stream.js";
import { createDouble } from "../double/double.ts";
import type { ServerSide } from "../double/network.ts";

const CONNACK = Uint8Array.of(0x20, 3, 0, 0, 0);
const PINGRESP = Uint8Array.of(0xd0, 0);

/** A pump between a server and a reader of ours. */
async function pumping(read: (packet: Uint8Array) => void) {
  const double = createDouble();
  let peer: ServerSide | null = null;
  double.network.serve("broker.test", 8883, {
    accept: (accepted) => {
      peer = accepted;
    },
  });
  const faults: Trouble[] = [];
  const inbound = new Inbound(double.clock.nowUs());
  const pump = new Pump(double.native, inbound, (trouble) => faults.push(trouble));
  const stream = new ConnectionStream(
    double.native,
    { host: "broker.test", port: 8883, caPem: "", timeoutMs: 1_000 },
    { open: () => {}, data: (bytes) => pump.data(bytes), closed: () => {} },
  );
  pump.attach(stream);
  class Reader extends Writable {
    override _write(packet: Uint8Array, _encoding: string, done: () => void): void {
      read(packet);
      done();
    }
  }
  stream.pipe(new Reader({ highWaterMark: 16, emitClose: true }));
  await double.clock.settle();
  const send = async (...packets: Uint8Array[]) => {
    peer?.write(new Uint8Array(Buffer.concat(packets)));
    await double.clock.settle();
  };
  return { double, stream, inbound, faults, send };
}

test("packets come one by one, each as it was sent", async () => {
  const seen: number[][] = [];
  const { send, faults } = await pumping((packet) => seen.push([...packet]));
  await send(CONNACK, PINGRESP, PINGRESP);
  assert.deepEqual(
    seen,
    [CONNACK, PINGRESP, PINGRESP].map((packet) => [...packet]),
  );
  assert.deepEqual(faults, []);
});

test("a packet that the library throws over is a fault of the broker, told once", async () => {
  const { send, faults } = await pumping(() => {
    throw new RangeError("out of the buffer");
  });
  await send(CONNACK, PINGRESP);
  assert.equal(faults.length, 1);
  assert.equal(faults[0]?.cause, "broker-malformed-packet");
});

test("beyond the rate the socket is not read, and goes on being read afterwards", async () => {
  let seen = 0;
  const { double, inbound, send, faults } = await pumping(() => {
    seen += 1;
  });
  await send(CONNACK);
  for (let i = 0; i < 40; i++) await send(new Uint8Array(Buffer.concat(Array(500).fill(PINGRESP))));
  assert.ok(seen < 130, `${seen} at once`);
  assert.ok(
    inbound.heldBytes <= 2_000,
    `${inbound.heldBytes} bytes are held, the rest waits in the socket`,
  );
  await double.clock.advance(5_000);
  assert.ok(seen > 250, `${seen} after five seconds`);
  assert.deepEqual(faults, []);
});

test("after the stream is destroyed nothing is read", async () => {
  let seen = 0;
  const { double, stream, send } = await pumping(() => {
    seen += 1;
  });
  await send(CONNACK);
  for (let i = 0; i < 300; i++) await send(PINGRESP);
  stream.destroy();
  const before = seen;
  await double.clock.advance(10_000);
  assert.equal(seen, before);
});
