/** An open connection: exchange, back-pressure, limits, ends. */
import assert from "node:assert/strict";
import net from "node:net";
import { test } from "node:test";
import type { Connection, Native, NativeError } from "../../agent/runtime/native.d.ts";
import { run, variants } from "./support/camera.ts";
import { echo, listen, serve } from "./support/server.ts";

for (const variant of variants) {
  test(`a connection serves many exchanges (${variant})`, async (t) => {
    let connections = 0;
    const { to } = await serve(t, {}, (socket) => {
      connections++;
      echo(socket);
    });
    const camera = await run(t, { variant, given: to }, (native, target, { out }) => {
      const answers: string[] = [];
      const connection = native.connect(target, {
        open: () => connection.write(native.utf8Encode("0")),
        data(bytes) {
          answers.push(native.utf8Decode(bytes));
          if (answers.length === 50) {
            out("answers", answers);
            connection.close();
            native.exit(0);
          }
          connection.write(native.utf8Encode(`${answers.length}`));
        },
        drain: () => undefined,
        closed: (error) => {
          throw new Error(error?.text);
        },
      });
    });
    const expected = Array.from({ length: 50 }, (_, i) => `${i}`);
    assert.deepEqual(camera.result("answers"), expected);
    assert.equal(connections, 1);
  });

  test(`what is written before the handshake goes first, in order (${variant})`, async (t) => {
    const { to } = await serve(t, {}, echo);
    const camera = await run(t, { variant, given: to }, (native, target, { out }) => {
      let answer = "";
      const order: string[] = [];
      const connection = native.connect(target, {
        open() {
          order.push("open");
          connection.write(native.utf8Encode("c"));
        },
        data(bytes) {
          answer += native.utf8Decode(bytes);
          if (answer.length < 3) return;
          out("result", { answer, order, waiting: connection.waitingBytes });
          connection.close();
          native.exit(0);
        },
        drain: () => order.push("drain"),
        closed: () => undefined,
      });
      connection.write(native.utf8Encode("a"));
      connection.write(native.utf8Encode("b"));
      order.push(`waiting ${connection.waitingBytes}`);
    });
    assert.deepEqual(camera.result("result"), {
      answer: "abc",
      order: ["waiting 2", "open", "drain"],
      waiting: 0,
    });
  });

  test(`data comes in pieces of 16,384 bytes at most, whole and in order (${variant})`, async (t) => {
    const size = 300_000;
    const data = Buffer.from(Array.from({ length: size }, (_, i) => (i * 31) % 251));
    const { to } = await serve(t, {}, (socket) => socket.end(data));
    const camera = await run(t, { variant, given: to }, (native, target, { out }) => {
      let at = 0;
      let largest = 0;
      let wrong = 0;
      const connection = native.connect(target, {
        open: () => undefined,
        data(bytes) {
          largest = Math.max(largest, bytes.length);
          for (const byte of bytes) if (byte !== (at++ * 31) % 251) wrong++;
        },
        drain: () => undefined,
        closed(error) {
          out("result", { at, largest, wrong, error, wire: connection.wireBytesIn });
          connection.close();
          native.exit(0);
        },
      });
    });
    const { wire, ...rest } = camera.result<Record<string, number | null>>("result");
    assert.deepEqual(rest, { at: size, largest: 16384, wrong: 0, error: null });
    assert.ok(Number(wire) > size && Number(wire) < size * 1.01 + 8000, `${wire}`);
  });

  test(`pause holds the peer back, and nothing is lost (${variant})`, async (t) => {
    const size = 8_000_000;
    let written = 0;
    const { to } = await serve(t, {}, (socket) => {
      const more = () => {
        while (written < size) {
          written += 50_000;
          if (!socket.write(Buffer.alloc(50_000, 1))) return socket.once("drain", more);
        }
        return socket.end();
      };
      more();
    });
    const camera = await run(t, { variant, given: to }, (native, target, { out }) => {
      let bytes = 0;
      let whilePaused = 0;
      let paused = false;
      const connection = native.connect(target, {
        open: () => undefined,
        data(piece) {
          if (paused) whilePaused++;
          if (bytes === 0) {
            paused = true;
            connection.pause(true);
            native.setTimer(400, () => {
              native.log("info", `wire ${connection.wireBytesIn}`);
              paused = false;
              connection.pause(false);
            });
          }
          bytes += piece.length;
        },
        drain: () => undefined,
        closed(error) {
          out("result", { bytes, whilePaused, error });
          connection.close();
          native.exit(0);
        },
      });
    });
    assert.deepEqual(camera.result("result"), { bytes: size, whilePaused: 0, error: null });
    const wire = Number(/wire (\d+)/.exec(camera.log)?.[1]);
    assert.ok(wire < 100_000, `${wire} bytes were read while paused`);
  });

  test(`65,536 bytes may wait, one more throws (${variant})`, async (t) => {
    const { to } = await serve(t, {}, (socket) => socket.resume());
    const camera = await run(t, { variant, given: to }, (native, target, { out, thrown }) => {
      const results: unknown[] = [];
      const connection = native.connect(target, {
        open: () => undefined,
        data: () => undefined,
        drain() {
          results.push(
            connection.waitingBytes,
            thrown(() => connection.write(new Uint8Array(65536))),
          );
          out("results", results);
          connection.close();
          native.exit(0);
        },
        closed: () => undefined,
      });
      connection.write(new Uint8Array(65535));
      results.push(thrown(() => connection.write(new Uint8Array(2))));
      connection.write(new Uint8Array(1));
      results.push(connection.waitingBytes);
    });
    const [over, ...rest] = camera.result<unknown[]>("results");
    assert.match(String(over), /^RangeError/);
    assert.deepEqual(rest, [65536, 0, "nothing"]);
  });

  for (const [what, end, expected] of [
    ["in order", "end", null],
    ["by a reset", "resetAndDestroy", "reset"],
    ["without close_notify", "fin", "reset"],
  ] as const) {
    test(`the peer ends ${what} (${variant})`, async (t) => {
      const { to: behind } = await serve(t, {}, (socket) => {
        socket.once("data", () => (end === "end" ? socket.end("bye") : cut()));
      });
      // Node's TLS sockets always say close_notify; a relay of TCP can be cut.
      let cut = (): void => undefined;
      const relay = net.createServer((client) => {
        const server = net.connect(behind.port, "127.0.0.1");
        server.on("error", () => undefined);
        client.pipe(server);
        server.pipe(client);
        cut = () => {
          server.unpipe(client);
          if (end === "fin") client.end();
          else client.resetAndDestroy();
        };
      });
      const to = { ...behind, port: await listen(t, relay) };
      const camera = await run(t, { variant, given: to }, (native, target, { out }) => {
        let calls = 0;
        let text = "";
        const connection: Connection = native.connect(target, {
          open: () => connection.write(new Uint8Array(1)),
          data: (bytes) => {
            text += native.utf8Decode(bytes);
          },
          drain: () => undefined,
          closed(error: NativeError | null) {
            calls++;
            // An ended connection takes calls and does nothing.
            connection.write(new Uint8Array(5));
            connection.pause(true);
            const waiting = connection.waitingBytes;
            native.setTimer(30, () => {
              out("result", { calls, text, waiting, error: error?.error ?? null });
              connection.close();
              connection.close();
              native.exit(0);
            });
          },
        });
      });
      const text = end === "end" ? "bye" : "";
      assert.deepEqual(camera.result("result"), { calls: 1, text, waiting: 0, error: expected });
    });
  }

  test(`close(true) sends what waits and close_notify; close() drops it (${variant})`, async (t) => {
    for (const flush of [true, false]) {
      let received = 0;
      const ends: string[] = [];
      const { to } = await serve(t, {}, (socket) => {
        socket.on("data", (bytes) => {
          received += bytes.length;
        });
        socket.on("end", () => {
          ends.push("end");
          socket.end();
        });
        socket.on("close", () => ends.push("close"));
      });
      const given = { target: to, flush };
      await run(t, { variant, given }, (native, { target, flush }) => {
        const connection = native.connect(target, {
          open() {
            connection.write(new Uint8Array(60_000));
            connection.close(flush);
            native.setTimer(300, () => native.exit(0));
          },
          data: () => native.log("error", "defect: data after close"),
          drain: () => native.log("error", "defect: drain after close"),
          closed: () => native.log("error", "defect: closed after close"),
        });
      });
      assert.equal(received, flush ? 60_000 : 0);
      // Without flush the peer may see FIN or RST, by whether the kernel still held something unread.
      if (flush) assert.deepEqual(ends, ["end", "close"]);
    }
  });

  test(`close(true) before the handshake still delivers (${variant})`, async (t) => {
    let received = "";
    const { to } = await serve(t, {}, (socket) => {
      socket.setEncoding("utf8").on("data", (text) => {
        received += text;
      });
    });
    await run(t, { variant, given: to }, (native, target) => {
      const nothing = () => undefined;
      const on = { open: nothing, data: nothing, drain: nothing, closed: nothing };
      const connection = native.connect(target, on);
      connection.write(native.utf8Encode("last words"));
      connection.close(true);
      native.setTimer(500, () => native.exit(0));
    });
    assert.equal(received, "last words");
  });

  test(`close(true) towards a peer that reads nothing ends after a second (${variant})`, async (t) => {
    const { to } = await serve(t, {}, (socket) => socket.pause());
    const begun = performance.now();
    await run(t, { variant, given: to }, (native, target) => {
      const nothing = () => undefined;
      let sent = 0;
      const connection = native.connect(target, {
        open: () => fill(),
        data: nothing,
        drain: () => fill(),
        closed: nothing,
      });
      const fill = () => {
        connection.write(new Uint8Array(65536));
        sent += 65536;
      };
      native.setTimer(500, () => {
        const waiting = connection.waitingBytes;
        connection.close(true);
        native.log("info", `sent ${sent}, waiting ${waiting}`);
        if (waiting === 0) throw new Error("the socket took it all");
        // The connection is gone when its memory is: nothing else would tell.
        native.setTimer(1500, () => native.exit(0));
      });
    });
    assert.ok(performance.now() - begun < 20_000);
  });

  test(`close from within each callback is safe (${variant})`, async (t) => {
    const { to } = await serve(t, {}, (socket) => socket.end(Buffer.alloc(100_000)));
    await run(t, { variant, given: to }, (native, target) => {
      const names = ["open", "data", "drain", "closed"] as const;
      let left: number = names.length;
      const attempt = (when: (typeof names)[number]) => {
        const at = (name: typeof when) => () => {
          if (name !== when) return;
          connection.close();
          left--;
          native.setTimer(20, () => {
            if (left === 0) native.exit(0);
          });
        };
        const on = { open: at("open"), data: at("data"), drain: at("drain"), closed: at("closed") };
        const connection: ReturnType<Native["connect"]> = native.connect(target, on);
        connection.write(new Uint8Array(10));
      };
      for (const name of names) attempt(name);
    });
  });

  test(`a closed handle throws on every other call (${variant})`, async (t) => {
    const { to } = await serve(t, {}, echo);
    const camera = await run(t, { variant, given: to }, (native, target, { out, thrown }) => {
      const nothing = () => undefined;
      const on = { open: nothing, data: nothing, drain: nothing, closed: nothing };
      const connection = native.connect(target, on);
      connection.close();
      connection.close(true);
      const write = connection.write;
      out("thrown", [
        thrown(() => connection.write(new Uint8Array(1))),
        thrown(() => connection.pause(true)),
        thrown(() => connection.waitingBytes),
        thrown(() => write(new Uint8Array(1))),
        thrown(() => write.call({} as Connection, new Uint8Array(1))),
      ]);
      native.exit(0);
    });
    for (const text of camera.result<string[]>("thrown")) assert.match(text, /^TypeError/);
  });
}
