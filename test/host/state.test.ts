/** Durable state and the provisioning file. */
import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { AGENT } from "../../scripts/camera/accounts.ts";
import {
  AS_USER,
  everywhere,
  isRoot,
  run,
  runBare,
  scratch,
  start,
  variants,
} from "./support/camera.ts";

/** Cheap enough for the camera's own code under emulation too. */
for (const variant of everywhere) {
  test(`a state file is written, read, replaced and erased (${variant})`, async (t) => {
    const camera = await run(t, { variant }, (native, _given, { out, hex }) => {
      const read = () => {
        const bytes = native.readState("identity");
        return bytes instanceof Uint8Array ? hex(bytes) : bytes;
      };
      const seen: unknown[] = [read()];
      seen.push(native.writeState("identity", new Uint8Array([1, 2, 3])) ?? "written", read());
      seen.push(native.writeState("identity", new Uint8Array(0)) ?? "written", read());
      seen.push(native.eraseState("identity") ?? "erased", read());
      seen.push(native.eraseState("identity") ?? "erased");
      out("seen", seen);
      native.exit(0);
    });
    const expected = [null, "written", "010203", "written", "", "erased", null, "erased"];
    assert.deepEqual(camera.result("seen"), expected);
    assert.deepEqual(readdirSync(camera.state), ["seen"]);
    assert.equal(statSync(join(camera.state, "seen")).mode & 0o777, 0o600);
    assert.equal(statSync(camera.state).mode & 0o777, 0o700);
  });
}

for (const variant of variants) {
  test(`a state file may have 65,536 bytes and no more (${variant})`, async (t) => {
    const camera = await run(t, { variant }, (native, _given, { out }) => {
      const code = (value: unknown) =>
        typeof value === "object" && value !== null && "error" in value ? value.error : "fine";
      const results = [
        code(native.writeState("large", new Uint8Array(65536).fill(7))),
        code(native.writeState("large", new Uint8Array(65537))),
        code(native.readState("large")),
      ];
      out("results", results);
      native.exit(0);
    });
    assert.deepEqual(camera.result("results"), ["fine", "too-large", "fine"]);
    assert.deepEqual(readFileSync(join(camera.state, "large")), Buffer.alloc(65536, 7));
  });

  test(`what was put there by others is told, not followed (${variant})`, async (t) => {
    const directory = scratch(t);
    const state = join(directory, "state");
    const outside = join(directory, "outside");
    mkdirSync(state);
    mkdirSync(join(state, "folder"));
    writeFileSync(outside, "secret");
    writeFileSync(join(state, "large"), Buffer.alloc(65537));
    writeFileSync(join(state, ".new"), "left behind by a cut");
    symlinkSync(outside, join(state, "link"));
    const camera = await run(t, { variant, state }, (native, _given, { out }) => {
      const code = (value: unknown) =>
        typeof value === "object" && value !== null && "error" in value ? value.error : "fine";
      out("results", [
        code(native.readState("large")),
        code(native.readState("folder")),
        code(native.readState("link")),
        code(native.writeState("folder", new Uint8Array(1))),
        code(native.eraseState("folder")),
        code(native.writeState("link", new Uint8Array([120]))),
      ]);
      native.exit(0);
    });
    const results = ["too-large", "io", "io", "io", "io", "fine"];
    assert.deepEqual(camera.result("results"), results);
    assert.equal(readFileSync(outside, "utf8"), "secret");
    assert.equal(readFileSync(join(state, "link"), "utf8"), "x");
    assert.ok(!existsSync(join(state, ".new")));
  });

  test(`erasing overwrites the bytes in place (${variant})`, async (t) => {
    const directory = scratch(t);
    const state = join(directory, "state");
    mkdirSync(state);
    const file = join(state, "seed");
    writeFileSync(file, "s".repeat(5000));
    // A second name for the same bytes shows what became of them.
    linkSync(file, join(directory, "witness"));
    // Root gives no hard link away, so this runs as whoever owns the file.
    if (isRoot) chownSync(file, AGENT.uid, AGENT.gid);
    await run(t, { variant, state }, (native) => {
      const failed = native.eraseState("seed");
      if (failed) throw new Error(failed.text);
      native.exit(0);
    });
    assert.ok(!existsSync(file));
    assert.deepEqual(readFileSync(join(directory, "witness")), Buffer.alloc(5000));
  });

  test(`a camera killed while it writes leaves the old bytes or the new (${variant})`, async (t) => {
    const state = join(scratch(t), "state");
    for (let round = 0; round < 8; round++) {
      const camera = await start(t, { variant, state }, (native) => {
        let turn = 0;
        const write = () => {
          const letter = 97 + (turn++ % 26);
          const failed = native.writeState("counters", new Uint8Array(60_000).fill(letter));
          if (failed) throw new Error(failed.text);
          if (turn === 2) native.log("info", "writing");
          native.setTimer(0, write);
        };
        write();
      });
      await camera.said(/writing/);
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 20));
      await camera.stop();
      const bytes = readFileSync(join(state, "counters"));
      assert.equal(bytes.length, 60_000);
      assert.equal(new Set(bytes).size, 1);
    }
  });

  test(`names outside [a-z][a-z0-9-]{0,30} throw (${variant})`, async (t) => {
    const camera = await run(t, { variant }, (native, _given, { out, thrown }) => {
      const names = [
        "",
        "A",
        "1a",
        "-a",
        "a_b",
        "a/b",
        "../a",
        ".new",
        "a\0b",
        "é",
        "a".repeat(32),
      ];
      const bytes = new Uint8Array(1);
      const all = names.flatMap((name) => [
        thrown(() => native.readState(name)),
        thrown(() => native.writeState(name, bytes)),
        thrown(() => native.eraseState(name)),
      ]);
      // @ts-expect-error: what the type forbids
      const types = [thrown(() => native.readState(1)), thrown(() => native.writeState("a", "b"))];
      out("all", { all, types, good: thrown(() => native.writeState("a".repeat(31), bytes)) });
      native.exit(0);
    });
    const { all, types, good } = camera.result<Record<string, string[]>>("all");
    for (const text of all ?? []) assert.match(text, /^RangeError/);
    for (const text of types ?? []) assert.match(text, /^TypeError/);
    assert.equal(good, "nothing");
  });

  for (const [what, make, expected] of [
    ["none is named", () => [], null],
    ["it is absent", (d: string) => ["--provision", join(d, "none")], null],
    [
      "it is larger than 64 KiB",
      (d: string) => {
        writeFileSync(join(d, "p"), Buffer.alloc(65537));
        return ["--provision", join(d, "p")];
      },
      "too-large",
    ],
    ["it is a directory", (d: string) => ["--provision", d], "io"],
  ] as const) {
    test(`provisioning: ${what} (${variant})`, async (t) => {
      const args = make(scratch(t));
      const camera = await run(t, { variant, args }, (native, _given, { out }) => {
        const value = native.readProvisioning();
        out("value", value === null || value instanceof Uint8Array ? value : value.error);
        native.exit(0);
      });
      assert.equal(camera.result("value"), expected);
    });
  }
}

test("a directory that everybody may write is refused as state", async (t) => {
  const directory = scratch(t);
  chmodSync(directory, 0o1777);
  const bundle = join(scratch(t), "a.mjs");
  writeFileSync(bundle, "native.exit(0)");
  const line = ["--bundle", bundle, "--state", directory, "--door", "x", ...AS_USER];
  const result = await runBare(line);
  assert.equal(result.status, 71);
  assert.match(result.text, /is open to everybody/);
  assert.equal(statSync(directory).mode & 0o7777, 0o1777);
});
