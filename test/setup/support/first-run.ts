/**
 * A machine on which nothing was set up yet: a clone with the real Makefile, scripts/setup, scripts/build and boards, an empty cache,
 * a Debian mirror and an npm registry on loopback. npm, apt-helper and dpkg-source are the machine's own. Only what would
 * change this machine is a stand-in (apt-get, dpkg, dpkg-query, sudo), and the list of recipes is short: the npm packages,
 * one source package, and for every other artefact a file made of that source.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { checkout } from "../../../scripts/build/ensure.mjs";
import { errorCode } from "../../../scripts/build/problem.mjs";
import { packages } from "../../../scripts/setup/packages.mjs";
import { type Mirror, NAME, PRESENT, startMirror } from "./mirror.ts";
import { type Registry, startRegistry } from "./registry.ts";
import { makeScratch } from "./scratch.ts";

const RECIPES = `
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { nodeModules } from "./node-modules.mjs";
import { source } from "./source.mjs";
const sample = source("${NAME}");
class Recipes extends Map {
  get(name) {
    const text = fileURLToPath(import.meta.url);
    const build = async ({ out }) => writeFileSync(out + "/made", name);
    return super.get(name) ?? { name, text, needs: [sample.name], build };
  }
}
export const recipes = new Recipes([nodeModules, sample].map((recipe) => [recipe.name, recipe]));
`;

/** Stand-ins, as shell text that runs beside the clone. */
const stands = (mirror: string): Record<string, string> => ({
  "apt-get": `case $1 in
update) echo update >>apt-runs ;;
indextargets) echo "stable main ${mirror}" ;;
install)
  shift
  if [ -e apt-stalls ]; then touch half-installed; fi
  echo install >>apt-runs
  if [ -e apt-stalls ]; then exec sleep 600; fi
  if [ -e apt-fails ]; then cat apt-fails >&2; exit 100; fi
  for word; do case $word in -* | *::*) ;; *) echo "$word installed" >>installed ;; esac; done ;;
esac`,
  dpkg: `case $1 in
--audit) if [ -e half-installed ]; then echo half; fi ;;
--configure) echo configure >>apt-runs; rm -f half-installed ;;
esac`,
  "dpkg-query": "cat installed 2>/dev/null",
  sudo: 'case $1 in --validate) ;; *) exec "$@" ;; esac',
  systemctl: "",
});

export interface Ended {
  /** Exit status; null where a signal ended it. */
  readonly status: number | null;
  readonly stderr: string;
}

export interface Run {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Sends a signal to make and all that it started, as a terminal's Ctrl-C does. */
  killAll(signal: NodeJS.Signals): void;
}

export interface FirstRunOptions {
  /** The Debian packages are there already. */
  readonly debian?: boolean;
  /** A program that this machine lacks. */
  readonly without?: string;
}

export class FirstRun {
  readonly #t: TestContext;
  readonly #top: string;
  readonly #env: Record<string, string>;
  /** The clone. */
  readonly root: string;
  /** XDG_CACHE_HOME. */
  readonly cacheHome: string;
  readonly mirror: Mirror;
  readonly registry: Registry;

  private constructor(
    t: TestContext,
    options: FirstRunOptions,
    net: { mirror: Mirror; registry: Registry },
  ) {
    const scratch = makeScratch(t);
    this.#t = t;
    this.mirror = net.mirror;
    this.registry = net.registry;
    this.root = scratch.root;
    this.#top = join(scratch.root, "..");
    this.cacheHome = this.place("cache-home");
    for (const part of [
      "Makefile",
      "scripts/setup",
      "scripts/build",
      "scripts/board",
      "buildroot/board",
      // What a board is judged by.
      "ota/boot",
      "agent/update",
    ])
      cpSync(join(checkout, part), join(this.root, part), { recursive: true });
    const files = {
      ...this.registry.files,
      ".npmrc": `registry=${this.registry.url}\nfetch-retries=0\n`,
      "scripts/setup/sources.lock.json": JSON.stringify({
        packages: { [NAME]: PRESENT },
      }),
      "scripts/build/recipes/index.mjs": RECIPES,
    };
    for (const [path, text] of Object.entries(files)) scratch.write(path, text);
    for (const folder of ["bin", "home", "cache-home"]) mkdirSync(this.place(folder));
    if (options.debian)
      writeFileSync(
        this.place("installed"),
        packages.map(({ name }) => `${name} installed\n`).join(""),
      );
    for (const [name, text] of Object.entries(stands(this.mirror.origin.archives.main))) {
      const script = `#!/bin/sh\ncd "${this.#top}"\n${text}\n`;
      writeFileSync(this.place(`bin/${name}`), script, { mode: 0o755 });
    }
    this.#env = {
      PATH: `${this.place("bin")}:${this.#pathWithout(options.without)}`,
      HOME: this.place("home"),
      XDG_CACHE_HOME: this.cacheHome,
      OCELLUS_POLICY_RC_D: this.place("policy"),
    };
  }

  static async make(t: TestContext, options: FirstRunOptions = {}): Promise<FirstRun> {
    const net = { mirror: await startMirror(t), registry: await startRegistry(t) };
    return new FirstRun(t, options, net);
  }

  /** A file beside the clone. */
  place(name: string): string {
    return join(this.#top, name);
  }

  /** How often apt-get and dpkg were called to change something, by their word. */
  get aptRuns(): string[] {
    const file = this.place("apt-runs");
    return existsSync(file) ? readFileSync(file, "utf8").trimEnd().split("\n") : [];
  }

  /** Makes apt-get hang in the middle of an installation, or no more. */
  set aptStalls(stalls: boolean) {
    if (stalls) writeFileSync(this.place("apt-stalls"), "");
    else rmSync(this.place("apt-stalls"), { force: true });
  }

  /** Makes apt-get fail with these words. */
  set aptFails(words: string) {
    writeFileSync(this.place("apt-fails"), `${words}\n`);
  }

  /** Starts a command line, by default in the clone. */
  start(tool: string, args: readonly string[]): Run {
    const child = spawn(tool, args, {
      ...{ cwd: this.root, env: this.#env, detached: true },
      stdio: ["ignore", "ignore", "pipe"],
    });
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    // Not "close": what outlives a killed make holds standard error open.
    const ended = once(child, "exit").then(([status]) => ({ status, stderr }));
    const killAll = (signal: NodeJS.Signals) => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, signal);
      } catch (error) {
        if (errorCode(error) !== "ESRCH") throw error;
      }
    };
    this.#t.after(() => killAll("SIGKILL"));
    return { child, ended, killAll };
  }

  /** `make setup` to its end. */
  setUp(): Promise<Ended> {
    return this.start("make", ["setup"]).ended;
  }

  #pathWithout(tool: string | undefined): string {
    const path = process.env.PATH ?? "";
    if (tool === undefined) return path;
    const folder = this.place("tools");
    mkdirSync(folder);
    for (const from of path.split(":").filter((each) => existsSync(each)))
      for (const name of readdirSync(from))
        if (name !== tool && !existsSync(join(folder, name)))
          symlinkSync(join(from, name), join(folder, name));
    return folder;
  }
}
