/** `ocellus run`: a development cloud and a camera in it, until Ctrl-C. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Command, InvalidArgumentError, Option } from "commander";
import { readFirmware } from "../board/board.mjs";
import { checkout, ensure } from "../build/ensure.mjs";
import { asTyped, quoted } from "../build/invoked.mjs";
import { checkLocalhost } from "../build/localhost.mjs";
import { Problem } from "../build/problem.mjs";
import {
  findCamera,
  openOwner,
  othersBeside,
  ownerDirectory,
  startPaired,
} from "../camera/development.ts";
import { checkFootage, clipFrom } from "../camera/footage.ts";
import { VARIANTS, type Variant } from "../camera/host.ts";
import { IMAGE_VARIANTS, type ImageVariant, SEEN_FROM_CAMERA } from "../camera/qemu.ts";
import { type Cloud, startCloud } from "../cloud/cloud.ts";
import { defaultStateDirectory } from "../cloud/state.ts";
import { Heard } from "../owner/heard.ts";
import type { Keystore } from "../owner/keystore.ts";
import type { PairedCamera } from "../owner/owner.ts";
import { startTalk } from "../owner/talk.ts";
import { Arrivals } from "./arrivals.ts";
import { askPassphrase } from "./ask.ts";
import { boardRows, SILENT_BOARD, startBoard } from "./board.ts";
import { CLOUD_PORTS, endOfProcess, port } from "./cloud.ts";
import { memory } from "./memory.ts";
import { Misuse } from "./misuse.ts";
import { startProgress } from "./progress.ts";
import { buildDevice, type Device, type DeviceKind, makeDevice } from "./run-device.ts";
import { Stops } from "./stops.ts";

interface Flags {
  readonly footage?: string;
  readonly state: string;
  readonly home?: string;
  readonly on: "qemu" | "host";
  readonly board?: string;
  readonly image?: ImageVariant;
  readonly mem?: number;
  readonly console?: true;
  readonly variant?: Variant;
  readonly s3Port: number;
  readonly mqttPort: number;
  readonly wsPort: number;
}

const BOARD = "qemu/malta";
const KEPT = "what was stored is kept, and the next start goes on with the same camera.";
const FAREWELL = {
  qemu: `Stopped, for the camera as if its plug were pulled; ${KEPT}`,
  host: `Stopped; ${KEPT}`,
} as const;
const BOARD_MS = 1_000;
const CHECK_MS = 250;

/** The command, to be added to the program. */
export function runCommand(): Command {
  return new Command("run")
    .description("start a development cloud and a camera, until Ctrl-C")
    .option("--footage <file>", "what the camera sees, over and over (default: a made-up clip)")
    .option("--state <dir>", "where cloud, cameras and keys are kept", defaultStateDirectory())
    .option("--home <dir>", "owner's keys to use (default: some of its own in --state)")
    .addOption(
      new Option("--on <where>", "the emulated camera or host processes, each a camera of its own")
        .choices(["qemu", "host"])
        .default("qemu"),
    )
    .option("--board <name>", `with --on qemu: its board (default: ${BOARD})`, board)
    .addOption(
      new Option("--image <variant>", "with --on qemu: which image (default: release)").choices([
        ...IMAGE_VARIANTS,
      ]),
    )
    .option(
      "--mem <size>",
      "with --on qemu: memory that Linux is told of, such as 38M (default: the board's)",
      memory,
    )
    .option("--console", "with --on qemu: show its serial console; with --image dev, type into it")
    .addOption(
      new Option(
        "--variant <build>",
        "with --on host: which build of the programs (default: host)",
      ).choices([...VARIANTS]),
    )
    .option("--s3-port <port>", "port of the store", port, CLOUD_PORTS.s3Port)
    .option("--mqtt-port <port>", "port of the broker", port, CLOUD_PORTS.mqttPort)
    .option("--ws-port <port>", "port of the broker for browsers", port, CLOUD_PORTS.webSocketPort)
    .action(run);
}

function board(name: string): string {
  try {
    readFirmware(checkout, name);
  } catch (error) {
    if (error instanceof Problem) throw new InvalidArgumentError(error.message);
    throw error;
  }
  return name;
}

function kindOf(flags: Flags): DeviceKind {
  const given = (names: readonly (keyof Flags)[]) =>
    names.find((name) => flags[name] !== undefined);
  if (flags.on === "host") {
    const other = given(["board", "image", "mem", "console"]);
    if (other !== undefined) throw new Misuse(`--${other} goes with --on qemu only.`);
    return { on: "host", variant: flags.variant ?? "host" };
  }
  if (flags.variant !== undefined) throw new Misuse("--variant goes with --on host only.");
  return {
    ...{ on: "qemu", board: flags.board ?? BOARD, image: flags.image ?? "release" },
    ...(flags.mem === undefined ? {} : { mem_bytes: flags.mem }),
    console: flags.console === true,
  };
}

async function run(flags: Flags): Promise<void> {
  const kind = kindOf(flags);
  const ended = endOfProcess();
  const stop = new AbortController();
  const { signal } = stop;
  const stops = new Stops();
  let farewell = "Stopped before there was a camera.";
  const parts: Parts = {
    stops,
    signal,
    fail: (error) => ended.fail(error),
    switchedOn: () => (farewell = FAREWELL[kind.on]),
  };
  const over = ended.promise.finally(() => stop.abort());
  const ran = async () => {
    // What is under way when it ends is not waited for: it ends with this process.
    await Promise.race([over, start(flags, kind, parts)]);
    await over;
  };
  const troubles: unknown[] = [];
  await ran().catch((error: unknown) => troubles.push(error));
  // Why it ends is what is told, not what may follow from that.
  await stops.end().catch((error: unknown) => troubles.push(error));
  if (troubles.length > 0) throw troubles[0];
  // The terminal has shown "^C" on this line.
  if (process.stdout.isTTY) console.log();
  console.log(farewell);
  process.exit(0);
}

interface Parts {
  readonly stops: Stops;
  readonly signal: AbortSignal;
  /** Ends it. */
  fail(error: Error): void;
  /** From here on there is something to be stopped. */
  switchedOn(): void;
}

async function start(flags: Flags, kind: DeviceKind, parts: Parts): Promise<void> {
  const { stops, signal, fail } = parts;
  await checkLocalhost();
  await checkFootage(flags.footage);
  // All that takes long comes first. The host's encoder judges footage, whoever plays it.
  await buildDevice(kind);
  await ensure("native-host");
  if (flags.footage === undefined) await ensure("clip-default");
  const progress = startProgress();
  stops.add(() => progress.end());
  // The board, once it is there, is what would write over anybody else's lines.
  let tell = progress.tell;
  progress.show("starting the development cloud");
  const cloud = await startCloud({
    state: flags.state,
    ...{ s3Port: flags.s3Port, mqttPort: flags.mqttPort, webSocketPort: flags.wsPort },
    names: ["localhost", SEEN_FROM_CAMERA],
    onDeath: (sentence) => fail(new Problem(sentence)),
    onFull: (sentence) => tell(sentence),
  });
  stops.add(() => cloud.stop());
  const store: Keystore = { home: flags.home ?? ownerDirectory(cloud), askPassphrase };
  const owner = await openOwner(cloud, store);
  const device = await makeDevice(kind, cloud, { fail, tell: (sentence) => tell(sentence) });
  stops.add(() => device.camera.stop());
  const clips = join(cloud.state, "footage");
  await mkdir(clips, { recursive: true, mode: 0o700 });
  const clip = await clipFrom(flags.footage, clips, progress.show);
  if (clip.transcoded) progress.tell(`${flags.footage} ${clip.reason}: it was transcoded`);
  await device.camera.play({ ...clip, loops: 0 });
  const known = await findCamera(device.camera.directory, store, owner);
  const arrivals = await Arrivals.listen(owner, known);
  stops.add(() => arrivals.close());
  // From before it starts, so that what the broker kept of an earlier start is told from what it says in this.
  const heard = new Heard(store.home);
  const early = known.state === "paired" ? await startTalk(owner, [known], true, heard) : null;
  if (early) stops.add(() => early.close());
  progress.end();
  const intro = [
    `Camera "${known.name}" films ${clip.source} and stores it, sealed, in ${cloud.endpoint}.`,
    device.about,
    ...(await othersBeside(device.camera.directory)).map(otherCamera),
  ];
  console.log(intro.filter((line) => line !== "").join("\n"));
  const board = kind.on === "qemu" && kind.console ? SILENT_BOARD : startBoard();
  tell = board.tell;
  const checking = setInterval(() => check(device, fail), CHECK_MS);
  stops.add(() => clearInterval(checking));
  parts.switchedOn();
  const camera = await startPaired({ cloud, store, owner, device: device.camera, known }, (text) =>
    board.show([[known.name, text]]),
  );
  const talk = early ?? (await startTalk(owner, [camera], true, heard));
  if (talk !== early) stops.add(() => talk.close());
  let commands = commandsFor(cloud, flags.home ?? store.home, camera);
  arrivals.trust(owner, camera, (boot) => {
    device.stages?.segment(boot);
    if (commands !== "") board.print(commands);
    commands = "";
  });
  let isStarting = early !== null;
  while (!signal.aborted) {
    const state = talk.state(camera);
    if (state.clock?.live) isStarting = false;
    board.show(boardRows(state, arrivals.stored, isStarting));
    await sleep(BOARD_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** Ends it where the camera has ended. */
function check({ camera }: Device, fail: (error: Error) => void): void {
  try {
    camera.check();
  } catch (error) {
    fail(error instanceof Error ? error : new Error(String(error)));
  }
}

/** That of another start is not mistaken for this one. */
function otherCamera({ name, how }: { name: string; how: string }): string {
  return `Another camera of this place, "${name}", is not started: that is \`${asTyped(`run ${how}`)}\`.`;
}

/** What can be done once there is footage. */
function commandsFor(cloud: Cloud, home: string, camera: PairedCamera): string {
  const command = (words: string) => asTyped(`${words} --home ${quoted(home)}`);
  return [
    "In another terminal:",
    `  ${command(`get ${camera.name} --from -1m -o out.mp4`)}`,
    `  ${command(`ls ${camera.name}`)}`,
    `  ${command(`status ${camera.name}`)}`,
    `Everything is in ${cloud.state}. Ctrl-C stops it.`,
  ].join("\n");
}
