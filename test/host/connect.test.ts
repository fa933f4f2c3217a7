/** Connecting and failing to: names, addresses, refusals, silence. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { test } from "node:test";
import type { Native, NativeError } from "../../agent/runtime/native.d.ts";
import { freePort } from "../../scripts/cloud/ports.ts";
import { run, start, type Tools, variants } from "./support/camera.ts";
import { authority, echo, listen, serve } from "./support/server.ts";

interface Target {
  host: string;
  port: number;
  caPem: string;
  timeoutMs: number;
}

interface Failure {
  opened: boolean;
  error: NativeError | null;
  tookMs: number;
}

/** Connects and waits for the end, which comes without our doing. */
function fail(native: Native, to: Target, { out }: Tools) {
  const begun = native.monotonicUs();
  let opened = false;
  const connection = native.connect(to, {
    open() {
      opened = true;
    },
    data: () => undefined,
    drain: () => undefined,
    closed(error) {
      out("failure", { opened, error, tookMs: (native.monotonicUs() - begun) / 1000 });
      connection.close();
      native.exit(0);
    },
  });
}

/**
 * A process that listens and never accepts, with its backlog full: whoever connects gets no answer
 * (listen(2): "the request may be ignored").
 */
async function silentPort(): Promise<{ port: number; end(): void }> {
  const source = `
    const server = require("node:net").createServer();
    server.listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
      require("node:fs").writeSync(1, server.address().port + "\\n");
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    });`;
  const child: ChildProcess = spawn(process.execPath, ["-e", source], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  assert.ok(child.stdout);
  const [line] = await once(child.stdout, "data");
  const port = Number(String(line));
  const fillers = Array.from({ length: 4 }, () => net.connect(port, "127.0.0.1"));
  for (const filler of fillers) filler.on("error", () => undefined);
  await Promise.race(fillers.map((filler) => once(filler, "connect")));
  await new Promise((resolve) => setTimeout(resolve, 100));
  return {
    port,
    end() {
      for (const filler of fillers) filler.destroy();
      child.kill("SIGKILL");
    },
  };
}

for (const variant of variants) {
  const caPem = async () => (await authority()).certPem;

  test(`nobody listens: refused (${variant})`, async (t) => {
    for (const host of ["127.0.0.1", "::1", "localhost"]) {
      const given = {
        host,
        port: await freePort("127.0.0.1"),
        caPem: await caPem(),
        timeoutMs: 5000,
      };
      const camera = await run(t, { variant, given }, fail);
      const { error, opened } = camera.result<Failure>("failure");
      // A machine without IPv6 cannot even try.
      const codes = host === "::1" ? ["refused", "unreachable"] : ["refused"];
      assert.ok(error && codes.includes(error.error), JSON.stringify(error));
      assert.equal(opened, false);
    }
  });

  test(`a name that does not exist: dns (${variant})`, async (t) => {
    const given = { host: "camera.invalid", port: 443, caPem: await caPem(), timeoutMs: 30_000 };
    const camera = await run(t, { variant, given }, fail);
    const { error } = camera.result<Failure>("failure");
    assert.equal(error?.error, "dns");
    assert.match(error?.text ?? "", /^camera\.invalid: .+/);
  });

  test(`nobody answers: timeout, when asked for (${variant})`, async (t) => {
    const silent = await silentPort();
    t.after(() => silent.end());
    const to = { host: "127.0.0.1", port: silent.port, caPem: await caPem(), timeoutMs: 700 };
    const camera = await run(t, { variant, given: to }, fail);
    const { error, tookMs } = camera.result<Failure>("failure");
    assert.equal(error?.error, "timeout");
    assert.match(error?.text ?? "", /no address answered/);
    assert.ok(tookMs >= 700, `${tookMs} ms`);
  });

  test(`a peer that never answers the handshake: timeout (${variant})`, async (t) => {
    const port = await listen(
      t,
      net.createServer(() => undefined),
    );
    const given = { host: "127.0.0.1", port, caPem: await caPem(), timeoutMs: 500 };
    const camera = await run(t, { variant, given }, fail);
    const { error } = camera.result<Failure>("failure");
    assert.equal(error?.error, "timeout");
    assert.match(error?.text ?? "", /handshake did not end/);
  });

  test(`a peer that speaks something else: tls-protocol (${variant})`, async (t) => {
    for (const text of [
      "HTTP/1.1 400 Bad Request\r\n\r\n",
      "SSH-2.0-x\r\n",
      "\x16\x03\x03\x00\x02zz",
    ]) {
      const port = await listen(
        t,
        net.createServer((socket) => socket.end(text)),
      );
      const given = { host: "127.0.0.1", port, caPem: await caPem(), timeoutMs: 5000 };
      const camera = await run(t, { variant, given }, fail);
      const { error } = camera.result<Failure>("failure");
      assert.equal(error?.error, "tls-protocol", JSON.stringify({ text, error }));
    }
  });

  test(`a peer that hangs up instead of shaking hands: reset (${variant})`, async (t) => {
    for (const hangUp of ["end", "resetAndDestroy"] as const) {
      const port = await listen(
        t,
        net.createServer((socket) => {
          socket.once("data", () => socket[hangUp]());
        }),
      );
      const given = { host: "127.0.0.1", port, caPem: await caPem(), timeoutMs: 5000 };
      const camera = await run(t, { variant, given }, fail);
      const { error, opened } = camera.result<Failure>("failure");
      assert.equal(error?.error, "reset");
      assert.equal(opened, false);
    }
  });

  test(`an address that fails is followed by the next (${variant})`, async (t) => {
    // localhost has an IPv6 and an IPv4 address on most machines; the server has one of them.
    const { to } = await serve(t, {}, echo);
    const camera = await run(t, { variant, given: to }, (native, target, { out }) => {
      const connection = native.connect(target, {
        open() {
          out("opened", true);
          connection.close();
          native.exit(0);
        },
        data: () => undefined,
        drain: () => undefined,
        closed: (error) => {
          throw new Error(error?.text);
        },
      });
    });
    assert.equal(camera.result("opened"), true);
  });

  test(`looking up a name does not hold up the loop (${variant})`, async (t) => {
    const given = { host: "camera.invalid", port: 443, caPem: await caPem(), timeoutMs: 30_000 };
    const camera = await run(t, { variant, given }, (native, to, { out }) => {
      let ticks = 0;
      const tick = () => {
        ticks++;
        native.setTimer(1, tick);
      };
      tick();
      const connection = native.connect(to, {
        open: () => undefined,
        data: () => undefined,
        drain: () => undefined,
        closed() {
          out("ticks", ticks);
          connection.close();
          native.exit(0);
        },
      });
    });
    assert.ok(camera.result<number>("ticks") >= 1);
  });

  test(`eight connections at a time, and again after some were closed (${variant})`, async (t) => {
    const { to } = await serve(t, {}, echo);
    const camera = await run(t, { variant, given: to }, (native, target, { out, thrown }) => {
      const on = {
        open: () => undefined,
        data: () => undefined,
        drain: () => undefined,
        closed: () => undefined,
      };
      const open = () => native.connect(target, on);
      const all = Array.from({ length: 8 }, open);
      const ninth = thrown(open);
      all[3]?.close();
      all[4]?.close(true);
      all.push(open(), open());
      const eleventh = thrown(open);
      for (const connection of all) connection.close();
      // Opening and closing in a row is no way around memory.
      for (let i = 0; i < 100; i++) {
        const connection = open();
        connection.write(new Uint8Array(10));
        connection.close(true);
      }
      out("thrown", [ninth, eleventh]);
      native.setTimer(50, () => native.exit(0));
    });
    for (const text of camera.result<string[]>("thrown")) assert.match(text, /^RangeError/);
  });

  test(`wrong arguments of connect throw (${variant})`, async (t) => {
    const camera = await run(t, { variant }, (native, _given, { out, thrown }) => {
      const connect = native.connect as (...given: unknown[]) => unknown;
      const nothing = () => undefined;
      const on = { open: nothing, data: nothing, drain: nothing, closed: nothing };
      const to = { host: "localhost", port: 443, caPem: "", timeoutMs: 1000 };
      const setTime = native.setTlsTime as (...given: unknown[]) => unknown;
      out("thrown", [
        thrown(() => connect()),
        thrown(() => connect(to)),
        thrown(() => connect(to, { ...on, drain: undefined })),
        thrown(() => connect({ ...to, host: 5 }, on)),
        thrown(() => connect({ ...to, caPem: undefined }, on)),
        thrown(() => connect({ ...to, port: "443" }, on)),
        thrown(() => connect({ ...to, port: 0 }, on)),
        thrown(() => connect({ ...to, port: 65536 }, on)),
        thrown(() => connect({ ...to, host: "" }, on)),
        thrown(() => connect({ ...to, host: "a".repeat(254) }, on)),
        thrown(() => connect({ ...to, host: "a\0b" }, on)),
        thrown(() => connect({ ...to, timeoutMs: -1 }, on)),
        thrown(() => setTime(-1, true)),
        thrown(() => setTime(1, 1)),
      ]);
      native.exit(0);
    });
    const kinds = camera.result<string[]>("thrown").map((text) => text.split(":")[0]);
    const [r, y] = ["RangeError", "TypeError"];
    assert.deepEqual(kinds, [y, y, y, y, y, y, r, r, r, r, r, r, r, y]);
  });

  test(`a connection that is dropped without close is closed, and told as a defect (${variant})`, async (t) => {
    const { to } = await serve(t, {}, echo);
    const camera = await start(t, { variant, given: to }, (native, target) => {
      const nothing = () => undefined;
      const on = { open: nothing, data: nothing, drain: nothing, closed: nothing };
      native.connect(target, on);
      native.setTimer(10, () => native.exit(75));
    });
    await assert.rejects(camera.ended(75), /defect: a Connection was dropped/);
  });
}
