/** What the broker needs of the machine: programs, an unprivileged user, ports. */
import { access, constants, readFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { delimiter, join } from "node:path";
import { errorCode, Problem } from "../build/problem.mjs";

/** A user of the system. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Finds a program in PATH, or where Debian keeps servers (a plain user's PATH lacks it).
 * @param debianPackage what to install where it is missing.
 * @returns its absolute path.
 */
export async function findProgram(name: string, debianPackage: string): Promise<string> {
  const directories = (process.env.PATH ?? "").split(delimiter).filter(Boolean);
  for (const directory of [...directories, "/usr/local/sbin", "/usr/sbin", "/sbin"]) {
    const path = join(directory, name);
    try {
      await access(path, constants.X_OK);
      return path;
    } catch {
      // Not in this directory: the next.
    }
  }
  throw new Problem(`${name} is not installed; apt-get install ${debianPackage}.`);
}

/**
 * The user a server of ours runs as.
 * @returns the first of the named users where we are root; undefined where we are not: then as ourselves.
 */
export async function serverAccount(names: readonly string[]): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const users = (await readFile("/etc/passwd", "utf8")).split("\n").map((line) => line.split(":"));
  for (const name of names) {
    const [, , uid, gid] = users.find(([user]) => user === name) ?? [];
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Problem(`this system has no user ${names.join(" or ")} to run a server as.`);
}

/**
 * The command that runs another with fewer rights and for as long as we live: as `account` (where we are
 * root), unable to gain rights, and ended by the kernel when this process dies (setpriv(1)).
 * @param command absolute path of the program, then its arguments.
 */
export async function unprivileged(
  account: Account | undefined,
  command: readonly string[],
): Promise<string[]> {
  const setpriv = await findProgram("setpriv", "util-linux");
  const drop = account
    ? ["--reuid", `${account.uid}`, "--regid", `${account.gid}`, "--clear-groups"]
    : [];
  return [setpriv, ...drop, "--no-new-privs", "--pdeathsig", "KILL", "--", ...command];
}

/** Throws Problem where a port cannot be listened on, naming the flag that chooses another. */
export async function checkPort(port: number, bind: string, flag: string): Promise<void> {
  try {
    await probe(port, bind);
  } catch (error) {
    throw listenTrouble(error, port, bind, flag);
  }
}

/** What a failed listen means to a person; an error that is no such trouble is returned as it is. */
export function listenTrouble(error: unknown, port: number, bind: string, flag: string): unknown {
  switch (errorCode(error)) {
    case "EADDRINUSE":
      return new Problem(
        `port ${port} is taken; stop what uses it, or choose another with ${flag}.`,
      );
    case "EACCES":
      return new Problem(`port ${port} needs root; choose another with ${flag}.`);
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return new Problem(`this machine has no address ${bind}; choose another with --bind.`);
    default:
      return error;
  }
}

/** Listens on a TCP port for a moment; 0: any. @returns which. Rejects with what listen(2) says. */
export function probe(port: number, bind: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(port, bind, () => {
      const address: AddressInfo | string | null = server.address();
      const found = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(found));
    });
  });
}
