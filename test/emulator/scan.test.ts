/** What a scan makes of a camera's answers, and when it gives up one that has none. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CAMERA, type Packet } from "../../scripts/emulator/lan.ts";
import { scan } from "../../scripts/emulator/scan.ts";

const [ICMP, TCP, UDP] = [1, 6, 17];
const [SYN, RST, SYN_ACK] = [0x02, 0x04, 0x12];
const OPEN = 554;
const SILENT = 3702;

/** A network on which this says what the camera answers. */
function network(answer: (packet: Packet) => readonly [number, Buffer] | null) {
  const station = {
    onPacket: (_packet: Packet) => {},
    sent: 0,
    send(packet: Packet) {
      station.sent += 1;
      const answered = answer(packet);
      if (answered === null) return;
      const [protocol, payload] = answered;
      const back = { from: CAMERA, to: packet.from, protocol, payload };
      setImmediate(() => station.onPacket(back));
    },
  };
  return station;
}

/** A camera that listens at OPEN, says nothing at SILENT, and that all else is shut. */
function camera({ protocol, payload }: Packet): readonly [number, Buffer] | null {
  const port = payload.readUInt16BE(2);
  if (protocol === TCP) {
    if (payload.readUInt8(13) !== SYN) return null;
    const segment = Buffer.alloc(20);
    segment.writeUInt16BE(port, 0);
    segment.writeUInt8(port === OPEN ? SYN_ACK : RST, 13);
    return [TCP, segment];
  }
  if (protocol !== UDP || port === SILENT) return null;
  const unreachable = Buffer.alloc(36);
  unreachable.writeUInt8(3, 0);
  unreachable.writeUInt16BE(port, 30);
  return [ICMP, unreachable];
}

test("a port that takes a connection is told, and one that says nothing; not one that says that it is shut", async (t) => {
  assert.deepEqual(await scan(network(camera), { signal: t.signal }), {
    asked: 65_535 + 1_037,
    open: [{ protocol: "tcp", port: OPEN }],
    silent: [{ protocol: "udp", port: SILENT }],
  });
});

test("a camera that answers nothing is given up", async (t) => {
  const station = network(() => null);
  await assert.rejects(scan(station, { signal: t.signal, within_ms: 200 }), {
    name: "Problem",
    message: /^the scan of the camera's ports took more than 0\.2 s: .*; run this again\.$/,
  });
  assert.ok(station.sent > 0 && station.sent < 65_535);
});

test("a scan ends at once with its signal, also while it waits", async () => {
  const stop = new AbortController();
  const station = network(() => {
    setImmediate(() => stop.abort(new Error("Ctrl-C")));
    return null;
  });
  await assert.rejects(scan(station, { signal: stop.signal }), { message: "Ctrl-C" });
  // No more than wait for an answer at a time.
  assert.ok(station.sent <= 16, `${station.sent}`);
  await assert.rejects(scan(station, { signal: AbortSignal.abort() }), { name: "AbortError" });
});
