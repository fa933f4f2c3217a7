/** The camera that `ocellus run` starts: the emulated one, or host processes. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { ensure } from "../build/ensure.mjs";
import { Problem } from "../build/problem.mjs";
import { cameraDirectory, type DevelopmentCamera } from "../camera/development.ts";
import { HostCamera, type Variant } from "../camera/host.ts";
import { hostDevice } from "../camera/host-device.ts";
import { LogFile, setAside } from "../camera/log.ts";
import { type Built, QemuCamera } from "../camera/qemu.ts";
import { Stages } from "../camera/stages.ts";
import { showExit } from "../camera/supervise.ts";
import type { Cloud } from "../cloud/cloud.ts";

/** Which camera. */
export type DeviceKind =
  | { readonly on: "host"; readonly variant: Variant }
  | (Built & {
      readonly on: "qemu";
      /** Its serial line is the terminal. */
      readonly console: boolean;
    });

export interface Device {
  readonly camera: DevelopmentCamera;
  /** What it is, for people; empty where there is nothing to say. */
  readonly about: string;
  /** How far it is, of an emulated camera. */
  readonly stages: Stages | null;
}

interface Listener {
  /** Told what happens to it. */
  tell(sentence: string): void;
  /** Told what it cannot go on with. */
  fail(problem: Problem): void;
}

/** Of a serial console, whose camera may speak for months: so much is kept, and as much of what it said before that. */
const CONSOLE_BYTES = 16 << 20;
/** What the agent says without an identity. */
const UNPAIRED = /\] agent warning This camera is not paired: /;

/** Builds what is missing. Throws Problem where that fails, or where there could be no such camera. */
export async function buildDevice(kind: DeviceKind): Promise<void> {
  if (kind.on === "qemu") await QemuCamera.build(kind);
  else for (const name of [`native-${kind.variant}`, "bytecode"]) await ensure(name);
}

/** Lays the camera out. Throws Problem where that fails. */
export function makeDevice(kind: DeviceKind, cloud: Cloud, listener: Listener): Promise<Device> {
  return kind.on === "host"
    ? makeHost(kind.variant, cloud, listener)
    : makeEmulated(kind, cloud, listener);
}

async function makeHost(variant: Variant, cloud: Cloud, { tell }: Listener): Promise<Device> {
  const directory = cameraDirectory(cloud);
  const host = await HostCamera.create({
    ...{ directory, variant },
    onExit: (from, exit, then) => {
      if (then === "again") tell(`the ${from} ended (${showExit(exit)}); it is started again`);
    },
  });
  return { camera: hostDevice(host), about: "", stages: null };
}

async function makeEmulated(
  kind: DeviceKind & { on: "qemu" },
  cloud: Cloud,
  { tell, fail }: Listener,
): Promise<Device> {
  const { board, image } = kind;
  const directory = cameraDirectory(cloud, board);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const file = join(directory, "console.log");
  const stages = new Stages(tell);
  let hasCard = false;
  let log: LogFile | null = null;
  const qemu = await QemuCamera.create({
    ...{ directory, board, image },
    ...(kind.mem_bytes === undefined ? {} : { mem_bytes: kind.mem_bytes }),
    onText: (text) => {
      log?.write(text);
      if (kind.console) process.stdout.write(text);
    },
    onLine: (line) => {
      stages.line(line);
      if (hasCard || !UNPAIRED.test(line)) return;
      const lost = `the camera in ${directory} has lost its keys`;
      fail(new Problem(`${lost}; remove that directory to start with a new camera.`));
    },
    onEvent: (event) => stages.event(event),
  });
  const camera: DevelopmentCamera = {
    ...{ directory, cloudHost: qemu.cloudHost },
    play: (play) => qemu.play(play),
    provision: (text) => {
      hasCard = true;
      return qemu.provision(text);
    },
    start: async () => {
      // That of the start before is kept.
      setAside(file);
      log = new LogFile(file, { most_bytes: CONSOLE_BYTES, onTrouble: fail });
      stages.powerOn();
      await qemu.start();
      if (kind.console && image === "dev") process.stdin.on("data", (keys) => qemu.type(`${keys}`));
    },
    forgetProvisioning: () => qemu.forgetProvisioning(),
    check: () => qemu.check(),
    stop: async () => {
      await qemu.stop();
      log?.close();
    },
  };
  const shell = "its shell is there with --console: type a command and Enter";
  const about = [
    `It is emulated: ${board}, ${qemu.mem}, ${image} image.`,
    `Its serial console goes to ${file}${image === "dev" && !kind.console ? `; ${shell}` : ""}.`,
  ];
  return { camera, about: about.join(" "), stages };
}
