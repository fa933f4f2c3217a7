/** Cases of the vectors in ocellus-camera: QuickJS and libsodium as they are on the camera. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { checkout, ensure } from "../../../../scripts/build/ensure.mjs";
import { AS_USER, Camera, program, scratch, type Variant } from "../../../host/support/camera.ts";
import type { Case } from "../make/world.ts";

/** What it makes of each case. */
export async function inEngine(
  t: TestContext,
  variant: Variant,
  cases: readonly Case[],
): Promise<string[]> {
  const directory = scratch(t);
  const bundle = join(directory, "agent.mjs");
  const stub = join(checkout, "agent/runtime/stubs/empty.cjs");
  const made = await build({
    absWorkingDir: checkout,
    entryPoints: [fileURLToPath(new URL("entry.ts", import.meta.url))],
    bundle: true,
    write: false,
    platform: "neutral",
    format: "esm",
    target: "es2023",
    mainFields: ["module", "main"],
    nodePaths: [join(checkout, "node_modules")],
    alias: { "#proto": join(await ensure("proto"), "index.js"), long: stub },
    inject: ["agent/runtime/stubs/buffer.js"],
    define: { global: "globalThis" },
    banner: { js: `const CASES = ${JSON.stringify(cases)};` },
  });
  writeFileSync(bundle, made.outputFiles[0]?.contents ?? "");
  const state = join(directory, "state");
  const camera = new Camera(
    [
      ...(await program(variant)),
      ...["--bundle", bundle, "--state", state, ...AS_USER],
      // All of it is one turn, and slow where instructions are emulated.
      ...["--door", join(directory, "no-door"), "--turn-ms", "120000"],
    ],
    state,
  );
  t.after(() => camera.stop());
  await camera.ended(0);
  return camera.result<string[]>("verdicts");
}
