/** What makes a proof fail; the proofs themselves take minutes and run by `make proof`. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Problem } from "../../scripts/build/problem.mjs";
import type { Report } from "../../scripts/camera/report.ts";
import { judge } from "./changing-clip.ts";
import { chosen, type Proof, prove } from "./proof.ts";

const GOOD: Report = {
  ...{ on: "host", variant: "host", transcoded: false, duration_s: 120, build: "0" },
  ...{ frames_in: 3_000, frames_out: 3_000, frames_identical: 3_000, parameter_sets_equal: true },
  ...{ segments: 31, bytes_video: 60e6, bytes_sealed: 60.1e6, sealing_overhead_percent: 0.17 },
  ...{ first_segment_s: 3, rss_kb: 9_000, rss_peak_kb: 9_500, heap_kb: 1_500 },
  ...{ listening_sockets: 0, listening: [], unprivileged: true },
  ...{ restarts: 0, frames_lost: 0, gaps: 0 },
};

const BAD: Record<string, Partial<Report>> = {
  "a frame that came back as another": { frames_identical: 2_999 },
  "a frame that did not come back": { frames_out: 2_999, frames_identical: 2_999 },
  "a clip that is too short": { frames_in: 2_975, frames_out: 2_975, frames_identical: 2_975 },
  "other parameter sets": { parameter_sets_equal: false },
  "a clip that was transcoded": { transcoded: true },
  "lost frames": { frames_lost: 1 },
  "a gap": { gaps: 1 },
  "a listening socket": { listening_sockets: 1 },
  "an agent with root's rights": { unprivileged: false },
  "a restart": { restarts: 1 },
  "fewer bits than were meant": { bytes_video: 30e6 },
};

test("a good report shows it", () => assert.equal(judge(GOOD), null));

for (const [what, over] of Object.entries(BAD)) {
  test(`${what} shows nothing`, () => {
    assert.match(judge({ ...GOOD, ...over }) ?? "", /^[a-z0-9].*\.$/);
  });
}

test("a proof that fails is told, the others run, and each gets an empty folder of its own", async (t) => {
  const out = mkdtempSync(join(tmpdir(), "ocellus-proof-"));
  t.after(() => rmSync(out, { recursive: true, force: true }));
  const found: string[][] = [];
  const proof = (name: string, fault: string | null): Proof => ({
    ...{ name, shows: "something", minutes: 1 },
    async run(directory) {
      found.push(readdirSync(directory));
      writeFileSync(join(directory, "report.json"), "{}");
      if (fault === "throws") throw new Error("it broke.");
      return { fault, measured: "3 of 3" };
    },
  });
  const proofs = [proof("a", "one is missing."), proof("b", "throws"), proof("c", null)];
  const told: string[] = [];
  assert.equal(await prove(proofs, out, (line) => told.push(line)), false);
  assert.deepEqual(told.slice(0, 3), [
    ...["a: something (about 1 minutes)", "  3 of 3", "  NOT SHOWN: one is missing."],
  ]);
  assert.equal(told[4], "  NOT SHOWN: it broke.");
  assert.equal(told.at(-1), "  shown");
  assert.equal(await prove(chosen(proofs, ["c"]), out, () => undefined), true);
  assert.deepEqual(found, [[], [], [], []]);
  assert.throws(
    () => chosen(proofs, ["d"]),
    new Problem("there is no proof d; there are: a, b, c."),
  );
});
