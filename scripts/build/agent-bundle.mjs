/**
 * How esbuild makes the agent's bundle: one ES module for an engine that has no Node and no DOM. The libraries' wants are
 * met by agent/runtime/polyfills.ts (globals) and agent/runtime/stubs (modules).
 */
import { join } from "node:path";

/** Node's modules, and others, that the libraries name and the agent never reaches. */
const NEVER_REACHED = [
  ...["assert", "crypto", "dns", "fs", "http", "https", "net", "path", "stream", "tls", "tty"],
  ...["url", "util", "zlib", "abort-controller", "long", "socks", "worker-timers", "ws"],
];

/**
 * @param {string} root the checkout
 * @param {string} entry the entry, agent/main.ts but in tests
 * @returns {import("esbuild").BuildOptions & { metafile: true }}
 */
export function agentBundle(root, entry = join(root, "agent/main.ts")) {
  /** @param {string} name */
  const stub = (name) => join(root, "agent/runtime/stubs", name);
  return {
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    minify: true,
    metafile: true,
    legalComments: "none",
    format: "esm",
    platform: "neutral",
    mainFields: ["module", "main"],
    target: "es2023",
    define: { global: "globalThis" },
    inject: [stub("buffer.js")],
    alias: {
      ...Object.fromEntries(NEVER_REACHED.map((name) => [name, stub("empty.cjs")])),
      debug: stub("debug.cjs"),
      "lru-cache": stub("lru-cache.cjs"),
      "readable-stream": stub("readable-stream.cjs"),
      // Names that are Node's own unless they are led to the packages.
      buffer: join(root, "node_modules/buffer/index.js"),
      events: join(root, "node_modules/events/events.js"),
      string_decoder: join(root, "node_modules/string_decoder/lib/string_decoder.js"),
    },
  };
}
