/** The emulated camera under the self-test: its development image, looked into through the serial console. */

import { readFirmware } from "../board/board.mjs";
import { memText } from "../board/bootloader.mjs";
import { checkout } from "../build/ensure.mjs";
import { Problem } from "../build/problem.mjs";
import { Console } from "../emulator/console.ts";
import { Station } from "../emulator/lan.ts";
import { scan } from "../emulator/scan.ts";
import type { Play } from "./host.ts";
import { isListening, type ListeningSocket, PROTOCOLS, socketsIn } from "./observe.ts";
import { QemuCamera, type QemuCameraOptions, SEEN_FROM_CAMERA } from "./qemu.ts";
import type { Measured, TestedCamera } from "./tested.ts";

/** The name of the agent's program, as /proc/<pid>/comm has it: cut at 15 characters. */
const AGENT = "ocellus-camera";
/** What the supervisor says of a start after a failure (native/supervise). */
const RESTARTED = /supervise agent started: (?!power|reboot command)/;

export class TestedQemu implements TestedCamera {
  readonly facts: TestedCamera["facts"];
  readonly cloudHost = SEEN_FROM_CAMERA;
  restarts = 0;
  readonly #camera: QemuCamera;
  /** Of the last start. */
  #console: Console;

  private constructor(camera: QemuCamera, facts: TestedCamera["facts"]) {
    this.#camera = camera;
    this.#console = this.#newConsole();
    this.facts = facts;
  }

  /** @param say told each line of the serial console. */
  static async create(
    options: Pick<QemuCameraOptions, "directory" | "board" | "mem_bytes">,
    say: (line: string) => void,
  ): Promise<TestedQemu> {
    const camera: QemuCamera = await QemuCamera.create({
      ...options,
      image: "dev",
      lan: true,
      onLine: (line) => {
        say(line);
        if (RESTARTED.test(line)) tested.restarts += 1;
      },
      onText: (text) => tested.#console.take(text),
      onOver: (how) => tested.#console.end(`QEMU ended (${how})`),
      onEvent: ({ event }) => say(`qemu: ${event}`),
    });
    const { memory } = readFirmware(checkout, options.board);
    const tested: TestedQemu = new TestedQemu(camera, {
      on: "qemu",
      board: options.board,
      mem: memText(options.mem_bytes ?? Number(memory.mem_bytes)),
      slot_bytes: await camera.slot_bytes(),
    });
    return tested;
  }

  async startToPair(provisioning: string): Promise<void> {
    await this.#camera.provision(provisioning);
    await this.#camera.start();
  }

  async stopAfterPairing(): Promise<void> {
    await this.#camera.stop();
    await this.#camera.forgetProvisioning();
    // Without a clip the encoder of that start failed, as told: it is this start's restarts that count.
    this.restarts = 0;
  }

  async startToRecord(play: Play): Promise<void> {
    await this.#camera.play(play);
    this.#console = this.#newConsole();
    await this.#camera.start();
  }

  /** Only `measure` looks: the console is slow. */
  async look(): Promise<ListeningSocket[]> {
    return [];
  }

  async measure(signal: AbortSignal): Promise<Measured> {
    const console = this.#console;
    signal.addEventListener("abort", () => console.end("stopped"));
    const memory = await this.#read("cat /proc/meminfo");
    const available = /^MemAvailable:\s+(\d+) kB$/m.exec(memory)?.[1];
    const processes = await this.#read("cat /proc/[0-9]*/status");
    const agent = processes.split(/^(?=Name:)/m).filter((one) => one.startsWith(`Name:\t${AGENT}`));
    const field = (name: string) =>
      Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(agent[0] ?? "")?.[1] ?? 0);
    const users = agent.flatMap((one) => /^Uid:\s+(.+)$/m.exec(one)?.[1]?.split(/\s+/) ?? []);
    const listening: ListeningSocket[] = [];
    for (const protocol of PROTOCOLS) {
      const table = await this.#read(`cat /proc/net/${protocol}`);
      if (/No such file/.test(table)) continue;
      if (!/local_address/.test(table)) throw new Problem(`/proc/net/${protocol} cannot be read.`);
      for (const socket of socketsIn(table)) {
        if (isListening(protocol, socket)) listening.push({ protocol, port: socket.port, pid: 0 });
      }
    }
    // What its own system may not tell: from another station.
    const station = await Station.join(this.#camera.lan);
    const { open, silent } = await scan(station, { signal }).finally(() => station.close());
    listening.push(...[...open, ...silent].map((port) => ({ ...port, pid: 0 })));
    return {
      rss_kb: field("VmRSS"),
      rss_peak_kb: field("VmHWM"),
      unprivileged: users.length > 0 && users.every((user) => user !== "0"),
      more: { mem_available_kb: Number(available ?? 0) },
      listening,
    };
  }

  check(): void {
    this.#camera.check();
  }

  stop(): Promise<void> {
    return this.#camera.stop();
  }

  #newConsole(): Console {
    return new Console((text) => this.#camera.type(text));
  }

  async #read(command: string): Promise<string> {
    return (await this.#console.run(command)).text;
  }
}
