/**
 * Free ports for servers that cannot take one by themselves and tell which (mosquitto, radosgw), or that have to come back
 * on the one they had.
 *
 * Such a port is free for a while between being found and being taken, and again while its server is down. A port out of
 * the kernel's range for outgoing connections could be taken by any of them meanwhile; so these come from below that range,
 * at random, and each is held by a lock against other processes of ours until this one ends. What is left is another
 * program's server that is told to take just that port.
 */
import { randomInt } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { errorCode, Problem } from "../build/problem.mjs";
import { probe } from "./system.ts";

/** Above those that servers commonly have. */
const LOWEST = 10_240;
const ATTEMPTS = 200;

/** The kernel's default, where it does not tell. */
const OUTGOING_LOWEST = 32_768;

/** Locks of this process, by port. */
const held = new Map<number, Server>();

/**
 * A TCP port of `bind` that nobody else is given while this process lives.
 * Throws Problem where there is none.
 * @param pick a candidate from the lowest to below the highest.
 */
export async function freePort(
  bind: string,
  pick: (lowest: number, highest: number) => number = randomInt,
): Promise<number> {
  const highest = await outgoingLowest();
  if (highest <= LOWEST) return probe(0, bind);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = pick(LOWEST, highest);
    if (!(await holdPort(port))) continue;
    try {
      return await probe(port, bind);
    } catch (error) {
      if (errorCode(error) !== "EADDRINUSE") throw error;
    }
  }
  throw new Problem("no free port was found; see which servers run on this machine.");
}

/**
 * Holds a port against other callers, in this process and others, until this process ends.
 * @returns false where somebody holds it.
 */
export async function holdPort(port: number): Promise<boolean> {
  if (held.has(port)) return false;
  const server = createServer();
  held.set(port, server);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      // A name in Linux's abstract namespace (unix(7)): one for each network namespace, as ports are; gone with its process.
      server.listen(`\0ocellus-port-${port}`, resolve);
    });
  } catch (error) {
    held.delete(port);
    if (errorCode(error) === "EADDRINUSE") return false;
    throw error;
  }
  server.unref();
  return true;
}

async function outgoingLowest(): Promise<number> {
  const text = await readFile("/proc/sys/net/ipv4/ip_local_port_range", "utf8").catch(() => "");
  return Number.parseInt(text, 10) || OUTGOING_LOWEST;
}
