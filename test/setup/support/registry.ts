/** An npm registry on loopback that has one package, which npm takes in two requests: its versions, and its archive. */
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { stall } from "./mirror.ts";

const NAME = "sample";
const VERSION = "1.0.0";
const ARCHIVE_PATH = `/${NAME}/-/${NAME}-${VERSION}.tgz`;
/** Random, so that half of the archive is much more than npm buffers before it writes. */
const CONTENT_BYTES = 1 << 20;

export interface Registry {
  /** For a registry= line of .npmrc. */
  readonly url: string;
  /** package.json and package-lock.json of a checkout that needs the package. */
  readonly files: Readonly<Record<string, string>>;
  /** How often the archive was asked for. */
  archivesAsked: number;
  /** Only a half of the archive is sent, and then nothing more. */
  stalled: boolean;
  /** Stops answering at all. */
  close(): void;
}

function packArchive(): Buffer {
  const folder = mkdtempSync(join(tmpdir(), "ocellus-registry-"));
  try {
    mkdirSync(join(folder, "package"));
    const description = { name: NAME, version: VERSION };
    writeFileSync(join(folder, "package/package.json"), JSON.stringify(description));
    writeFileSync(join(folder, "package/content"), randomBytes(CONTENT_BYTES));
    execFileSync("tar", ["-czf", "archive.tgz", "package"], { cwd: folder });
    return readFileSync(join(folder, "archive.tgz"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export async function startRegistry(t: TestContext): Promise<Registry> {
  const archive = packArchive();
  const integrity = `sha512-${createHash("sha512").update(archive).digest("base64")}`;
  const server = createServer((request, response) => {
    if (request.url !== ARCHIVE_PATH) {
      const dist = { tarball: `${registry.url}${ARCHIVE_PATH.slice(1)}`, integrity };
      const version = { name: NAME, version: VERSION, dist };
      const versions = { name: NAME, "dist-tags": { latest: VERSION } };
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ ...versions, versions: { [VERSION]: version } }));
      return;
    }
    registry.archivesAsked += 1;
    if (registry.stalled) stall(response, archive);
    else response.end(archive);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const top = { name: "checkout", version: "1.0.0", dependencies: { [NAME]: VERSION } };
  const lock = {
    ...{ name: top.name, version: top.version, lockfileVersion: 3, requires: true },
    packages: { "": top, [`node_modules/${NAME}`]: { version: VERSION, integrity } },
  };
  const registry: Registry = {
    url: `http://127.0.0.1:${address.port}/`,
    files: { "package.json": JSON.stringify(top), "package-lock.json": JSON.stringify(lock) },
    archivesAsked: 0,
    stalled: false,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
  t.after(() => registry.close());
  return registry;
}
