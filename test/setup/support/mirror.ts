/** A Debian mirror on loopback that serves test/setup/archive, with changes a test asks for. */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import type { Origin } from "../../../scripts/setup/source-package.mjs";

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
  /** Stops answering at all. */
  close(): void;
}

export async function startMirror(t: TestContext): Promise<Mirror> {
  const asked: string[] = [];
  const altered = new Map<string, string>();
  const broken: string[] = [];
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://mirror").pathname;
    asked.push(path);
    if (broken.some((beginning) => path.startsWith(beginning))) {
      request.socket.destroy();
      return;
    }
    try {
      response.end(altered.get(path) ?? readFileSync(join(ARCHIVE, path)));
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
    close,
  };
}
