/** `ocellus status`, `send`, `pair` and the keys of an owner with a camera: the real program, cloud and camera. */
import assert from "node:assert/strict";
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { CloudAccess } from "../../scripts/cloud/access.ts";
import { accessJson } from "../../scripts/owner/access.ts";
import { withWorld } from "../e2e/support/world.ts";
import {
  assertSentence,
  type Ended,
  fieldsOf,
  json,
  ocellus,
  type RunOptions,
  start,
  succeeds,
} from "./support/ocellus.ts";
import { until } from "./support/until.ts";

/** A field of what JSON gave, by its path. */
function field(value: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((inner, name) => Object(inner)[name], value);
}

test("an owner and a camera that runs, then stops", { timeout: 900_000 }, async (t) => {
  await withWorld({}, async ({ directory, store, host, cloud }) => {
    const options: RunOptions = { home: store.home };
    const run = (words: string): Promise<Ended> => ocellus(words.split(" "), options);
    const told = (words: string): Promise<unknown> => json(words.split(" "), options);
    const place = (name: string) => join(directory, name);
    const ownerFile = () => readFile(join(store.home, "owner.json"), "utf8");

    await t.test("status tells how it is, in words and as JSON with its fields", async () => {
      const text = await succeeds(["status"], options);
      assert.match(text, /^camera {2}connected\n/);
      for (const row of ["time", "up", "capture", "upload", "footage", "queue", "memory"]) {
        assert.match(text, new RegExp(`^ {2}${row} +\\S`, "m"));
      }
      const one = await told("status camera");
      assert.deepEqual(field(one, "length"), 1);
      assert.deepEqual(fieldsOf(field(one, 0)).slice(0, 4), [
        ...["name", "camera", "connected", "status"],
      ]);
      const status = field(one, 0, "status");
      for (const name of ["boot", "seq", "time", "stages[].cause", "streams[].pending"]) {
        assert.ok(fieldsOf(status).includes(name), name);
      }
      assert.equal(field(status, "pairing"), "paired");
      const id = field(one, 0, "camera");
      assert.equal(field(await told(`status ${id}`), 0, "name"), "camera");
    });

    await t.test("a camera that there is not is told with those that there are", async () => {
      for (const words of ["status nobody", "ls nobody"]) {
        assertSentence(await run(words), 1, /no camera "nobody"; there are: camera\./);
      }
    });

    await t.test("send: ping, a setting, a bad one in the camera's words, its log", async () => {
      assert.match(
        await succeeds(["send", "camera", "ping"], options),
        /camera has done it \(ping/,
      );
      const pong = await told("send camera ping");
      assert.deepEqual(fieldsOf(pong), ["name", "camera", "command", "round_trip_ms"]);
      const set = await told("send camera settings segment_s=6 flip=on");
      assert.deepEqual(field(set, "settings", "segment_s"), 6);
      assert.deepEqual(field(set, "settings", "flip"), true);
      const back = await run("send camera settings segment_s=4 flip=off");
      assert.match(back.stdout, /^segment_s +4 seconds \(default\)\n/);
      const shown = await run("send camera settings");
      assert.equal(shown.stdout, back.stdout);
      assert.match(await succeeds(["status"], options), /^ {2}settings +flip off; all else /m);
      const bad = await run("send camera settings segment_s=99");
      assertSentence(bad, 1, /camera "camera" did not do it \(.+\): .*segment_s.* 4 .* 30/);
      const lines = (await succeeds(["send", "camera", "log"], options)).trimEnd().split("\n");
      const stamps = lines.map((line) => /^(.{19})\.\d{3} (info|warning|error) /.exec(line)?.[1]);
      for (const stamp of stamps) assert.match(stamp ?? "", /^\d{4}-\d\d-\d\d /, lines.join("\n"));
      // The newest is the one about this command, of just now.
      const age_ms = Date.now() - Date.parse(stamps.at(-1) ?? "");
      assert.ok(age_ms > -60_000 && age_ms < 3_600_000, `${age_ms}`);
      const raw = await told("send camera log 4096");
      assert.match(String(field(raw, "log")), /^\d+\.\d{6} /);
      assert.equal(typeof field(raw, "power_on_us"), "number");
      const all = String(field(await told("send camera log --all"), "log"));
      assert.match(all, /^\d+\.\d{6} /);
      assert.ok(all.includes(String(field(raw, "log"))), `${all}\n\nwithout\n${field(raw, "log")}`);
    });

    await t.test("send recipients: a list that is in force already is told so", async () => {
      const { status, stdout } = await run("send camera recipients");
      assert.deepEqual([status, stdout], [0, "camera has the newest recipients' list in force.\n"]);
    });

    await t.test("send access ends well only when broker and store have taken it", async () => {
      const id = String(field(await told("status"), 0, "camera"));
      const renewed = await cloud.rotateCamera({ camera: id });
      const file = place("renewed.json");
      const head = { format: "ocellus-access-1", tenant: cloud.tenant };
      const write = (camera: CloudAccess) =>
        writeFile(file, JSON.stringify({ ...head, camera: accessJson(camera) }), { mode: 0o600 });
      const send = () => ocellus(["send", "camera", "access", file], options);

      const { store: itsStore, broker: itsBroker } = renewed;
      const rejected = async (camera: CloudAccess, why: RegExp) => {
        await write(camera);
        const { status, stdout, stderr } = await send();
        assert.deepEqual([status, stdout], [1, ""], stderr);
        assert.match(stderr, /^ {2}camera "camera" has taken the access and is trying it\n/);
        assert.match(stderr, /\nocellus: the new access was rejected \(.*; the old access stays /);
        assert.match(stderr, why);
        assert.match(
          (await run("status")).stdout,
          /^ {2}access +the newest was rejected, .*: The /m,
        );
        assert.equal(field(await told("status"), 0, "status", "access", "state"), "rejected");
      };
      const secretAccessKey = "x".repeat(itsStore.secretAccessKey.length);
      await rejected(
        { ...renewed, store: { ...itsStore, secretAccessKey } },
        /secret key is wrong/,
      );
      const broker = { ...itsBroker, password: "wrong" };
      await rejected({ ...renewed, broker }, /broker (refuses|does not allow)/);

      await write(renewed);
      const { status, stdout, stderr } = await send();
      assert.equal(status, 0, stderr);
      assert.equal(stdout, "camera uses the new access: broker and store have taken it.\n");
      await cloud.retireCamera({ camera: id });
      await succeeds(["send", "camera", "ping"], options);
    });

    await t.test("send reboot gives another boot", async () => {
      const boot = Number(field(await told("status"), 0, "status", "boot"));
      assert.match((await run("send camera reboot")).stdout, /done it \(reboot/);
      await until("the next boot", async () => {
        const [now] = [field(await told("status"), 0)];
        return (
          Number(field(now, "status", "boot")) === boot + 1 && field(now, "connected") === true
        );
      });
    });

    await t.test(
      "keys rotate reaches the camera, and the store's backup has the new key",
      async () => {
        const rotated = await told("keys rotate");
        assert.deepEqual(
          [field(rotated, "vault_version"), field(rotated, "sent", 0, "trouble")],
          [2, null],
        );
        const sent = await run("keys recipients --send");
        assert.match(sent.stdout, /vault version 2[\s\S]*camera: has it/);
        const access = { format: "ocellus-access-1", tenant: "home", owner: {} };
        access.owner = Object(field(JSON.parse(await ownerFile()), "owner", "access"));
        await writeFile(place("access.json"), JSON.stringify(access), { mode: 0o600 });
        const phrase = join(store.home, "recovery-phrase.txt");
        const from = ["--access", place("access.json"), "--phrase-file", phrase];
        await succeeds(["keys", "restore", ...from], { home: place("restored") });
        const restored = await readFile(join(place("restored"), "owner.json"), "utf8");
        assert.equal(restored, await ownerFile());
      },
    );

    await t.test(
      "pair --reserve keeps a camera's id, and refuses names that are taken or bad",
      async () => {
        const first = await told("pair front --reserve");
        assert.deepEqual(fieldsOf(first), ["name", "camera", "tenant", "prefix"]);
        assert.deepEqual(await told("pair front --reserve"), first);
        assert.match(
          (await run("pair front --reserve")).stdout,
          /^Camera "front" has the id [0-9a-f]{32}/,
        );
        assertSentence(
          await run("pair camera --reserve"),
          1,
          /is paired already; choose another name/,
        );
        assert.match(
          (await run("pair Front --reserve")).stderr,
          /"Front" cannot be a camera's name/,
        );
        assertSentence(
          await run("status front"),
          1,
          /not paired yet; run `npx --no ocellus pair front --finish`/,
        );
        assert.match((await run("pair front")).stderr, /name the provisioning file .* --out FILE/);
      },
    );

    await t.test("pair --access says what is wrong with the file, and writes nothing", async () => {
      const { access } = Object(field(JSON.parse(await ownerFile()), "owner"));
      const whole = { format: "ocellus-access-1", tenant: "home", owner: access, camera: access };
      const { bucket: _, ...noBucket } = access.store;
      const files: readonly [contents: string, sentence: RegExp][] = [
        ["{", /access\.json is not JSON/],
        ["{}", /"format" must be "ocellus-access-1"/],
        [
          JSON.stringify({ ...whole, tenant: "else" }),
          /for tenant else, but these keys are for home/,
        ],
        [JSON.stringify({ ...whole, camera: undefined }), /"camera" is missing/],
        [JSON.stringify({ ...whole, spare: 1 }), /unknown field "spare"/],
        [JSON.stringify({ ...whole, camera: { ...access, store: noBucket } }), /"camera".*bucket/],
      ];
      const out = place("provision.json");
      const pair = ["pair", "front", "--access", place("access.json"), "--out", out];
      for (const [contents, sentence] of files) {
        await writeFile(place("access.json"), contents);
        assertSentence(await ocellus(pair, options), 1, sentence);
      }
      const none = await run("pair front --access /nonexistent.json --out x");
      assertSentence(none, 1, /there is no file \/nonexistent\.json/);
      await assert.rejects(stat(out), /ENOENT/);
    });

    await t.test("once it has stopped, status says so, and a command gets no answer", async () => {
      await host.stop();
      const away = 'camera "camera" is not connected, says the broker; waiting for it all the same';
      const left = start(["send", "camera", "ping"], options);
      const interrupted = start(["send", "camera", "ping"], options);
      const text = await succeeds(["status"], options);
      assert.match(text, /^camera {2}not connected, this is what it said at \d{4}-/);
      assert.equal(field(await told("status"), 0, "connected"), false);
      await interrupted.says(/waiting for it all the same/);
      interrupted.child.kill("SIGINT");
      const { status, stdout, stderr } = await interrupted.ended;
      assert.deepEqual([status, stdout, stderr], [130, "", `  ${away}\nocellus: interrupted.\n`]);
      const missed = await left.ended;
      assert.equal(missed.status, 1);
      const sentence = 'ocellus: camera "camera" did not answer: it is not connected';
      assert.ok(missed.stderr.startsWith(`  ${away}\n${sentence}`), missed.stderr);
    });

    await t.test("a home that cannot be read is told in a sentence", async () => {
      await writeFile(place("file"), "");
      const home = ["--home", join(place("file"), "home")];
      assertSentence(await ocellus(["status", ...home], options), 1, /cannot read .*owner\.json/);
      await mkdir(place("damaged"));
      await writeFile(join(place("damaged"), "owner.json"), "{}");
      const damaged = await ocellus(["keys", "show", "--home", place("damaged")], options);
      assertSentence(damaged, 1, /is not an owner's state of this version/);
    });
  });
});
