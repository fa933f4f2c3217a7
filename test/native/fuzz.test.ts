/**
 * Fuzzing for OCELLUS_FUZZ_SECONDS a target (default 20), from the kept corpus on. An input that
 * breaks something is printed in hexadecimal; once mended it belongs into the corpus.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { ensure } from "../../scripts/build/ensure.mjs";
import { SANITIZERS, scratch } from "./support/programs.ts";

const SECONDS = Number(process.env.OCELLUS_FUZZ_SECONDS ?? "20");
const CORPUS = fileURLToPath(new URL("../../native/fuzz/corpus", import.meta.url));

for (const target of ["ring", "nal", "sps", "host_segment"]) {
  test(`${target} keeps its promises on any bytes`, async (t) => {
    const directory = scratch(t);
    const found = join(directory, "found");
    mkdirSync(found);
    const corpus = join(CORPUS, target);
    const kept = readdirSync(corpus).length;
    assert.ok(kept > 50, "the corpus is there");
    const seed = 1 + Math.floor(Math.random() * 0x7ffffffe);
    t.diagnostic(`seed ${seed}, ${kept} kept inputs`);

    // Its first corpus directory is the one libFuzzer writes to.
    const args = [`-max_total_time=${SECONDS}`, `-seed=${seed}`, "-max_len=2048"];
    args.push(`-artifact_prefix=${directory}/`, "-print_final_stats=1", found, corpus);
    const program = join(await ensure("native-asan"), "fuzz", target);
    const env = { ...process.env, ...SANITIZERS };
    const child = spawn(program, args, { env, stdio: ["ignore", "ignore", "pipe"] });
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    const [code] = await once(child, "close");
    for (const name of readdirSync(directory).filter((each) => each !== "found")) {
      t.diagnostic(`${name}: ${readFileSync(join(directory, name)).toString("hex")}`);
    }
    assert.equal(code, 0, `seed ${seed}\n${stderr.slice(-4000)}`);
    const runs = Number(/number_of_executed_units: (\d+)/.exec(stderr)?.[1]);
    t.diagnostic(`${runs} runs`);
    assert.ok(runs > kept, "it went beyond the corpus");
  });
}
