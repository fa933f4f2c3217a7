/**
 * Writes test/agent/seal/vectors/*.json from fixed labels: `node --import tsx test/agent/seal/make-vectors.ts`.
 * The same files come out every time; vectors.test.ts fails where they differ from what this makes.
 */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { keysFile } from "./make/keys.ts";
import { liveFile } from "./make/live.ts";
import { prunedFile } from "./make/pruned.ts";
import { recordsFile } from "./make/records.ts";
import { segmentsFile } from "./make/segments.ts";
import { badSegmentsFile } from "./make/segments-bad.ts";

/** Every vector file by name. */
export function vectorFiles(): Record<string, unknown> {
  return {
    "keys.json": keysFile(),
    "segments.json": segmentsFile(),
    "segments-bad.json": badSegmentsFile(),
    "pruned.json": prunedFile(),
    "records.json": recordsFile(),
    "live.json": liveFile(),
  };
}

/** As it stands on disk. */
export function fileText(content: unknown): string {
  return `${JSON.stringify(content, null, 1)}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [name, content] of Object.entries(vectorFiles()))
    writeFileSync(new URL(`vectors/${name}`, import.meta.url), fileText(content));
}
