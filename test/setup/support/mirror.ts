/** A Debian mirror on loopback that serves test/setup/archive, with changes a test asks for. */
import { readFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import type { PinnedPackage } from "../../../scripts/setup/apt.mjs";
import type { Origin } from "../../../scripts/setup/source-package.mjs";

/** The source package of the archive. */
export const NAME = "ocellus-sample";
/** The archive's .deb. */
export const DEB_NAME = "ocellus-sample-files";
const DIRECTORY = `pool/main/o/${NAME}`;
/** The version the archive has; its hash is that of the signed index. */
export const PRESENT: PinnedPackage = {
  kind: "source",
  suite: "trixie",
  version: "2.0",
  directory: DIRECTORY,
  format: "3.0 (native)",
  files: {
    [`${NAME}_2.0.tar.xz`]: "08940706ef2b1d0f2696a49c0f6af13da2ab947dbc3caa2745a4e4e50ec723a5",
  },
};
export const DEB_PRESENT: PinnedPackage = {
  kind: "binary",
  suite: "trixie",
  version: "2.0",
  directory: DIRECTORY,
  files: {
    [`${DEB_NAME}_2.0_all.deb`]: "4aa094ed15ef9dae377d54fcdef379c4f44f5691eb3aeb610efde338f8b2f243",
  },
};

const ARCHIVE = fileURLToPath(new URL("../archive", import.meta.url));

export interface Mirror {
  /** How the set-up is told to use it, with the key that signed it. */
  readonly origin: Origin & { keyring: string };
  /** Paths that were asked for. */
  readonly asked: string[];
  /** Contents served instead of a file, by path. */
  readonly altered: Map<string, string>;
  /** Beginnings of paths where the connection breaks instead of an answer. */
  readonly broken: string[];
  /** Ends of paths of which only a half is sent, and then nothing more. */
  readonly stalled: Set<string>;
  /** Stops answering at all. */
  close(): void;
}

/** Answers with a half, and never with the other. */
export function stall(response: ServerResponse, bytes: Uint8Array): void {
  response.writeHead(200, { "content-length": bytes.length });
  response.write(bytes.subarray(0, bytes.length >> 1));
}

export async function startMirror(t: TestContext): Promise<Mirror> {
  const asked: string[] = [];
  const altered = new Map<string, string>();
  const broken: string[] = [];
  const stalled = new Set<string>();
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://mirror").pathname;
    asked.push(path);
    if (broken.some((beginning) => path.startsWith(beginning))) {
      request.socket.destroy();
      return;
    }
    try {
      const bytes = Buffer.from(altered.get(path) ?? readFileSync(join(ARCHIVE, path)));
      if ([...stalled].some((end) => path.endsWith(end))) stall(response, bytes);
      else response.end(bytes);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  t.after(close);
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const main = `http://127.0.0.1:${address.port}`;
  const keyring = join(ARCHIVE, "key.gpg");
  return {
    origin: { archives: { main, security: undefined }, keyring },
    asked,
    altered,
    broken,
    stalled,
    close,
  };
}
