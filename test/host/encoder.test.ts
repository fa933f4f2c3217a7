/** The encoder's door as the agent sees it: opening, frames, configurations, requests, ends. */
import assert from "node:assert/strict";
import { chmodSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Encoder, EncoderConfig, Native } from "../../agent/runtime/native.d.ts";
import { Program } from "../native/support/programs.ts";
import { everywhere, run, scratch, start, variants } from "./support/camera.ts";
import { samplesOf, startEncoder } from "./support/encoder.ts";

/** Words of native/ring/door.h, in this machine's byte order. */
function words(...values: number[]): string {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [i, value] of values.entries()) bytes.writeUInt32LE(value, i * 4);
  return bytes.toString("hex");
}
const MAGIC = { hello: 0x3148434f, request: 0x3151434f, reply: 0x3152434f } as const;
const hello = (result: number, reason: number, stream = 0) =>
  words(MAGIC.hello, 1, result, reason, stream, 0, 0, 0);
const reply = (id: number, kind: number, result: number) =>
  words(MAGIC.reply, id, kind, result, 0, ...Array.from({ length: 37 }, () => 0));

/** Leaves what became of openEncoder, and ends. */
function openOnly(native: Native, stream: number, { out }: { out(n: string, v: unknown): void }) {
  let ticks = 0;
  const tick = () => {
    ticks++;
    native.setTimer(20, tick);
  };
  native.setTimer(20, tick);
  const begun = native.monotonicUs();
  const finish = (result: object) => {
    const tookMs = (native.monotonicUs() - begun) / 1000;
    out("result", { ...result, tookMs, ticks });
    native.exit(0);
  };
  const encoder = native.openEncoder(stream, {
    readable: () => finish({ error: "none", next: (encoder as Encoder).next() }),
    reply: () => undefined,
    closed: (error) => {
      const { next, config, request } = encoder as Encoder;
      const left = [next.call(encoder), config.call(encoder, 1)];
      finish({ ...error, left, late: request.call(encoder, "keyFrame", 0) });
    },
  });
  if ("error" in encoder) finish({ ...encoder, atOnce: true });
  else if (encoder.next() !== null || encoder.config(1) !== null) throw new Error("too early");
}

type Opening = {
  error: string;
  text?: string;
  atOnce?: boolean;
  left?: unknown[];
  late?: number;
  tookMs: number;
  ticks: number;
};

/** Cheap enough for the camera's own code under emulation too. */
for (const variant of everywhere) {
  test(`all frames come in order, with their configuration, then "ended" and closed (${variant})`, async (t) => {
    const { door } = await startEncoder(t);
    const camera = await run(t, { variant, door }, (native, _given, { out, hex }) => {
      const frames: [number, number, boolean, boolean, number, number][] = [];
      const events: string[] = [];
      let config: EncoderConfig | null = null;
      const encoder = native.openEncoder(0, {
        readable() {
          for (;;) {
            const next = encoder.next();
            if (next === null) return;
            if (next === "ended") {
              if (!events.includes("ended")) events.push("ended");
              encoder.next();
              if (events.includes("closed")) finish();
              return;
            }
            if ("error" in next || "lapped" in next) throw new Error(JSON.stringify(next));
            config ??= encoder.config(next.config);
            const { seq, bytes, key, discontinuity, captureUs } = next;
            frames.push([seq, bytes, key, discontinuity, next.config, captureUs]);
          }
        },
        reply: () => undefined,
        closed() {
          events.push("closed");
          finish();
        },
      }) as Encoder;
      native.setTimer(8000, () => {
        events.push("no closed");
        finish();
      });
      const finish = () => {
        for (let i = 0; i < frames.length; i += 250) out(`frames${i}`, frames.slice(i, i + 250));
        const { sps, pps, ...rest } = config ?? { sps: new Uint8Array(), pps: new Uint8Array() };
        out("rest", { events, count: frames.length, ...rest, sps: hex(sps), pps: hex(pps) });
        out("past", encoder.config(0) ?? encoder.config(999));
        encoder.close();
        native.exit(0);
      };
    });
    const rest = camera.result<Record<string, unknown>>("rest");
    const samples = await samplesOf();
    assert.equal(rest.count, samples.length);
    const frames = [0, 250].flatMap((i) =>
      camera.result<[number, number, boolean, boolean, number, number][]>(`frames${i}`),
    );
    for (const [i, [seq, bytes, key, , config, captureUs]] of frames.entries()) {
      assert.deepEqual([seq, bytes, key], [i, samples[i]?.bytes.length, samples[i]?.key]);
      assert.equal(config, rest.generation);
      assert.equal(captureUs - (frames[0]?.[5] ?? 0), i * 40_000);
    }
    assert.match(String(rest.sps), /^[26]7/);
    assert.match(String(rest.pps), /^[26]8/);
    assert.deepEqual([rest.width, rest.height, rest.frameIntervalUs], [640, 480, 40_000]);
    assert.equal(camera.result("past"), null);
    // It goes on serving until its consumer has left.
    assert.deepEqual(rest.events, ["ended", "no closed"]);
  });
}

for (const variant of variants) {
  test(`no encoder, no such stream (${variant})`, async (t) => {
    const door = join(scratch(t), "door");
    const absent = await run(t, { variant, door, given: 0 }, openOnly);
    assert.equal(absent.result<Opening>("result").error, "no-encoder");
    assert.match(absent.result<Opening>("result").text ?? "", /No such file/);
    assert.equal(absent.result<Opening>("result").atOnce, true);
    const running = await startEncoder(t, ["--wait"]);
    const other = await run(t, { variant, door: running.door, given: 3 }, openOnly);
    assert.equal(other.result<Opening>("result").error, "no-encoder");
    assert.match(other.result<Opening>("result").text ?? "", /no such stream/);
  });

  for (const [what, answer, error, text] of [
    ["that is silent", [], "no-encoder", /did not answer within 1000 ms/],
    ["that hangs up", ["hang-up"], "no-encoder", /hung up/],
    ["that refuses", [`send ${hello(2, 3)}`], "no-encoder", /no room/],
    ["of another version", [`send ${hello(2, 1)}`], "no-encoder", /another version/],
    ["that sends nonsense", ["send 0011"], "no-encoder", /does not speak/],
    ["without a ring", [`send ${hello(0, 0)}`], "no-encoder", /does not speak/],
    ["with a file that is no ring", [`send ${hello(0, 0)} empty eventfd`], "bad-ring", /ring/],
    ["with an empty ring", [`send ${hello(0, 0)} ring eventfd`], "none", /^$/],
  ] as const) {
    test(`an encoder ${what}: ${error} (${variant})`, async (t) => {
      const door = join(scratch(t), "door");
      const forger = await Program.start(t, "asan", "door_forger", [door]);
      await forger.line();
      chmodSync(door, 0o666);
      // Told beforehand, so that it answers as soon as it is asked, however busy this process is.
      const told = ["accept", "receive", ...answer].map((line) => forger.ask(line));
      const camera = await start(t, { variant, door, given: 0 }, openOnly);
      await Promise.all(told);
      await camera.ended(0);
      const result = camera.result<Opening>("result");
      assert.equal(result.error, error);
      assert.match(result.text ?? "", text);
      if (error === "none") return;
      assert.deepEqual(result.left, [null, null]);
      assert.equal(result.late, 2 ** 32, "not sent");
    });
  }

  test(`while an encoder is silent the loop goes on, and gives it up after a second (${variant})`, async (t) => {
    const door = join(scratch(t), "door");
    const forger = await Program.start(t, "asan", "door_forger", [door]);
    await forger.line();
    chmodSync(door, 0o666);
    const camera = await run(t, { variant, door, given: 0 }, openOnly);
    const { text, ticks, tookMs } = camera.result<Opening>("result");
    assert.match(text ?? "", /did not answer within 1000 ms/);
    assert.ok(tookMs >= 1000, `${tookMs} ms`);
    // About 49. Timers fire in order: even where the machine slept for the second, one comes before the end.
    assert.ok(ticks >= 1);
  });

  test(`an encoder that was given up is hung up on, and its answer is not taken (${variant})`, async (t) => {
    const door = join(scratch(t), "door");
    const forger = await Program.start(t, "asan", "door_forger", [door]);
    await forger.line();
    chmodSync(door, 0o666);
    const camera = await start(t, { variant, door }, (native) => {
      const encoder = native.openEncoder(0, {
        readable: () => native.log("info", "let in"),
        reply: () => undefined,
        closed: (error) => native.log("info", `closed: ${error?.text}`),
      }) as Encoder;
      native.onStop(() => {
        encoder.close();
        native.exit(0);
      });
    });
    await forger.ask("accept");
    assert.match(await forger.ask("receive"), /^received [0-9a-f]{64}/);
    await camera.said(/closed: the encoder did not answer/);
    assert.equal((await forger.ask(`send ${hello(0, 0)} ring eventfd`)).trim(), "sent -1");
    camera.child.kill("SIGTERM");
    await camera.ended(0);
    assert.doesNotMatch(camera.log, /let in/);
  });

  test(`a reader that is late is told how many frames it lost, then gets a key frame (${variant})`, async (t) => {
    const args = ["--wait", "--loops", "1", "--rate", "100", "--ring-bytes", "524288"];
    const { door } = await startEncoder(t, args);
    const camera = await run(t, { variant, door }, (native, _given, { out }) => {
      let seen = 0;
      let lost = 0;
      const after: boolean[] = [];
      let jumped = false;
      let last = -1;
      let backwards = 0;
      const encoder = native.openEncoder(0, {
        readable() {
          for (;;) {
            const next = encoder.next();
            if (next === null) break;
            if (next === "ended") {
              out("result", { seen, lost, after, backwards });
              encoder.close();
              return native.exit(0);
            }
            if ("error" in next) throw new Error(next.text);
            if ("lapped" in next) {
              lost += next.lapped;
              jumped = true;
              continue;
            }
            if (jumped) after.push(next.key);
            jumped = false;
            if (next.seq <= last) backwards++;
            last = next.seq;
            seen++;
          }
          const until = native.monotonicUs() + 60_000; // too slow for this ring
          while (native.monotonicUs() < until);
        },
        reply: () => undefined,
        closed: () => undefined,
      }) as Encoder;
    });
    const { seen, lost, after, backwards } = camera.result<{
      seen: number;
      lost: number;
      after: boolean[];
      backwards: number;
    }>("result");
    assert.ok(lost > 0);
    assert.equal(seen + lost, (await samplesOf()).length);
    assert.ok(after.length > 0 && after.every((key) => key));
    assert.equal(backwards, 0);
  });

  test(`requests go out in the door's units, replies come back with their ids (${variant})`, async (t) => {
    const door = join(scratch(t), "door");
    const forger = await Program.start(t, "asan", "door_forger", [door]);
    await forger.line();
    chmodSync(door, 0o666);
    const camera = await start(t, { variant, door }, (native, _given, { out, thrown }) => {
      const replies: [number, string][] = [];
      const encoder = native.openEncoder(0, {
        readable: () => undefined,
        reply(id, result) {
          replies.push([id, result]);
          if (replies.length === 6) out("replies", replies);
        },
        closed() {
          // Nobody is there any more: refused, in a later turn, under a number of its own.
          const late = [encoder.request("keyFrame", 0), encoder.request("night", 1)];
          const before = replies.length;
          native.setTimer(20, () => {
            out("late", { late, before, replies: replies.slice(before) });
            encoder.close();
            native.exit(0);
          });
        },
      }) as Encoder;
      const any = encoder.request as (...given: unknown[]) => number;
      out("ids", [
        encoder.request("keyFrame", 0),
        encoder.request("bitrate", 1500),
        encoder.request("frameRate", 15),
        encoder.request("flip", 1),
        encoder.request("flip", 0),
        encoder.request("night", 1),
      ]);
      out("thrown", [
        thrown(() => any.call(encoder, "zoom", 1)),
        thrown(() => any.call(encoder, "flip", 2)),
        thrown(() => any.call(encoder, "bitrate", "1500")),
        thrown(() => any.call(encoder, "bitrate", 1.5)),
        thrown(() => any.call({}, "bitrate", 1)),
      ]);
    });
    await forger.ask("accept");
    await forger.ask("receive");
    await forger.ask(`send ${hello(0, 0)} ring eventfd`);
    const requests: (number | undefined)[][] = [];
    for (let i = 0; i < 6; i++) {
      const [, text = ""] = (await forger.ask("receive")).split(" ");
      const bytes = Buffer.from(text, "hex");
      assert.equal(bytes.length, 96);
      requests.push([0, 4, 8, 12, 16, 20].map((at) => bytes.readInt32LE(at)));
    }
    const expected = [
      [1, 0, 0],
      [2, 1_500_000, 0],
      [3, 15, 1],
      [4, 1, 1],
      [4, 0, 0],
      [6, 1, 0],
    ].map(([kind, first, second], i) => [MAGIC.request, i + 1, kind, first, second, 0]);
    assert.deepEqual(requests, expected);
    for (let i = 0; i < 6; i++) await forger.ask(`send ${reply(i + 1, 1, i % 4)}`);
    await forger.ask("hang-up");
    await camera.ended(0);
    assert.deepEqual(camera.result("ids"), [1, 2, 3, 4, 5, 6]);
    assert.deepEqual(camera.result("replies"), [
      ...[
        [1, "ok"],
        [2, "unsupported"],
        [3, "refused"],
        [4, "refused"],
        [5, "ok"],
      ],
      [6, "unsupported"],
    ]);
    const [r, y] = ["RangeError", "TypeError"];
    const kinds = camera.result<string[]>("thrown").map((text) => text.split(":")[0]);
    assert.deepEqual(kinds, [r, r, y, r, y]);
    const { late, before, replies } = camera.result<Record<string, unknown>>("late");
    assert.deepEqual(late, [2 ** 32, 2 ** 32 + 1]);
    assert.equal(before, 6);
    assert.deepEqual(replies, [
      [2 ** 32, "refused"],
      [2 ** 32 + 1, "refused"],
    ]);
  });

  test(`an encoder that is killed: closed once, what is left can be read, then it can be opened anew (${variant})`, async (t) => {
    const first = await startEncoder(t, ["--rate", "1"]);
    const camera = await start(t, { variant, door: first.door }, (native, _given, { out }) => {
      const events: string[] = [];
      let frames = 0;
      const drain = (from: Encoder) => {
        for (let next = from.next(); next !== null; next = from.next()) {
          if (next === "ended" || "error" in next) return;
          frames++;
        }
      };
      const encoder = native.openEncoder(0, {
        readable: () => undefined, // reads nothing until the encoder is gone
        reply: () => undefined,
        closed() {
          events.push("closed");
          drain(encoder);
          native.setTimer(50, () => {
            const again = native.openEncoder(0, on);
            out("result", { events, frames, again: "error" in again ? again.error : "open" });
            encoder.close();
            native.exit(0);
          });
        },
      }) as Encoder;
      const on = { readable: () => undefined, reply: () => undefined, closed: () => undefined };
      native.setTimer(500, () => native.log("info", "kill it"));
    });
    await camera.said(/kill it/);
    first.child.kill("SIGKILL");
    await camera.ended(0);
    const { events, frames, again } = camera.result<Record<string, unknown>>("result");
    assert.deepEqual(events, ["closed"]);
    assert.ok(Number(frames) >= 5, `${frames}`);
    assert.equal(again, "no-encoder");
  });

  test(`closing from within its callbacks is safe (${variant})`, async (t) => {
    const { door } = await startEncoder(t, ["--wait", "--rate", "5"]);
    await run(t, { variant, door }, (native) => {
      let left = 2;
      const done = () => {
        if (--left === 0) native.setTimer(50, () => native.exit(0));
      };
      const one = native.openEncoder(0, {
        readable() {
          one.close();
          done();
        },
        reply: () => undefined,
        closed: () => native.log("error", "defect: closed after close"),
      }) as Encoder;
      const two = native.openEncoder(0, {
        readable: () => undefined,
        reply() {
          two.close();
          done();
        },
        closed: () => native.log("error", "defect: closed after close"),
      }) as Encoder;
      two.request("keyFrame", 0);
      two.request("keyFrame", 0);
    });
  });

  test(`four encoders at a time (${variant})`, async (t) => {
    const { door } = await startEncoder(t, ["--wait"]);
    await run(t, { variant, door }, (native, _given, { thrown }) => {
      const on = { readable: () => undefined, reply: () => undefined, closed: () => undefined };
      const open = () => native.openEncoder(0, on) as Encoder;
      const all = Array.from({ length: 4 }, open);
      if (!thrown(open).startsWith("RangeError")) throw new Error(thrown(open));
      for (const encoder of all) encoder.close();
      open().close();
      native.exit(0);
    });
  });
}
