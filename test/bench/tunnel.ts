/**
 * The cost of an SSH tunnel on the camera: Debian's mipsel dropbear as the server, forwarding a TCP
 * connection that a source on this machine fills; its own client is at the other end, not counted.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { ensure } from "../../scripts/build/ensure.mjs";
import { parseCounts } from "./counter.ts";
import { type Cost, costOf, programsRoot } from "./programs.ts";

const MEBIBYTE = 1 << 20;

/** The port a listening server got. */
export function portOf(server: { address(): AddressInfo | string | null }): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("not listening on a port");
  return address.port;
}

/** A directory that dropbear takes for the system: its own user, home and keys; programs by links. */
async function makeSystem(root: string): Promise<string> {
  const system = mkdtempSync(join(tmpdir(), "ocellus-tunnel-"));
  const { uid, gid } = userInfo();
  for (const folder of ["lib", "usr"]) symlinkSync(join(root, folder), join(system, folder));
  mkdirSync(join(system, "etc"));
  mkdirSync(join(system, "home/.ssh"), { recursive: true, mode: 0o700 });
  writeFileSync(join(system, "etc/passwd"), `camera:x:${uid}:${gid}::${system}/home:/bin/sh\n`);
  for (const name of ["host", "client"]) {
    await run(system, "usr/bin/dropbearkey", ["-t", "ed25519", "-f", join(system, name)]);
  }
  const shown = await run(system, "usr/bin/dropbearkey", ["-y", "-f", join(system, "client")]);
  const line = shown.split("\n").find((text) => text.startsWith("ssh-ed25519 "));
  if (line === undefined) throw new Error(`dropbearkey shows no public key: ${shown}`);
  writeFileSync(join(system, "home/.ssh/authorized_keys"), `${line}\n`, { mode: 0o600 });
  return system;
}

/** Runs a mipsel program to its end, uncounted; what it printed. */
async function run(system: string, path: string, args: readonly string[]): Promise<string> {
  const child = spawn("qemu-mipsel", ["-L", system, join(system, path), ...args]);
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (part) => {
    text += part;
  });
  const [status] = await once(child, "close");
  if (status !== 0) throw new Error(`${path} ended with ${status}: ${text}`);
  return text;
}

async function listen(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return portOf(server);
}

/** Fetches `bytes` through the tunnel; instructions of its camera's side. */
async function fetchThrough(system: string, bytes: number): Promise<number> {
  const plugin = join(await ensure("bench-counter"), "count.so");
  const out = join(system, "counts");
  const source = createServer((socket) => socket.end(Buffer.alloc(bytes)));
  const sourcePort = await listen(source);
  const door = createServer({ pauseOnConnect: true });
  const doorPort = await listen(door);
  const served = once(door, "connection").then(([socket]: Socket[]) => {
    const server = spawn(
      "qemu-mipsel",
      [
        ...["-L", system, "-U", "PATH", "-plugin", `${plugin},out=${out}`],
        ...[join(system, "usr/sbin/dropbear"), "-i", "-r", join(system, "host")],
      ],
      { stdio: [socket, socket, "ignore"], env: { PATH: process.env.PATH } },
    );
    server.on("spawn", () => socket?.destroy());
    return once(server, "close");
  });
  const client = spawn("qemu-mipsel", [
    ...["-L", system, join(system, "usr/bin/dbclient"), "-y", "-y", "-i", join(system, "client")],
    ...["-p", `${doorPort}`, "-B", `127.0.0.1:${sourcePort}`, "camera@127.0.0.1"],
  ]);
  try {
    let got = 0;
    for await (const part of client.stdout) {
      got += part.length;
      if (got >= bytes) break;
    }
    if (got !== bytes) throw new Error(`the tunnel gave ${got} of ${bytes} bytes`);
    client.kill();
    await served;
    return parseCounts(readFileSync(out, "utf8"), "").total.camera;
  } finally {
    client.kill();
    source.close();
    door.close();
  }
}

/** Instructions of dropbear on the camera, for each byte forwarded and to start. */
export async function tunnelCost(): Promise<Cost> {
  const system = await makeSystem(await programsRoot());
  try {
    const small = await fetchThrough(system, 4 * MEBIBYTE);
    const large = await fetchThrough(system, 12 * MEBIBYTE);
    return costOf([4 * MEBIBYTE, small], [12 * MEBIBYTE, large]);
  } finally {
    rmSync(system, { recursive: true, force: true });
  }
}
