/** The simulator with a fault put into what it runs. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build, type Plugin } from "esbuild";
import { checkout } from "../../../scripts/build/ensure.mjs";

/** A text that stands once in a file of the checkout, and what stands there instead. */
export interface Edit {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

export type Walks = typeof import("./walks.ts");

/** Loads walks.ts, and all that it imports, with these edits. Throws where a text is not there, or twice. */
export async function mutant(edits: readonly Edit[]): Promise<Walks> {
  const left = new Set(edits);
  const edited: Plugin = {
    name: "edited",
    setup({ onLoad }) {
      onLoad({ filter: /\.ts$/ }, ({ path }) => {
        let contents = readFileSync(path, "utf8");
        for (const edit of edits) {
          if (path !== join(checkout, edit.file)) continue;
          if (contents.split(edit.from).length !== 2)
            throw new Error(`"${edit.from}" does not stand once in ${edit.file}`);
          contents = contents.replace(edit.from, () => edit.to);
          left.delete(edit);
        }
        return { contents, loader: "ts" };
      });
    },
  };
  const directory = mkdtempSync(join(tmpdir(), "ocellus-mutant-"));
  try {
    const outfile = join(directory, "walks.mjs");
    await build({
      entryPoints: [join(checkout, "test/ota/support/walks.ts")],
      ...{ outfile, bundle: true, platform: "node", format: "esm", logLevel: "silent" },
      plugins: [edited],
    });
    for (const { file } of left) throw new Error(`${file} is no part of the simulator`);
    return await import(pathToFileURL(outfile).href);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
