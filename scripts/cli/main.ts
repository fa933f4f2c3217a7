/**
 * The `ocellus` command: one file a subcommand, loaded only when it is asked for.
 *
 * Exit status: 0 done, 1 trouble (one sentence that says what to do), 2 wrong usage; 128 and the signal's number where a
 * signal ended an owner's command, such as 130 for Ctrl-C.
 */

import { Command, CommanderError } from "commander";
import { ensure } from "../build/ensure.mjs";
import { asTyped } from "../build/invoked.mjs";
import { exitWith } from "../build/problem.mjs";
import { shown } from "../build/shown.mjs";
import { printUnpinned } from "../build/unpinned.mjs";
import { Misuse } from "./misuse.ts";
import { versionCommand, versionLines } from "./version.ts";

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
    about: "provision a new camera and adopt it, or retire one",
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
  ota: {
    about: "build, sign and publish updates of cameras' images",
    load: async () => (await import("./ota.ts")).otaCommand(),
  },
};

async function main(args: readonly string[]): Promise<void> {
  const program = new Command(asTyped(""))
    .description("End-to-end encrypted footage from your camera, in your own cloud.")
    .version(versionLines(), "-V, --version")
    // From a checkout npx keeps --help and --version for itself, where no command stands before them.
    .helpOption("-h, --help", `show this, or a command's help; also \`${asTyped("help COMMAND")}\``)
    .helpCommand("help [command...]", "show a command's help")
    .addHelpText(
      "after",
      "\nExit status: 0 done; 1 trouble, told in a sentence that says what to do; 2 wrong usage; 130 Ctrl-C.",
    );
  const [wanted, ...topics] = args.filter((word) => !word.startsWith("-"));
  for (const [name, { about, load }] of Object.entries(COMMANDS)) {
    // `help NAME` needs the real one as well.
    const asked = name === wanted || (wanted === "help" && args.includes(name));
    // The messages are generated; every command needs them.
    if (asked) await ensure("proto");
    const command = asked ? await load() : new Command(name).description(about);
    program.addCommand(command);
  }
  program.addCommand(versionCommand());
  endsByThrowing(program, asTyped(""), asTyped("help"));
  // commander's own knows only one level.
  if (wanted === "help") inner(program, topics).outputHelp();
  else await program.parseAsync([...args], { from: "user" });
}

/** The command that stands at the end of `path`, as `keys`, `init`. Throws CommanderError where there is none. */
function inner(command: Command, [name, ...rest]: readonly string[]): Command {
  if (name === undefined || (name === "help" && command.parent === null)) return command;
  const found = command.commands.find((one) => one.name() === name);
  if (found) return inner(found, rest);
  // `help send settings`: what it can be given is in its own help.
  const isChoice = command.registeredArguments.some(({ argChoices }) => argChoices?.includes(name));
  return isChoice ? command : command.error(`unknown command '${name}'`);
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
  for (const one of command.commands) {
    const name = `${path} ${one.name()}`;
    endsByThrowing(one, name, `${name} --help`);
  }
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
