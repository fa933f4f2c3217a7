/**
 * What an emulated camera does from power-on to its first segment in the store, told as it happens: from its serial console,
 * from QEMU's events, and from what arrives.
 */
import type { QmpEvent } from "../emulator/qmp.ts";

/** Told once for each start, by what the console says first of them. */
const STAGES: readonly (readonly [RegExp, string])[] = [
  [/^U-Boot (\S+) \(/, "U-Boot"],
  [/\] Linux version (\S+)/, "Linux"],
  [/\] supervise agent started: /, "agent started"],
  [/\] agent info Provisioned\. /, "provisioned from its card"],
  [/\] agent info Adopted: /, "paired"],
  [/\] agent info Connected to the broker\./, "connected to the broker"],
  [/\] agent info capture: all is well\./, "recording"],
];

/** Told whenever the console says so. */
const TROUBLE: readonly (readonly [RegExp, (...words: string[]) => string])[] = [
  [/Kernel panic - not syncing: (.*)/, (why) => `the kernel panics: ${why}`],
  [
    /\] supervise (agent|encoder) is (stopped|killed): (.*)/,
    (who, what, why) => `the ${who} is ${what}: ${why}`,
  ],
  // The agent's status for "reboot wanted" (native.d.ts).
  [/\] supervise agent ended: exit status 76$/, () => "the agent has the camera restarted"],
  [
    /\] supervise (agent|encoder) ended: (?!exit status 76$)(.*)/,
    (who, how) => `the ${who} ended: ${how}`,
  ],
  [/\] supervise (the watchdog .*)/, (what) => what],
  [/\] agent error (.*)/, (what) => `the agent: ${what}`],
  [/\] supervise this start's reason: (?!power$)(.*)/, (why) => `why it restarted: ${why}`],
];

/** One camera's. */
export class Stages {
  readonly #tell: (line: string) => void;
  readonly #now_ms: () => number;
  #started_ms = 0;
  #told = new Set<string>();
  /** Of the newest segment. */
  #boot = 0;

  /** @param now_ms a clock that only goes forward. */
  constructor(tell: (line: string) => void, now_ms: () => number = () => performance.now()) {
    this.#tell = tell;
    this.#now_ms = now_ms;
  }

  /** It is switched on now. */
  powerOn(): void {
    this.#begin("power on");
  }

  /** A line of the serial console. */
  line(text: string): void {
    for (const [pattern, stage] of STAGES) {
      const found = pattern.exec(text);
      if (found) this.#reached(found[1] === undefined ? stage : `${stage} ${found[1]}`);
    }
    for (const [pattern, sentence] of TROUBLE) {
      const found = pattern.exec(text);
      if (found) this.#tell(`${sentence(...found.slice(1))}`);
    }
  }

  event({ event }: QmpEvent): void {
    if (event === "WATCHDOG") this.#tell("the hardware watchdog was not fed and resets the camera");
    if (event === "RESET") this.#begin("the camera restarts");
  }

  /** A segment is in the store. @param boot the camera's, in which it was sealed. */
  segment(boot: number): void {
    if (boot === this.#boot) return;
    this.#boot = boot;
    this.#say("first sealed segment in the store");
  }

  #begin(what: string): void {
    this.#started_ms = this.#now_ms();
    this.#told = new Set();
    this.#say(what);
  }

  #reached(stage: string): void {
    if (this.#told.has(stage)) return;
    this.#told.add(stage);
    this.#say(stage);
  }

  #say(stage: string): void {
    const seconds = (this.#now_ms() - this.#started_ms) / 1000;
    this.#tell(`${seconds.toFixed(1).padStart(5)} s  ${stage}`);
  }
}
