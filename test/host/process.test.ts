/** The process: command line, ends, limits, log and figures. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  AS_USER,
  Camera,
  everywhere,
  isRoot,
  program,
  run,
  runBare,
  scratch,
  start,
  variants,
} from "./support/camera.ts";

test("help and version answer without a command line that is otherwise complete", async () => {
  const help = await runBare(["--help"]);
  assert.equal(help.status, 0);
  assert.match(help.text, /^Usage: ocellus-camera /);
  const version = await runBare(["--version"]);
  assert.match(version.text, /^ocellus-camera \d+\.\d+\.\d+\+\w+/);
});

test("a wrong command line ends with 64 and one sentence", async () => {
  const good = ["--bundle", "x", "--state", "x", "--door", "x"];
  const asRoot: [string[], RegExp][] = [[good, /started as root it needs --user/]];
  for (const [args, pattern] of [
    ...(isRoot ? asRoot : []),
    [[], /exactly one of --bytecode and --bundle/],
    [["--bundle", "x", "--bytecode", "y"], /exactly one of/],
    [["--bundle", "x"], /--state is missing/],
    [["--bundle", "x", "--state", "x"], /--door is missing/],
    [[...good, "more"], /unexpected argument more/],
    [[...good, "--queue-bytes", "12"], /--queue-bytes takes/],
    [[...good, "--heap-bytes", "-1"], /--heap-bytes takes/],
    [[...good, "--turn-ms", "10x"], /--turn-ms takes/],
    [["--bytecode", "x", "--compile-to", "y"], /--compile-to goes with --bundle/],
    [["--nonsense"], /unrecognized option/],
  ] as const) {
    const result = await runBare(args);
    assert.equal(result.status, 64, args.join(" "));
    assert.match(result.text, pattern);
  }
});

test("what cannot be opened ends with 71 and one sentence", async (t) => {
  const directory = scratch(t);
  const state = join(directory, "state");
  const run = (bundle: string, into = state) =>
    runBare(["--bundle", bundle, "--state", into, "--door", "x", ...AS_USER]);
  const missing = await run(join(directory, "missing.mjs"));
  assert.equal(missing.status, 71);
  assert.match(missing.text, /cannot open .*missing\.mjs: No such file/);
  const pipe = join(directory, "pipe.mjs");
  execFileSync("mkfifo", [pipe]);
  const waiting = await run(pipe);
  assert.equal(waiting.status, 71);
  assert.match(waiting.text, /pipe\.mjs is no regular file/);
  const wrong = join(directory, "wrong.mjs");
  writeFileSync(wrong, "let let = 1;");
  const unparsed = await run(wrong);
  assert.equal(unparsed.status, 71);
  assert.match(unparsed.text, /SyntaxError.*wrong\.mjs:1/);
  const noDirectory = await run(wrong, join(directory, "a/b/c"));
  assert.equal(noDirectory.status, 71);
  assert.match(noDirectory.text, /cannot make the state directory/);
});

test("a module with an import cannot be loaded", async (t) => {
  const bundle = join(scratch(t), "imports.mjs");
  writeFileSync(bundle, 'import { x } from "./other.mjs"; x();');
  const result = await runBare([
    "--bundle",
    bundle,
    "--state",
    join(scratch(t), "s"),
    "--door",
    "x",
    ...AS_USER,
  ]);
  assert.equal(result.status, 71);
});

/** Cheap enough for the camera's own code under emulation too. */
for (const variant of everywhere) {
  test(`options are what the command line says (${variant})`, async (t) => {
    const args = [
      "--board",
      "emulator",
      "--queue-bytes",
      "1000000",
      "--start-reason",
      "after update",
    ];
    const directory = scratch(t);
    chmodSync(directory, 0o755);
    const [image, commandLine] = [join(directory, "image"), join(directory, "cmdline")];
    writeFileSync(image, "ocellus 0.1.0+0123abcd\n", { mode: 0o644 });
    writeFileSync(commandLine, `quiet ${"x".repeat(5_000)}`, { mode: 0o644 });
    args.push("--image-file", image, "--command-line", commandLine);
    const camera = await run(
      t,
      { variant, args: [...args, "--reset"] },
      (native, _given, { out }) => {
        out("options", native.options);
        native.exit(0);
      },
    );
    const { build, buildTimeS, ...rest } = camera.result<Record<string, unknown>>("options");
    assert.match(String(build), /^\d+\.\d+\.\d+\+\w+/);
    assert.ok(Number(buildTimeS) > 1_750_000_000 && Number(buildTimeS) < Date.now() / 1000);
    assert.deepEqual(rest, {
      board: "emulator",
      image: "ocellus 0.1.0+0123abcd",
      commandLine: `quiet ${"x".repeat(4_090)}`,
      queueBytes: 999_936,
      startReason: "after update",
      reset: true,
    });
  });

  test(`an agent that does not stop is ended after 5 s with 0 (${variant})`, async (t) => {
    const camera = await start(t, { variant }, (native) => {
      native.onStop(() => native.log("info", "deaf"));
      native.log("info", "ready");
    });
    await camera.said(/ready/);
    const begun = performance.now();
    camera.child.kill("SIGTERM");
    await camera.ended(0);
    const took = performance.now() - begun;
    assert.ok(took > 4900, `${took} ms`);
    assert.match(camera.log, /warning the agent did not end within 5 s/);
  });
}

for (const variant of variants) {
  test(`bytecode made by the same program runs like its source (${variant})`, async (t) => {
    const directory = scratch(t);
    const [bundle, bytecode] = [join(directory, "a.mjs"), join(directory, "a.bin")];
    const state = join(directory, "state");
    writeFileSync(bundle, "native.writeState('ran', native.utf8Encode('yes')); native.exit(75);");
    await new Camera(
      [...(await program(variant)), "--bundle", bundle, "--compile-to", bytecode],
      "",
    ).ended(0);
    const from = ["--bytecode", bytecode, "--state", state, "--door", "x", ...AS_USER];
    await new Camera([...(await program(variant)), ...from], state).ended(75);
    assert.equal(readFileSync(join(state, "ran"), "utf8"), "yes");
  });

  test(`what is no bytecode ends with 71 (${variant})`, async (t) => {
    const directory = scratch(t);
    const bytecode = join(directory, "a.bin");
    for (const bytes of ["", "no bytecode", "\u0043"]) {
      writeFileSync(bytecode, bytes);
      const from = [
        "--bytecode",
        bytecode,
        "--state",
        join(directory, "s"),
        "--door",
        "x",
        ...AS_USER,
      ];
      await new Camera([...(await program(variant)), ...from], "").ended(71);
    }
  });

  for (const status of [0, 70, 75, 76] as const) {
    test(`exit(${status}) ends at once, past catch and finally (${variant})`, async (t) => {
      const camera = await start(t, { variant, given: status }, (native, code) => {
        native.setTimer(0, () => native.log("error", "a later turn ran"));
        Promise.resolve().then(() => native.log("error", "a job ran"));
        try {
          native.exit(code);
        } catch {
          native.log("error", "caught");
        } finally {
          native.log("error", "finally ran");
        }
      });
      await camera.ended(status);
      assert.equal(camera.log, "");
    });
  }

  test(`another status is a RangeError (${variant})`, async (t) => {
    await run(t, { variant }, (native, _given, { thrown }) => {
      // @ts-expect-error: what the type forbids
      if (!thrown(() => native.exit(1)).startsWith("RangeError")) throw new Error("no RangeError");
      native.exit(0);
    });
  });

  for (const [what, agent, pattern] of [
    [
      "an exception while the module is evaluated",
      () => {
        throw new TypeError("at start");
      },
      /error unhandled rejection: TypeError: at start \| +at .*agent\.mjs:\d+/,
    ],
    [
      "an exception in a callback",
      (native: typeof globalThis.native) =>
        native.setTimer(1, () => {
          throw new Error("in a timer");
        }),
      /error uncaught: Error: in a timer \|/,
    ],
    [
      "a rejection that nobody handles",
      (native: typeof globalThis.native) =>
        native.setTimer(1, () => {
          Promise.reject(new Error("nobody cared"));
        }),
      /error unhandled rejection: Error: nobody cared/,
    ],
    [
      "a thrown value that is no Error",
      (native: typeof globalThis.native) =>
        native.setTimer(1, () => {
          // biome-ignore lint/style/useThrowOnlyError: that is the case at hand
          throw "a string";
        }),
      /error uncaught: a string/,
    ],
    [
      "endless recursion",
      (native: typeof globalThis.native) =>
        native.setTimer(1, () => {
          const down = (n: number): number => 1 + down(n + 1);
          down(0);
        }),
      /error uncaught: (InternalError|RangeError): .*stack/,
    ],
  ] as const) {
    test(`${what} ends with 70, a line, and a note for the next start (${variant})`, async (t) => {
      const camera = await start(t, { variant }, agent);
      await camera.ended(70);
      assert.match(camera.log, pattern);
      assert.equal(camera.log.trim().split("\n").length, 1);
      const note = readFileSync(join(camera.state, "defect"), "utf8");
      assert.ok(camera.log.includes(note.slice(0, 30)), note);
    });
  }

  test(`a rejection that is handled in the same turn is none (${variant})`, async (t) => {
    await run(t, { variant }, (native) => {
      const late = Promise.reject(new Error("handled"));
      Promise.resolve()
        .then(() => Promise.resolve())
        .then(() => late.catch(() => undefined));
      native.setTimer(5, () => native.exit(0));
    });
  });

  test(`a turn that takes too long ends with 70 (${variant})`, async (t) => {
    for (const agent of [
      (native: typeof globalThis.native) =>
        native.setTimer(0, () => {
          try {
            for (;;);
          } catch {
            native.log("error", "caught");
          }
        }),
      (native: typeof globalThis.native) =>
        native.setTimer(0, () => {
          const again = () => {
            Promise.resolve().then(again);
          };
          again();
        }),
    ]) {
      const begun = performance.now();
      const camera = await start(t, { variant, args: ["--turn-ms", "300"] }, agent);
      await camera.ended(70);
      assert.match(camera.log, /error a turn took longer than 300 ms\n$/);
      assert.doesNotMatch(camera.log, /caught/);
      assert.ok(performance.now() - begun < 20_000);
    }
  });

  test(`long work in many turns is no offence (${variant})`, async (t) => {
    await run(t, { variant, args: ["--turn-ms", "200"] }, (native) => {
      const end = native.monotonicUs() + 600_000;
      const turn = () => {
        const until = native.monotonicUs() + 50_000;
        while (native.monotonicUs() < until);
        if (native.monotonicUs() > end) native.exit(0);
        native.setTimer(0, turn);
      };
      turn();
    });
  });

  test(`the heap limit ends with 70, caught or not (${variant})`, async (t) => {
    const camera = await start(t, { variant, args: ["--heap-bytes", "2000000"] }, (native) => {
      const kept: Uint8Array[] = [];
      native.setTimer(0, () => {
        try {
          for (;;) kept.push(new Uint8Array(10_000));
        } catch {
          kept.length = 0; // as if nothing had happened
        }
      });
      native.setTimer(50, () => native.exit(0));
    });
    await camera.ended(70);
    assert.match(camera.log, /error the heap limit of 2000000 bytes was hit\n$/);
  });

  test(`eval and functions from text are not there (${variant})`, async (t) => {
    await run(t, { variant }, (native, _given, { thrown }) => {
      const global = globalThis as unknown as Record<string, (text: string) => unknown>;
      for (const call of [
        () => global.eval?.("1"),
        () => new Function("return 1")(),
        () => (async () => undefined).constructor("return 1"),
      ])
        if (!thrown(call).includes("eval is not supported")) throw new Error(thrown(call));
      native.exit(0);
    });
  });

  test(`ArrayBuffer cannot be transferred (${variant})`, async (t) => {
    await run(t, { variant }, (native) => {
      const names = Object.getOwnPropertyNames(ArrayBuffer.prototype);
      if (names.some((name) => name.startsWith("transfer"))) throw new Error(names.join());
      native.exit(0);
    });
  });

  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    test(`${signal} calls onStop once, and the agent ends in its own time (${variant})`, async (t) => {
      const camera = await start(t, { variant }, (native) => {
        native.onStop(() => {
          native.log("info", "stopping");
          native.setTimer(300, () => native.exit(75));
        });
        native.log("info", "ready");
      });
      await camera.said(/info ready\n/);
      camera.child.kill(signal);
      await camera.said(/info stopping\n/);
      camera.child.kill(signal);
      await camera.ended(75);
      assert.equal(camera.log.match(/stopping/g)?.length, 1);
    });
  }

  test(`without onStop a signal ends with 0 (${variant})`, async (t) => {
    const camera = await start(t, { variant }, (native) => native.log("info", "ready"));
    await camera.said(/ready/);
    camera.child.kill("SIGTERM");
    await camera.ended(0);
  });

  test(`log lines are bounded, on one line, with level and time (${variant})`, async (t) => {
    const camera = await run(t, { variant }, (native, _given, { thrown, out }) => {
      native.log("debug", "d");
      native.log("info", "two\nlines\tand \u001b[31mred\u0000");
      native.log("warning", "é".repeat(600));
      native.log("error", "€".repeat(400));
      // @ts-expect-error: what the type forbids
      out("wrong", [thrown(() => native.log("fatal", "x")), thrown(() => native.log("info", 1))]);
      native.exit(0);
    });
    const lines = camera.log.split("\n");
    assert.match(lines[0] ?? "", /^\d+\.\d{6} debug d$/);
    assert.match(lines[1] ?? "", / info two\?lines\?and \?\[31mred\?$/);
    assert.match(lines[2] ?? "", / warning é{500}$/);
    assert.match(lines[3] ?? "", / error €{333}$/);
    assert.deepEqual(
      camera.result<string[]>("wrong").map((text) => text.split(":")[0]),
      ["RangeError", "TypeError"],
    );
  });

  test(`logTail gives whole lines, the newest (${variant})`, async (t) => {
    const camera = await run(t, { variant }, (native, _given, { out, thrown }) => {
      const text = (bytes: number) => native.utf8Decode(native.logTail(bytes, 0).lines);
      const empty = text(65536);
      native.log("info", "first");
      const one = text(65536);
      const cut = text(one.length - 1);
      for (let i = 0; i < 2000; i++) native.log("info", `line ${i} ${"x".repeat(40)}`);
      out("tail", { empty, one, cut, nothing: text(0), some: text(300) });
      const whole = native.logTail(65536, 0);
      const part = native.logTail(500, 10_000);
      native.log("info", "one more");
      out("part", {
        part: native.utf8Decode(part.lines),
        ends: [whole.end, part.end, native.logTail(0, 0).end],
        grown: text(100).split("\n").at(-2)?.length,
        beyond: native.logTail(100, 65_536).lines.byteLength,
      });
      native.writeState("all", whole.lines);
      out(
        "wrong",
        thrown(() => native.logTail(65537, 0)),
      );
      native.exit(0);
    });
    const tail = camera.result<Record<string, string>>("tail");
    assert.equal(tail.empty, "");
    assert.match(tail.one ?? "", /^\d+\.\d{6} info first\n$/);
    assert.equal(tail.cut, "");
    assert.equal(tail.nothing, "");
    assert.match(camera.result<string>("wrong"), /^RangeError/);
    const { part, ends, grown, beyond } = camera.result<{
      part: string;
      ends: number[];
      grown: number;
      beyond: number;
    }>("part");
    const before = readFileSync(join(camera.state, "all"), "utf8").slice(0, -10_000);
    assert.ok(part.length > 400 && before.endsWith(part) && before.at(-part.length - 1) === "\n");
    const [end = 0] = ends;
    assert.ok(end > 2000 * 60, `${end}`);
    assert.deepEqual(ends, [end, end, end + grown + 1]);
    assert.equal(beyond, 0);
    for (const [text, most] of [
      [readFileSync(join(camera.state, "all"), "utf8"), 65536],
      [tail.some ?? "", 300],
    ] as const) {
      const lines = text.split("\n");
      assert.equal(lines.pop(), "");
      assert.match(lines.at(-1) ?? "", /line 1999 x+$/);
      for (const line of lines) assert.match(line, /^\d+\.\d{6} info line \d+ x{40}$/);
      assert.ok(text.length <= most && text.length > most - 80, `${text.length}`);
    }
  });

  test(`a log that nobody reads never stops the camera (${variant})`, async (t) => {
    const camera = await start(t, { variant }, (native, _given, { out }) => {
      for (let i = 0; i < 5000; i++) native.log("info", "x".repeat(100));
      out("done", true);
      native.setTimer(300, () => {
        native.log("info", "last");
        native.exit(0);
      });
    });
    camera.child.stderr?.pause();
    await new Promise((resolve) => setTimeout(resolve, 200));
    camera.child.stderr?.resume();
    await camera.ended(0);
    assert.equal(camera.result("done"), true);
  });

  test(`usage tells heap, resident set and queue (${variant})`, async (t) => {
    const camera = await run(t, { variant }, (native, _given, { out }) => {
      const before = native.usage();
      const kept = new Uint8Array(500_000);
      const after = native.usage();
      out("usage", { before, after, kept: kept.length });
      native.exit(0);
    });
    const { before, after } = camera.result<Record<string, Record<string, number>>>("usage");
    assert.ok(before && after);
    assert.ok((after.heapBytes ?? 0) - (before.heapBytes ?? 0) >= 500_000);
    assert.ok((before.rssBytes ?? 0) > 1_000_000);
    assert.equal(before.queueBytes, 8 << 20);
    assert.equal(before.queueUsedBytes, 0);
  });
}
