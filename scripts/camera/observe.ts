/**
 * What the system says of a camera's processes: memory, and sockets that listen.
 */
import { readdir, readFile, readlink } from "node:fs/promises";
import { errorCode } from "../build/problem.mjs";

export const PROTOCOLS = ["tcp", "tcp6", "udp", "udp6", "raw", "raw6"] as const;
export type Protocol = (typeof PROTOCOLS)[number];

/** A TCP socket that listens or a UDP socket that is bound. */
export interface ListeningSocket {
  readonly protocol: Protocol;
  /** Port, host byte order. */
  readonly port: number;
  readonly pid: number;
}

/** State LISTEN in /proc/net/tcp (include/net/tcp_states.h). */
const LISTEN = "0A";

/**
 * The listening TCP and bound UDP and raw sockets of some processes and their children. What belongs to a process is
 * known by its descriptors; what is bound, by /proc/<pid>/net, which shows the process's own network namespace.
 */
export async function listeningSockets(pids: readonly number[]): Promise<ListeningSocket[]> {
  const found: ListeningSocket[] = [];
  for (const pid of await withChildren(pids)) {
    const inodes = await socketInodes(pid);
    for (const protocol of PROTOCOLS) {
      for (const { inode, port } of await boundSockets(pid, protocol)) {
        if (inodes.has(inode)) found.push({ protocol, port, pid });
      }
    }
  }
  return found;
}

/** The processes and all that descend from them. */
export async function withChildren(pids: readonly number[]): Promise<number[]> {
  const all = new Set(pids);
  for (const pid of all) {
    const children = await readProc(`/proc/${pid}/task/${pid}/children`);
    for (const child of (children ?? "").split(" ").filter(Boolean)) all.add(Number(child));
  }
  return [...all];
}

/** Resident memory, and its peak, in kB; null where the process is gone. */
export async function memoryOf(pid: number): Promise<{ rss_kb: number; peak_kb: number } | null> {
  const status = await readProc(`/proc/${pid}/status`);
  if (status === null) return null;
  const field = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0);
  return { rss_kb: field("VmRSS"), peak_kb: field("VmHWM") };
}

/** Real, effective, saved and file-system user ids; null where the process is gone. */
export async function userIdsOf(pid: number): Promise<number[] | null> {
  const status = await readProc(`/proc/${pid}/status`);
  if (status === null) return null;
  return (/^Uid:\s+(.+)$/m.exec(status)?.[1] ?? "").split(/\s+/).map(Number);
}

async function socketInodes(pid: number): Promise<Set<string>> {
  const inodes = new Set<string>();
  let descriptors: string[] = [];
  try {
    descriptors = await readdir(`/proc/${pid}/fd`);
  } catch (error) {
    // Not readable is not the same as none: the caller must not take it for good news.
    if (!gone(error)) throw error;
  }
  for (const descriptor of descriptors) {
    const target = await readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => "");
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
    if (inode) inodes.add(inode);
  }
  return inodes;
}

async function boundSockets(pid: number, protocol: Protocol) {
  const table = (await readProc(`/proc/${pid}/net/${protocol}`)) ?? "";
  return socketsIn(table).filter((socket) => isListening(protocol, socket));
}

/** A row of /proc/net/tcp, udp or raw. */
interface SocketRow {
  readonly inode: string;
  readonly state: string;
  readonly port: number;
  readonly peer: number;
}

/** Listens, if it is TCP; is bound and talks to nobody, if it is not. */
export function isListening(protocol: Protocol, { state, port, peer }: SocketRow): boolean {
  return protocol.startsWith("tcp") ? state === LISTEN : port !== 0 && peer === 0;
}

/** The rows of such a table; its first line is its heading. */
export function socketsIn(table: string): SocketRow[] {
  return table
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => {
      const [, local = "", remote = "", state = "", , , , , , inode = ""] = line
        .trim()
        .split(/\s+/);
      return { inode, state, port: portOf(local), peer: portOf(remote) };
    });
}

function portOf(address: string): number {
  return Number.parseInt(address.split(":")[1] ?? "0", 16);
}

async function readProc(path: string): Promise<string | null> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (gone(error)) return null;
    throw error;
  }
}

function gone(error: unknown): boolean {
  const code = errorCode(error);
  return code === "ENOENT" || code === "ESRCH";
}
