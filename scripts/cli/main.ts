/**
 * The `ocellus` command: one file a subcommand, loaded only when it is asked for.
 *
 * Exit status: 0 done, 1 trouble (one sentence that says what to do), 2 wrong usage; 128 and the signal's number where a
 * signal ended an owner's command, such as 130 for Ctrl-C.
 */
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { ensure } from "../build/ensure.mjs";
import { exitWith } from "../build/problem.mjs";
import { shown } from "../build/shown.mjs";
import { printUnpinned, unpinned } from "../build/unpinned.mjs";
import { Misuse } from "./misuse.ts";

interface Entry {
  readonly about: string;
  readonly load: () => Promise<Command>;
}

/** In the order of --help. */
const COMMANDS: { readonly [name: string]: Entry } = {
  run: {
    about: "start a development cloud and a camera, until Ctrl-C",
    load: async () => (await import("./run.ts")).runCommand(),
  },
  selftest: {
    about: "run a camera on a clip with a private cloud and compare every frame that arrives",
    load: async () => (await import("./selftest.ts")).selftestCommand(),
  },
  cloud: {
    about: "run the development cloud alone",
    load: async () => (await import("./cloud.ts")).cloudCommand(),
  },
  keys: {
    about: "make, show, back up, restore and rotate the owner's keys",
    load: async () => (await import("./keys.ts")).keysCommand(),
  },
  pair: {
    about: "provision a new camera and adopt it",
    load: async () => (await import("./pair.ts")).pairCommand(),
  },
  ls: {
    about: "list a camera's footage",
    load: async () => (await import("./ls.ts")).lsCommand(),
  },
  get: {
    about: "fetch, verify and open footage as one MP4",
    load: async () => (await import("./get.ts")).getCommand(),
  },
  status: {
    about: "show what cameras say of themselves",
    load: async () => (await import("./status.ts")).statusCommand(),
  },
  send: {
    about: "send a camera a command: ping, settings, log, reboot, access, recipients",
    load: async () => (await import("./send.ts")).sendCommand(),
  },
};

async function main(args: readonly string[]): Promise<void> {
  const program = new Command("ocellus")
    .description("End-to-end encrypted footage from your camera, in your own cloud.")
    .version(version(), "-V, --version")
    // From a checkout npx keeps --help and --version for itself, where no command stands before them.
    .helpOption("-h, --help", "show this, or a command's help; also `ocellus help COMMAND`")
    .helpCommand("help [command]", "show a command's help")
    .addHelpText(
      "after",
      "\nExit status: 0 done; 1 trouble, told in a sentence that says what to do; 2 wrong usage; 130 Ctrl-C.",
    );
  const [wanted, topic] = args.filter((word) => !word.startsWith("-"));
  for (const [name, { about, load }] of Object.entries(COMMANDS)) {
    // `help NAME` needs the real one as well.
    const asked = name === wanted || (wanted === "help" && args.includes(name));
    // The messages are generated; every command needs them.
    if (asked) await ensure("proto");
    const command = asked ? await load() : new Command(name).description(about);
    program.addCommand(command);
  }
  const told = new Command("version").description("show the version");
  program.addCommand(told.action(() => console.log(version())));
  endsByThrowing(program, "ocellus", "ocellus help");
  if (wanted === "help" && topic !== undefined && !isCommand(program, topic)) {
    program.error(`unknown command '${topic}'`);
  }
  await program.parseAsync([...args], { from: "user" });
}

function isCommand(program: Command, name: string): boolean {
  return name === "help" || program.commands.some((command) => command.name() === name);
}

/**
 * commander's own exits become exceptions, in every subcommand, so that the status is ours; and its complaints one
 * sentence, as all others are.
 * @param path how the command is called.
 * @param help what tells more about it.
 */
function endsByThrowing(command: Command, path: string, help: string): void {
  command.exitOverride().configureOutput({
    outputError: (text, write) => {
      const sentence = text.replace(/^error: /, "").replace(/\s+/g, " ");
      write(`ocellus: ${shown(sentence.trim().replace(/\.$/, ""))}; \`${help}\` tells more.\n`);
    },
  });
  for (const inner of command.commands) {
    const name = `${path} ${inner.name()}`;
    endsByThrowing(inner, name, `${name} --help`);
  }
}

/** The package's version; below it, what of this build is not made of the pinned sources. */
function version(): string {
  const file: unknown = JSON.parse(
    readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
  );
  const notes = unpinned().map((note) => `unpinned: ${note}`);
  return [String(Reflect.get(Object(file), "version")), ...notes].join("\n");
}

// A reader that has seen enough (`| head`) is no trouble.
process.stdout.on("error", (error) => {
  if ("code" in error && error.code === "EPIPE") process.exit(0);
  throw error;
});

try {
  await main(process.argv.slice(2));
  printUnpinned();
} catch (error) {
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : 2);
  exitWith(error, error instanceof Misuse ? 2 : 1);
}
