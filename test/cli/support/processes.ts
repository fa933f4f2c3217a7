/** What a program leaves behind. */
import { readdir, readFile } from "node:fs/promises";
import { errorCode } from "../../../scripts/build/problem.mjs";

/** Command lines of all processes that descend from one, or were started in a directory. */
export async function processesOf(state: string, parent: number): Promise<string[]> {
  return (await findProcesses(state, parent)).map(({ command }) => command);
}

/** The same, with their ids. */
export async function findProcesses(
  state: string,
  parent: number,
): Promise<{ pid: number; command: string }[]> {
  const found = new Map<number, { parent: number; here: boolean; command: string }>();
  for (const name of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    try {
      const command = (await readFile(`/proc/${name}/cmdline`, "utf8")).replaceAll("\0", " ");
      const stat = await readFile(`/proc/${name}/stat`, "utf8");
      const [, ppid = "0"] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      const environment = await readFile(`/proc/${name}/environ`, "utf8");
      const here = command.includes(state) || environment.includes(state);
      found.set(Number(name), { parent: Number(ppid), here, command });
    } catch (error) {
      // It ended meanwhile.
      if (!["ENOENT", "ESRCH", "EACCES"].includes(errorCode(error) ?? "")) throw error;
    }
  }
  const descends = (pid: number): boolean =>
    pid === parent || (found.has(pid) && descends(found.get(pid)?.parent ?? 0));
  return [...found]
    .filter(([pid, { here }]) => pid !== parent && (here || descends(pid)))
    .map(([pid, { command }]) => ({ pid, command }));
}
