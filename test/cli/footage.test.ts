/** `ocellus ls` and `get`: the real program on the footage of a real camera in the real store. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { toHex } from "../../agent/identity/encoding.ts";
import { cameraPrefix } from "../../agent/seal/names.ts";
import type { Fault, RequestInfo } from "../../scripts/cloud/store/faults.ts";
import { makePhrase } from "../../scripts/owner/phrase.ts";
import { openStore } from "../../scripts/owner/store.ts";
import { withWorld } from "../e2e/support/world.ts";
import { packets } from "../owner/support/ffmpeg.ts";
import { assertSentence, fieldsOf, json, ocellus, start, succeeds } from "./support/ocellus.ts";
import { until } from "./support/until.ts";

const SEGMENTS = 3;

/** What ffprobe complains of, and how long it finds the video, seconds. */
function probe(file: string): { complaint: string; length_s: number } {
  const show = ["-show_entries", "format=duration", "-of", "csv=p=0", "-count_frames", file];
  const { stdout, stderr } = spawnSync("ffprobe", ["-v", "error", ...show], { encoding: "utf8" });
  return { complaint: stderr, length_s: Number(stdout) };
}

test("footage of a camera that records", { timeout: 900_000 }, async (t) => {
  await withWorld({}, async (world) => {
    const { directory, store, camera, cloud, host } = world;
    const options = { home: store.home, env: { XDG_CACHE_HOME: join(directory, "cache") } };
    const out = join(directory, "out");
    await mkdir(out);
    const file = join(out, "footage.mp4");
    const ls = async (...words: string[]) =>
      Object(await json(["ls", "camera", ...words], options));
    const get = (...words: string[]) => ocellus(["get", "camera", "-o", file, ...words], options);
    const during = async <T>(fault: (request: RequestInfo) => Fault | undefined, use: () => T) => {
      cloud.store.faults = fault;
      try {
        return await use();
      } finally {
        cloud.store.faults = undefined;
      }
    };
    let listed = await ls();
    await until("some segments", async () => {
      listed = await ls("--from", "-2m", "--to", "now");
      return listed.segments.length >= SEGMENTS;
    });
    const [recording] = listed.recordings;
    const [first, second] = listed.segments;
    /** Whether a request is for the second segment itself: its head is kept since it was listed. */
    const forSecond = ({ method, key }: RequestInfo) => method === "GET" && key === second.object;
    const noFile = async () => assert.deepEqual(await readdir(out), []);

    await t.test(
      "ls lists stretches and segments, in words and as JSON with its fields",
      async () => {
        assert.deepEqual(fieldsOf(listed), [
          ...[
            "name",
            "camera",
            "verified",
            "recordings",
            "recordings[].boot",
            "recordings[].time_known",
          ],
          ...["recordings[].start", "recordings[].start_us", "recordings[].end"],
          ...["recordings[].end_us", "recordings[].segments", "recordings[].bytes"],
          ...["segments", "segments[].object", "segments[].boot", "segments[].seq"],
          ...["segments[].time_known", "segments[].start", "segments[].start_us"],
          ...["segments[].duration_us", "segments[].bytes", "segments[].width"],
          ...["segments[].height", "segments[].frames_lost_before"],
          ...["segments[].missing_before", "segments[].event", "refused", "notes"],
        ]);
        assert.deepEqual([listed.name, listed.camera], ["camera", toHex(camera.id)]);
        assert.equal(recording.segments, listed.segments.length);
        const stretch = await succeeds(["ls", "camera"], options);
        assert.match(stretch, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d – .* \d+ segments {2}/);
        const rows = (await succeeds(["ls", "camera", "--segments"], options)).trim().split("\n");
        assert.ok(rows.length >= SEGMENTS);
        for (const row of rows) assert.match(row, / boot 1 {2}segment \d+$/);
      },
    );

    await t.test(
      "an interval in ISO times is the segments it touches; an empty one is none",
      async () => {
        const inside = await ls("--from", first.start, "--to", second.start);
        assert.deepEqual(
          inside.segments.map(({ object }: { object: string }) => object),
          [first.object],
        );
        for (const to of ["2020-01-01T00:00:10Z", "+10s"]) {
          const none = await ls("--from", "2020-01-01T00:00:00Z", "--to", to);
          assert.deepEqual([none.recordings, none.segments, none.refused], [[], [], []]);
        }
        const ahead = ["ls", "camera", "--from", "now", "--to", "2099-01-01"];
        assert.match(await succeeds([...ahead, "--stream", "1"], options), /^No footage/);
      },
    );

    await t.test(
      "get writes an MP4 that ffprobe finds faultless, and says what is in it",
      async () => {
        const { status, stdout, stderr } = await get("--from", "-2m", "--to", "now");
        assert.deepEqual([status, stderr], [0, ""]);
        assert.match(stdout, /^.*footage\.mp4: .* frames, .*\nAll \d+ segments are verified/);
        const whole = probe(file);
        assert.equal(whole.complaint, "");
        assert.ok(whole.length_s > 2 * SEGMENTS, `${whole.length_s} s`);
        const between = ["--from", first.start, "--to", second.start, "--json"];
        // Replaces what stands there.
        const told = Object(JSON.parse((await get(...between)).stdout));
        const { file: named, segments, duration_us, file_bytes } = told;
        assert.deepEqual([named, segments, told.name], [file, 1, "camera"]);
        const part = probe(file);
        assert.equal(part.complaint, "");
        assert.ok(Math.abs(part.length_s - duration_us / 1e6) < 0.1, `${part.length_s}`);
        assert.equal((await stat(file)).size, file_bytes);
        // It was sealed to be seen by its owner alone.
        assert.equal((await stat(file)).mode & 0o777, 0o600);
        assert.deepEqual(await readdir(out), ["footage.mp4"]);
      },
    );

    await t.test(
      "what is there stays when nothing can be fetched, and a link is followed",
      async () => {
        await writeFile(file, "before");
        const none = await get("--from", "2020-01-01", "--to", "+1d");
        assertSentence(
          none,
          1,
          /no footage in this interval; `npx --no ocellus ls` shows what there is/,
        );
        assert.equal(await readFile(file, "utf8"), "before");
        const link = join(directory, "link.mp4");
        await symlink(file, link);
        await succeeds(["get", "camera", "--boot", "1", "-o", link], options);
        assert.equal(probe(file).complaint, "");
        await rm(file);
      },
    );

    await t.test(
      "a place that cannot hold the file is told before anything is fetched",
      async () => {
        const asked = cloud.store.log.entries.length;
        const pipe = join(directory, "pipe");
        assert.equal(spawnSync("mkfifo", [pipe]).status, 0);
        const places: readonly [path: string, sentence: RegExp][] = [
          // Stands for /dev/null, which root could replace for the whole machine.
          [pipe, /pipe is not a file; name the MP4/],
          [out, /out is not a file/],
          [join(out, "none/x.mp4"), /there is no directory .*none; make it, or name another/],
          ["/proc/x.mp4", /cannot write \/proc\/x\.mp4: E[A-Z]+: [a-z ]+\./],
        ];
        for (const [path, sentence] of places) {
          const ended = await ocellus(["get", "camera", "--from", "-1m", "-o", path], options);
          assertSentence(ended, 1, sentence);
        }
        assert.ok((await stat(pipe)).isFIFO());
        const gets = cloud.store.log.entries.slice(asked).filter(({ method }) => method === "GET");
        assert.deepEqual(gets, []);
        await noFile();
      },
    );

    await t.test(
      "an altered segment is refused; told so, get leaves it out and still ends with 1",
      async () => {
        const alter = (request: RequestInfo): Fault | undefined =>
          forSecond(request) ? { alterReply: flipped } : undefined;
        const span = ["--from", first.start, "--to", "+9s"];
        const refused = await during(alter, () => get(...span));
        assertSentence(refused, 1, /is refused: it was altered after the camera sealed it\./);
        await noFile();
        const rest = await during(alter, () => get(...span, "--without-refused"));
        assert.equal(rest.status, 1);
        assert.match(rest.stderr, /^ocellus: [^\n]*is refused[^\n]*\n$/);
        assert.equal(probe(file).complaint, "");
        await rm(file);
      },
    );

    await t.test(
      "objects that are no footage are told, with 0; a forged segment is refused, with 1",
      async () => {
        const span = ["--from", first.start, "--to", "+9s"];
        const prefix = cameraPrefix(cloud.tenant, camera.id);
        const junk = [`${prefix}boot/0000000001-${"0".repeat(32)}`, `${first.object}0`];
        const asOwner = openStore((await cloud.owner()).store);
        const put = (object: string) => asOwner.putNew(object, new Uint8Array(9));
        try {
          for (const object of junk) assert.equal(await put(object), "put");
          const told = `${junk.map((object) => `ocellus: ${object} is refused: [^\\n]+\\n`).join("")}`;
          const beside = await ocellus(["ls", "camera", ...span], options);
          assert.equal(beside.status, 0);
          assert.match(beside.stderr, new RegExp(`^${told}$`));
          assert.deepEqual(
            (await ls(...span)).refused.map(({ object, footage }: Record<string, unknown>) => [
              object,
              footage,
            ]),
            junk.map((object) => [object, false]),
          );
          const fetched = await get(...span);
          assert.equal(fetched.status, 0);
          assert.match(fetched.stderr, new RegExp(`^${told}$`));
          await rm(file);

          const forged = first.object.replace(/-.*$/, `-${"f".repeat(32)}`);
          junk.push(forged);
          assert.equal(await put(forged), "put");
          const listed = await ocellus(["ls", "camera", "--json", ...span], options);
          assert.equal(listed.status, 1);
          const last = Object(JSON.parse(listed.stdout)).refused.at(-1);
          assert.deepEqual(last, { object: forged, reason: "too-short", footage: true });
          assertSentence(await get(...span), 1, /is refused: it was cut/);
          await noFile();
        } finally {
          for (const object of junk) await asOwner.remove(object);
          asOwner.close();
        }
      },
    );

    await t.test("what is not in the store is told as that, and as nothing worse", async () => {
      const asOwner = openStore((await cloud.owner()).store);
      const bytes = (await asOwner.get(second.object)) ?? assert.fail();
      await asOwner.remove(second.object);
      try {
        const span = ["--from", first.start, "--to", "+11s"];
        const sentence =
          /^1 segment or more is not in the store: dropped by the camera, yet to be uploaded, expired by its rules, deleted or withheld\./m;
        assert.match(await succeeds(["ls", "camera", ...span], options), sentence);
        const rows = await succeeds(["ls", "camera", "--segments", ...span], options);
        assert.match(rows, / {2}segment 2 {2}1 before it not in the store$/m);
        const { status, stdout } = await get(...span);
        assert.equal(status, 0);
        assert.match(stdout, sentence);
        await rm(file);
        // An interval that the hole covers all of, and one that ends in it.
        const inside = ["--from", new Date(second.start_us / 1000 + 500).toISOString()];
        const hole =
          /1 segment or more is not in the store[^\n]*\nOf boot 1, nothing between .* is in the store\.$/m;
        const covered = await succeeds(["ls", "camera", ...inside, "--to", "+1s"], options);
        assert.match(covered, /^No footage in this interval\. /);
        assert.match(covered, hole);
        assertSentence(await get(...inside, "--to", "+1s"), 1, /no footage .* Of boot 1, nothing/);
        const cut = await get("--from", first.start, "--to", second.start, "--json");
        assert.equal(Object(JSON.parse(cut.stdout)).missing, 0);
        const half = new Date(second.start_us / 1000 + 1000).toISOString();
        const tail = await get("--from", first.start, "--to", half, "--json");
        const { missing, notes } = Object(JSON.parse(tail.stdout));
        assert.deepEqual([missing, notes[0].note, notes[0].segments], [1, "missing", 1]);
        await rm(file);
      } finally {
        assert.equal(await asOwner.putNew(second.object, bytes), "put");
        asOwner.close();
      }
    });

    await t.test("a boot whose record is gone is found at its times all the same", async () => {
      const asOwner = openStore((await cloud.owner()).store);
      const records = await asOwner.list(`${cameraPrefix(cloud.tenant, camera.id)}boot/`);
      assert.equal(records.length, 1);
      const [{ name }] = [records[0] ?? assert.fail()];
      const bytes = (await asOwner.get(name)) ?? assert.fail();
      await asOwner.remove(name);
      try {
        const inside = await ls("--from", first.start, "--to", second.start);
        const [found] = inside.segments;
        assert.deepEqual([found.object, inside.notes], [first.object, []]);
        assert.ok(Math.abs(found.start_us - first.start_us) < 1e6, found.start);
      } finally {
        assert.equal(await asOwner.putNew(name, bytes), "put");
        asOwner.close();
      }
    });

    await t.test("Ctrl-C in the middle of get leaves no file and no process", async () => {
      let waits = false;
      const hang = (request: RequestInfo): Fault | undefined => {
        if (!forSecond(request)) return undefined;
        waits = true;
        return { delay_ms: 20_000 };
      };
      await during(hang, async () => {
        const fetching = start(["get", "camera", "--from", first.start, "-o", file], options);
        await until("get is in the middle", () => waits);
        fetching.child.kill("SIGINT");
        const { status, stdout, stderr } = await fetching.ended;
        assert.deepEqual([status, stdout, stderr], [130, "", "ocellus: interrupted.\n"]);
        await noFile();
      });
    });

    await t.test(
      "footage from before the agent started again is found, and stands once",
      async () => {
        const begun = new Date().toISOString();
        let both = await ls("--from", first.start);
        for (let starts = 0; starts < 2; starts++) {
          const before: number = both.segments.at(-1)?.boot;
          await host.stopAgent();
          await host.startAgent();
          // Stopped at once, it would not even have counted its boot.
          await until("footage that only the new boot has", async () => {
            both = await ls("--from", first.start);
            return both.segments.at(-1)?.boot > before;
          });
        }
        assert.equal(both.segments[0].object, first.object);
        const before = await ls("--from", first.start, "--to", begun);
        assert.equal(before.segments[0]?.object, first.object);
        const spans: { start_us: number; end_us: number }[] = both.recordings;
        for (const [i, { start_us }] of spans.entries()) {
          assert.ok(start_us >= (spans[i - 1]?.end_us ?? 0) - 1e3, JSON.stringify(spans));
        }
        const fetched = await get("--from", first.start, "--to", "now", "--json");
        assert.equal(fetched.status, 0, fetched.stderr);
        const { frames, duration_us } = Object(JSON.parse(fetched.stdout));
        const times = (await packets(file)).map(({ time_s }) => time_s);
        assert.equal(times.length, frames);
        assert.ok(times.every((time_s, i) => i === 0 || time_s > (times[i - 1] ?? 0)));
        assert.ok(Math.abs(probe(file).length_s - duration_us / 1e6) < 0.1);
        await rm(file);
      },
    );

    await t.test("an owner with other keys and the same access opens nothing", async () => {
      const other = join(directory, "other");
      await succeeds(["keys", "init", "--no-recovery", "--home", other]);
      const [mine, theirs] = await Promise.all(
        [store.home, other].map(async (home) =>
          Object(JSON.parse(await readFile(join(home, "owner.json"), "utf8"))),
        ),
      );
      const { access, cameras } = mine.owner;
      const pretend = async (owner: object, sentence: RegExp) => {
        await writeFile(join(other, "owner.json"), JSON.stringify({ ...theirs, owner }));
        const args = ["get", "camera", "--from", "-2m", "-o", file];
        assertSentence(await ocellus(args, { ...options, home: other }), 1, sentence);
        await noFile();
      };
      await pretend({ ...theirs.owner, access }, /no camera "camera"; pair one/);
      await pretend({ ...theirs.owner, access, cameras }, /is not what your root key signed/);
      const { vaults } = theirs.owner;
      await pretend({ ...mine.owner, vaults }, /is refused: it was not sealed to your keys/);
    });

    await t.test("the recovery phrase alone opens footage, without keys and backup", async () => {
      const owner = Object(
        JSON.parse(await readFile(join(store.home, "owner.json"), "utf8")),
      ).owner;
      const access = join(directory, "access.json");
      const told = { format: "ocellus-access-1", tenant: cloud.tenant, owner: owner.access };
      await writeFile(access, JSON.stringify(told), { mode: 0o600 });
      const id = toHex(camera.id);
      const [shown] = Object(await json(["keys", "show"], options)).cameras;
      const nowhere = { ...options, home: "/nonexistent/ocellus" };
      const phrase = ["--phrase-file", join(store.home, "recovery-phrase.txt"), "--access", access];
      const key = ["--camera-key", shown.signing_key];
      const span = ["--from", first.start, "--to", second.start];
      const open = (...words: string[]) =>
        ocellus(["get", id, "-o", file, ...span, ...words], nowhere);

      const whole = await succeeds(["get", "camera", "-o", file, ...span], options);
      const bytes = await readFile(file);
      assert.match(whole, /^All \d+ segments are verified/m);
      await rm(file);
      const proven = await open(...phrase, ...key);
      assert.deepEqual([proven.status, proven.stderr], [0, ""]);
      assert.equal(proven.stdout, whole);
      assert.deepEqual(await readFile(file), bytes);
      await rm(file);
      const list = Object(await json(["ls", id, ...span, ...phrase, ...key], nowhere));
      assert.deepEqual([list.verified, list.segments[0].object], [true, first.object]);

      const believed = await open(...phrase, "--unverified");
      assert.equal(believed.status, 0, believed.stderr);
      assert.match(
        believed.stderr,
        /^ocellus: warning: no signature is checked, so nothing proves /,
      );
      assert.match(believed.stdout, /^None of the \d+ segments is proven to be the camera's/m);
      assert.doesNotMatch(believed.stdout, /are verified/);
      assert.deepEqual(await readFile(file), bytes);
      await rm(file);

      // Another's key proves nothing, without a signature all else is still checked, and another phrase opens nothing.
      const other = ["--camera-key", Buffer.alloc(32, 9).toString("base64")];
      assertSentence(
        await open(...phrase, ...other),
        1,
        /is refused.*was not signed by this camera/,
      );
      const alter = ({ method, key }: RequestInfo): Fault | undefined =>
        method === "GET" && key === first.object ? { alterReply: flipped } : undefined;
      const altered = await during(alter, () => open(...phrase, "--unverified"));
      assert.equal(altered.status, 1);
      assert.match(altered.stderr, /is refused: it was altered after the camera sealed it\./);
      const words = join(directory, "other-phrase.txt");
      await writeFile(words, makePhrase(), { mode: 0o600 });
      const foreign = await open("--phrase-file", words, "--access", access, ...key);
      assertSentence(foreign, 1, /it was not sealed to your keys/);
      const named = await ocellus(["ls", "camera", ...phrase, ...key], nowhere);
      assertSentence(named, 1, new RegExp(`has no name such as "camera"; say its id .*: ${id}\\.`));
      await noFile();
    });

    await t.test("a store that refuses, or is away, is told in a sentence", async () => {
      const deny = (): Fault => ({ reply: { status: 403, code: "AccessDenied" } });
      const denied = await during(deny, () => ocellus(["ls", "camera"], options));
      assertSentence(denied, 1, /refuses these credentials \(AccessDenied\)/);
      await cloud.store.stop();
      assertSentence(await get("--from", "-1m"), 1, /cannot be reached \(ECONNREFUSED\)/);
      await noFile();
    });
  });
});

/** The same length, with the last byte of each piece another. */
function flipped(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt8((copy.at(-1) ?? 0) ^ 1, copy.length - 1);
  return copy;
}
