/** A first `make` that is killed in the middle: the next one goes on from there. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { FirstRun, type Run } from "./support/first-run.ts";

interface Stage {
  /** The Debian packages are there already, so that it gets so far. */
  readonly debian: boolean;
  stall(machine: FirstRun): void;
  isReached(machine: FirstRun): boolean;
  goOn(machine: FirstRun): void;
  /** What was done in both runs together. */
  readonly apt: readonly string[];
  readonly packageFetched: number;
}

const STAGES: Record<string, Stage> = {
  "apt installs": {
    debian: false,
    stall: (machine) => {
      machine.aptStalls = true;
    },
    isReached: ({ aptRuns }) => aptRuns.length > 0,
    goOn: (machine) => {
      machine.aptStalls = false;
    },
    apt: ["install", "configure", "install"],
    packageFetched: 1,
  },
  "npm fetches a package": {
    debian: true,
    stall: ({ registry }) => {
      registry.stalled = true;
    },
    isReached: ({ registry }) => registry.archivesAsked > 0,
    goOn: ({ registry }) => {
      registry.stalled = false;
    },
    apt: [],
    packageFetched: 2,
  },
  "a source is downloaded": {
    debian: true,
    stall: ({ mirror }) => mirror.stalled.add(".tar.xz"),
    isReached: ({ mirror }) => mirror.asked.some((path) => path.endsWith(".tar.xz")),
    goOn: ({ mirror }) => mirror.stalled.clear(),
    apt: [],
    // What was finished before is not done again.
    packageFetched: 1,
  },
};

const ENDS: Record<string, (run: Run) => void> = {
  "by Ctrl-C": (run) => run.killAll("SIGINT"),
  "with all that it started": (run) => run.killAll("SIGKILL"),
};

/** What it started lives on for a while. apt, which holds a lock of its own, is waited for by the next one. */
const ALONE = (run: Run) => {
  run.child.kill("SIGTERM");
};

async function killed(machine: FirstRun, stage: Stage, end: (run: Run) => void): Promise<void> {
  stage.stall(machine);
  const run = machine.start("make", ["setup"]);
  const deadline_ms = Date.now() + 60_000;
  while (!stage.isReached(machine)) {
    assert.ok(Date.now() < deadline_ms, "it did not come so far");
    await sleep(20);
  }
  end(run);
  assert.notEqual((await run.ended).status, 0);
  stage.goOn(machine);
}

for (const [when, stage] of Object.entries(STAGES)) {
  const ends = { ...ENDS, ...(stage.debian ? { alone: ALONE } : {}) };
  for (const [how, end] of Object.entries(ends))
    test(`a first run that is killed while ${when} (${how}) goes on the next time`, async (t) => {
      const machine = await FirstRun.make(t, stage);
      await killed(machine, stage, end);
      const { status, stderr } = await machine.setUp();
      assert.equal(status, 0, stderr);
      const build = (path: string) => join(machine.root, "build", path);
      assert.equal(readFileSync(build("native-mipsel/made"), "utf8"), "native-mipsel");
      assert.ok(existsSync(join(machine.root, "node_modules/sample/content")));
      assert.deepEqual(machine.aptRuns, stage.apt);
      assert.equal(machine.registry.archivesAsked, stage.packageFetched);
      const cache = join(machine.cacheHome, "ocellus");
      assert.deepEqual(readdirSync(join(cache, "work")), []);
      assert.equal(existsSync(machine.place("policy")), false);
      // And the one after finds everything done.
      const asked = machine.mirror.asked.length;
      assert.equal((await machine.setUp()).stderr, "");
      assert.deepEqual([machine.mirror.asked.length, machine.aptRuns], [asked, stage.apt]);
    });
}
