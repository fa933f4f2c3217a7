/** Help, version and wrong usage, as a user of the program meets them. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { checkout, ensure } from "../../scripts/build/ensure.mjs";
import { commitOf } from "../../scripts/cli/version.ts";
import { ADD_LOCALHOST, NO_LOCALHOST } from "../setup/support/no-localhost.ts";
import { assertSentence, fieldsOf, json, ocellus, succeeds } from "./support/ocellus.ts";

/** Each of these is a process that starts and ends. */
const TWO = { concurrency: 2 };
const NOWHERE = { home: "/nonexistent/ocellus" };
const COMMANDS = ["run", "selftest", "cloud", "keys", "pair", "ls", "get", "status", "send", "ota"];
const KEYS = ["init", "show", "backup", "restore", "recipients", "rotate"];

async function version(): Promise<string> {
  const file: unknown = JSON.parse(await readFile(join(checkout, "package.json"), "utf8"));
  return String(Reflect.get(Object(file), "version"));
}

test("the version is told as an option and, for npx, as a command", async () => {
  const expected = await version();
  for (const args of [["--version"], ["-V"], ["version"]]) {
    const [first] = (await succeeds(args)).split("\n");
    assert.equal(first, expected);
  }
});

test("version tells the commit, whether files differ from it, and builds as the camera tells its own", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "ocellus-version-"));
  t.after(() => rm(directory, { recursive: true }));
  const git = (...args: string[]) => {
    const who = ["-c", "user.name=t", "-c", "user.email=t@t"];
    const done = spawnSync("git", ["-C", directory, ...who, ...args], { encoding: "utf8" });
    assert.equal(done.status, 0, done.stderr);
    return done.stdout.trim();
  };
  assert.equal(await commitOf(directory), null);
  git("init", "-q");
  await writeFile(join(directory, "file"), "1");
  git("add", "file");
  git("commit", "-qm", "one");
  const head = git("rev-parse", "HEAD");
  assert.equal(await commitOf(directory), head);
  await mkdir(join(directory, "inside"));
  assert.equal(await commitOf(join(directory, "inside")), null);
  await writeFile(join(directory, "file"), "2");
  assert.equal(await commitOf(directory), `${head}+changes`);

  // What stands in build/ is what was made last: this checkout's, from here on.
  const program = join(await ensure("native-host"), "bin/ocellus-camera");
  const told = Object(await json(["version"]));
  assert.deepEqual(fieldsOf(told), [
    ...["version", "commit", "builds", "builds[].name", "builds[].what", "builds[].build"],
    "unpinned",
  ]);
  assert.deepEqual([told.version, told.commit], [await version(), await commitOf(checkout)]);
  const { stdout } = spawnSync(program, ["--version"], { encoding: "utf8" });
  const named = told.builds.find(({ name }: { name: string }) => name === "native-host");
  assert.equal(`ocellus-camera ${named.build}\n`, stdout);
  const text = await succeeds(["version"]);
  assert.ok(text.includes(`\n${named.build}  native-host: `), text);
  assert.match(text, /^commit [0-9a-f]{40}(\+changes)?$|^commit not known/m);
});

test(
  "help lists every command, and every command has its own, whichever way it is asked for",
  TWO,
  async (t) => {
    const all = await succeeds(["help"]);
    assert.equal(await succeeds(["--help"]), all);
    const each = COMMANDS.map((command) =>
      t.test(command, async () => {
        assert.match(all, new RegExp(`^  ${command} `, "m"));
        const help = await succeeds([command, "--help"]);
        assert.match(help, new RegExp(`^Usage: npx --no ocellus ${command} .*\n\n[a-z].*\n`));
      }),
    );
    await Promise.all(each);
    assert.match(all, /^Exit status: 0 done; 1 trouble, .*; 2 wrong usage; 130 Ctrl-C\.$/m);
    for (const command of ["ls", "get"]) {
      const help = await succeeds(["help", command]);
      assert.match(
        help,
        /^Exit status: 0 done, also where .* no footage .*; 1 footage is refused$/m,
      );
    }
    assert.match(await succeeds(["help", "selftest"]), /^Exit status: 0 .*; 1 .*; 2 wrong usage$/m);
    assert.equal(await succeeds(["help", "send", "settings"]), await succeeds(["help", "send"]));
    const keys = await succeeds(["help", "keys"]);
    for (const command of KEYS) assert.match(keys, new RegExp(`^  ${command} `, "m"));
    const init = await succeeds(["keys", "init", "--help"]);
    assert.match(init, /^Usage: npx --no ocellus keys init /);
    assert.equal(await succeeds(["help", "keys", "init"]), init);
    assert.equal(await succeeds(["help", "help"]), all);
  },
);

test("without a command the help goes to standard error, with status 2", async () => {
  for (const args of [[], ["keys"]]) {
    const { status, stdout, stderr } = await ocellus(args);
    assert.deepEqual([status, stdout], [2, ""]);
    assert.match(stderr, /^Usage: npx --no ocellus /);
  }
});

const WRONG: readonly (readonly [args: string, sentence: RegExp])[] = [
  ["nothing", /unknown command 'nothing'; `npx --no ocellus help` tells more/],
  ["gett", /unknown command 'gett' \(Did you mean get\?\)/],
  ["help nothing", /unknown command 'nothing'/],
  ["keys init --nothing", /unknown option '--nothing'; `npx --no ocellus keys init --help`/],
  ["keys init --tenant UPPER", /tenant/],
  ["keys restore", /--from FILE, or its store with --access FILE/],
  ["get", /required option '-o, --out <file>' not specified; `npx --no ocellus get --help`/],
  ["get front --from -1m -o", /'-o, --out <file>' argument missing/],
  ["get front -o x.mp4", /say from when with --from/],
  ["get front --from soon -o x.mp4", /"soon" is not a time; write a time: 2026/],
  ["get front --from -1m --to -2m -o x.mp4", /--to must be later than --from/],
  ["ls front --from 2026-13-01", /"2026-13-01" is not a time/],
  ["ls front --stream 2", /--stream takes 0 or 1/],
  ["ls front --boot -1", /--boot takes a whole number, not "-1"/],
  ["ls front --access a", /--access goes with --phrase-file only/],
  ["ls front --unverified", /--unverified goes with --phrase-file only/],
  ["ls front --phrase-file p", /say where the store is, with --access FILE/],
  ["ls front --phrase-file p --access a", /name the camera's key, .* or add --unverified/],
  ["ls front --phrase-file p --access a --camera-key k", /"k" is no camera's key/],
  ["ls front --phrase-file p --access a --unverified --home h", /opens without --home/],
  ["status front back", /too many arguments for 'status'/],
  ["ota build --board qemu/malta", /required option '-o, --out <file>' not specified/],
  [
    "ota build --board nobody/none -o u",
    /there is no board "nobody\/none"; there are: .*qemu\/malta/,
  ],
  ["ota build --board qemu/malta --image debug -o u", /--image takes release or dev, not "debug"/],
  ["ota build --board qemu/malta --security-counter 0 -o u", /takes a whole number from 1 on/],
  ["ota sign u --key k --home h", /--key signs without the owner's keys; leave out --home/],
  ["ota roots --threshold 2", /to change the roots add --init or --rotate/],
  ["ota roots --init --rotate --threshold 2", /name one of --init, --rotate and --take/],
  ["ota roots --init --threshold 2", /--key PUBLIC_KEY for each/],
  ["ota roots --init --threshold 2 --key short", /"short" is no public key; it has 32 bytes in/],
  ["ota roots --rotate", /say what changes with --threshold, --key or/],
  ["send front dance", /"dance" is no command; there are ping, settings/],
  ["send front ping twice", /ping does not take "twice"/],
  ["send front log many", /log takes a whole number, not "many"/],
  ["send front log 100 --all", /--all goes with log alone, without bytes/],
  ["send front ping --all", /--all goes with log alone/],
  ["send front access", /name the access file/],
  ["send front settings segment_s", /segment_s=VALUE/],
  ["send front settings segment_s=4=5", /segment_s takes a whole number, not "4=5"/],
  ["send front settings flip=maybe", /flip takes on or off, not "maybe"/],
  ["send front settings constructor=1", /there is no setting "constructor"/],
  ["send front settings colour=on", /there is no setting "colour"; there are segment_s, /],
  ["pair Front --reserve", /"Front" cannot be a camera's name; use a-z/],
  ["pair front", /name the provisioning file to write with --out FILE/],
  ["pair front --out x.json", /say where the cloud is, with --access FILE or --cloud-state DIR/],
  [
    "pair front --out x.json --access a --cloud-state b",
    /--access or where --cloud-state says; name one/,
  ],
  ["pair front --reserve --out x.json", /--reserve does not take --out/],
  ["pair front --reserve --no-wait", /--reserve does not take --no-wait/],
  ["pair front --finish --access a", /--finish does not take --access/],
  ["pair front --finish --out x", /--finish does not take --out/],
  ["pair front --reserve --finish", /--reserve and --finish cannot both be meant/],
  ["pair front --retire --out x.json", /--retire does not take --out/],
  ["pair front --retire --since soon", /"soon" is not a time/],
  ["pair front --retire --since 2999-01-01", /--since must not be in the future/],
  ["pair front --reserve --since -1h", /--reserve does not take --since/],
  ["pair front --out x --access a --since -1h", /--since goes with --retire only/],
  ["help keys nothing", /unknown command 'nothing'; `npx --no ocellus keys --help` tells more/],
  ["help get front", /unknown command 'front'; `npx --no ocellus get --help` tells more/],
  ["run --variant fast", /Allowed choices are host, asan, mipsel/],
  ["keys init --no-recovery --phrase-out F", /--no-recovery makes no phrase/],
  ["keys restore --from F --access G", /--from or where --access says; name one of them/],
  ["selftest --footage x --out y --mem 38M", /--mem goes with --on qemu only/],
  ["selftest --footage x --out y --on qemu --variant mipsel", /--variant goes with --on host only/],
  ["get front --from -1m -o -", /an MP4 is written to a file, .*; name one with --out/],
  ["help send dance", /unknown command 'dance'; `npx --no ocellus send --help` tells more/],
  ["cloud --bind nonsense", /it takes an IP address/],
  ["cloud --name bad_name!", /it takes a host name or an IP address/],
  ["selftest --out x", /required option '--footage <file>' not specified/],
];

test(
  "wrong usage is told in one sentence, with status 2, before any keys are asked for",
  TWO,
  async (t) => {
    const each = WRONG.map(([args, sentence]) =>
      t.test(args, async () => {
        assertSentence(await ocellus(args.split(" "), NOWHERE), 2, sentence);
      }),
    );
    await Promise.all(each);
  },
);

test(
  "without keys every owner's command says how to make some, with status 1, and makes nothing",
  TWO,
  async (t) => {
    const needs = [
      "keys show",
      "keys rotate",
      "status",
      "ls front",
      "get front --from -1m -o x.mp4",
    ];
    const each = [...needs, "send front ping", "pair front --reserve"].map((args) =>
      t.test(args, async () => {
        const sentence =
          /no owner's keys in \/nonexistent\/ocellus; run `npx --no ocellus keys init`/;
        assertSentence(await ocellus(args.split(" "), NOWHERE), 1, sentence);
      }),
    );
    await Promise.all(each);
    assert.ok(!existsSync(NOWHERE.home));
  },
);

test("npx from a checkout gives the program its words, and nobody is told to type what npx keeps for itself", async () => {
  const npx = (...words: string[]) =>
    spawnSync("npx", ["--no", "ocellus", ...words], { cwd: checkout, encoding: "utf8" });
  const { status, stdout } = npx("version");
  assert.deepEqual([status, stdout.split("\n")[0]], [0, await version()]);
  assert.match(npx("get", "--help").stdout, /^Usage: npx --no ocellus get /);
  const readme = await readFile(join(checkout, "README.md"), "utf8");
  for (const text of [readme, await succeeds(["help"])]) {
    assert.doesNotMatch(text, /npx [^\n`]*ocellus (--version|-V|--help|-h)/);
  }
});

test("a boot and an interval exclude each other", TWO, async () => {
  for (const [flag, time] of [
    ["--from", "-1h"],
    ["--to", "now"],
  ]) {
    for (const command of [["ls"], ["get", "-o", "none.mp4"]]) {
      const ended = await ocellus([...command, "door", "--boot", "1", `${flag}=${time}`], NOWHERE);
      assertSentence(ended, 2, /--boot means all of that boot; leave --(from|to) out\./);
    }
  }
});

test(
  "a place that cannot be used is told in a sentence, and nothing is left there",
  TWO,
  async (t) => {
    const directory = await mkdtemp(join(tmpdir(), "ocellus-usage-"));
    t.after(() => rm(directory, { recursive: true }));
    const file = join(directory, "file");
    const phrase = join(directory, "phrase");
    await writeFile(file, "");
    const home = join(directory, "home");
    await succeeds(["keys", "init", "--home", home, "--phrase-out", join(directory, "kept")]);
    const cases: readonly (readonly [args: string, sentence: RegExp])[] = [
      [
        `selftest --footage x --out ${file}`,
        /file cannot be used: something else stands there; name /,
      ],
      [`run --state ${file}`, /file cannot be used: something else stands there; name /],
      [`run --state ${file}/x`, /cannot be used: a part of that path is a file, not a directory; /],
      [
        `keys backup --home ${home} --out ${directory}/no/x`,
        /no\/x: there is no such directory\.$/m,
      ],
      [
        `keys init --home ${home}2 --phrase-out ${directory}/no/x`,
        /there is no such directory\.$/m,
      ],
      [
        `keys show --home ${file}`,
        /cannot read .*: a part of that path is a file, not a directory\.$/m,
      ],
      [
        `keys init --home /proc/x --phrase-out ${phrase}`,
        /\/proc\/x: there is no such directory\.$/m,
      ],
    ];
    for (const [args, sentence] of cases) {
      await t.test(args, async () => assertSentence(await ocellus(args.split(" ")), 1, sentence));
    }
    assert.ok(!existsSync(phrase), "a phrase of keys that were never made");
  },
);

test(
  "a machine that does not know localhost is told so before anything is built",
  TWO,
  async (t) => {
    const directory = await mkdtemp(join(tmpdir(), "ocellus-usage-"));
    t.after(() => rm(directory, { recursive: true }));
    const env = { NODE_OPTIONS: NO_LOCALHOST };
    const clip = join(checkout, "README.md");
    for (const args of [
      ["run", "--on", "host", "--state", join(directory, "state")],
      ["selftest", "--footage", clip, "--out", join(directory, "out")],
      ["cloud", "--state", join(directory, "state")],
    ]) {
      const { status, stdout, stderr } = await ocellus(args, { env });
      assert.deepEqual([status, stdout], [1, ""], stderr);
      assert.match(stderr, ADD_LOCALHOST);
      assert.doesNotMatch(stderr, /^\s+at |building|preparing/m);
    }
  },
);

test("make run gives the clip's path on as it is, whatever is in it", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "ocellus-make-"));
  t.after(() => rm(directory, { recursive: true }));
  const node = join(directory, "node");
  await writeFile(node, `#!/bin/sh\nfor word; do printf '%s\\n' "$word"; done\n`, { mode: 0o755 });
  const make = (...words: string[]) => {
    const args = ["--no-print-directory", "run", `NODE=${node}`, ...words];
    return spawnSync("make", args, { cwd: checkout, encoding: "utf8" }).stdout.split("\n");
  };
  const started = ["scripts/setup/main.mjs", "run", "scripts/ocellus.mjs", "run"];
  assert.deepEqual(make(), [...started, ""]);
  assert.deepEqual(make("FOOTAGE="), [...started, ""]);
  for (const path of ["path with spaces.mp4", `a "quoted" 'one'.mp4`, "semi;colon `x`", "*"]) {
    assert.deepEqual(make(`FOOTAGE=${path}`), [...started, "--footage", path, ""]);
  }
});

test("selftest's help names every field of its report", async () => {
  const help = await succeeds(["selftest", "--help"]);
  const source = await readFile(join(checkout, "scripts/camera/report.ts"), "utf8");
  const compared = await readFile(join(checkout, "scripts/camera/compare.ts"), "utf8");
  const fieldsIn = (text: string, name: string) => {
    const [, body = ""] =
      new RegExp(`export interface ${name} .*\\{\\n([\\s\\S]*?)\\n\\}`).exec(text) ?? [];
    return [...body.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, field = ""]) => field);
  };
  const fields = [...fieldsIn(source, "Report"), ...fieldsIn(compared, "Comparison")];
  assert.ok(fields.length > 20);
  for (const field of fields) assert.match(help, new RegExp(`\\b${field}\\b`), field);
});
