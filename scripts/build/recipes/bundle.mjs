/**
 * The agent as one minified ES module, agent.mjs, with its source map and esbuild's account of what
 * is in it (meta.json). The libraries expect Node or a browser; what they ask for and the agent never
 * uses is replaced by the stand-ins of agent/runtime/stubs.
 */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Problem } from "../problem.mjs";

/** @import { Recipe } from "../recipe.mjs" */

/** Every byte stands in a slot image of a few MB and is parsed into the camera's heap. */
const BUDGET_BYTES = 470_000;

/** Modules of Node and packages that no code path of the agent reaches. */
const UNREACHED = [
  ...["assert", "crypto", "dns", "fs", "http", "https", "net", "path", "tls", "tty", "url", "util"],
  ...["zlib", "abort-controller", "long", "socks", "worker-timers", "ws"],
];

/**
 * @param {string} root the checkout
 * @param {string} proto directory of that artefact
 * @returns {Record<string, string>} import path → file or package
 */
function aliases(root, proto) {
  const stub = (/** @type {string} */ name) => join(root, "agent/runtime/stubs", name);
  return {
    ...Object.fromEntries(UNREACHED.map((name) => [name, stub("empty.cjs")])),
    "#proto": join(proto, "index.js"),
    debug: stub("debug.cjs"),
    "lru-cache": stub("lru-cache.cjs"),
    "readable-stream": stub("readable-stream.cjs"),
    events: join(root, "node_modules/events/events.js"),
    "rfdc/default": stub("rfdc.cjs"),
    string_decoder: stub("string-decoder.cjs"),
  };
}

/**
 * The MQTT library takes its whole package.json in for the sake of its version: 4 KB of the camera's heap.
 *
 * @type {import("esbuild").Plugin}
 */
const versionAlone = {
  name: "version-alone",
  setup(build) {
    build.onLoad({ filter: /[\\/]mqtt[\\/]package\.json$/ }, ({ path }) => {
      const { version } = JSON.parse(readFileSync(path, "utf8"));
      return { contents: JSON.stringify({ version }), loader: "json" };
    });
  },
};

/** @type {Recipe} */
export const bundle = {
  name: "bundle",
  text: fileURLToPath(import.meta.url),
  needs: ["proto"],
  files: ["agent", "package-lock.json"],
  only: /\.(ts|js|cjs)$/,
  async build({ root, out, need }) {
    const esbuild = await import(
      pathToFileURL(join(root, "node_modules/esbuild/lib/main.js")).href
    );
    const file = join(out, "agent.mjs");
    const { metafile } = await esbuild
      .build({
        absWorkingDir: root,
        entryPoints: ["agent/main.ts"],
        outfile: file,
        bundle: true,
        minify: true,
        sourcemap: "external",
        legalComments: "none",
        metafile: true,
        logLevel: "silent",
        platform: "neutral",
        format: "esm",
        target: "es2023",
        mainFields: ["module", "main"],
        alias: aliases(root, need("proto")),
        nodePaths: [join(root, "node_modules")],
        plugins: [versionAlone],
        inject: ["agent/runtime/stubs/buffer.js"],
        define: { global: "globalThis", "process.env.NODE_ENV": '"production"' },
      })
      .catch((/** @type {Error} */ error) => {
        throw new Problem("esbuild cannot bundle the agent:", error.message);
      });
    writeFileSync(join(out, "meta.json"), JSON.stringify(metafile));
    const { size } = statSync(file);
    if (size > BUDGET_BYTES) {
      throw new Problem(
        `the agent's bundle has ${size} bytes and may have ${BUDGET_BYTES}; meta.json in esbuild's analyzer shows what is large.`,
      );
    }
  },
};
