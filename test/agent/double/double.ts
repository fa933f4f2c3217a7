/**
 * The third home of the native contract (agent/runtime/native.d.ts): all of it in TypeScript on Node, with a clock that
 * tests move, an encoder whose frames they push, and a network whose servers they script. It refuses what the contract
 * calls a defect, so that a defect shows here and not on a camera.
 */
import type {
  LogLevel,
  Native,
  NativeError,
  RuntimeOptions,
  Segment,
} from "../../../agent/runtime/native.d.ts";
import { Arena } from "./arena.ts";
import { type Turns, VirtualClock } from "./clock.ts";
import { type NodeCrypto, nodeCrypto } from "./crypto.ts";
import { type ConnectionEvents, type ConnectTo, Network } from "./network.ts";
import { Door } from "./ring.ts";

const STATE_MAX = 65_536;

/** Thrown by `exit`, which never returns. */
export class Exit extends Error {
  readonly status: number;
  constructor(status: number) {
    super(`the agent exits with ${status}`);
    this.status = status;
  }
}

export interface DoubleOptions {
  readonly options?: Partial<RuntimeOptions>;
  /** Replaces the generator, so that a run repeats exactly (`seededRandom`). */
  readonly random?: (bytes: number) => Uint8Array;
  readonly startUs?: number;
  /** State files that survive: give a second double the first one's to reboot. */
  readonly state?: Map<string, Uint8Array>;
  readonly provisioning?: Uint8Array;
}

/** A double on some clock; `createDouble` gives the virtual one. */
export class BaseDouble<Clock extends Turns> {
  readonly clock: Clock;
  readonly crypto: NodeCrypto;
  readonly network: Network;
  readonly door: Door;
  readonly arena: Arena;
  readonly state: Map<string, Uint8Array>;
  readonly logged: { level: LogLevel; line: string }[] = [];
  readonly exits: number[] = [];
  /** When signs of life were given, µs. */
  readonly signs: number[] = [];
  /** Those of them that asked to have the encoder started anew. */
  readonly encoderAsked: number[] = [];
  readonly native: Native;
  /** Set to make state files fail. */
  stateError: NativeError | null = null;
  /** The file as it is now: it may come, change and go at any time; an Error value: it cannot be read. */
  provisioning: Uint8Array | NativeError | null;
  provisioningClosed = false;
  #seed = new Uint8Array(32);
  #stop: (() => void) | null = null;

  constructor(clock: Clock, given: DoubleOptions = {}) {
    this.clock = clock;
    this.crypto = nodeCrypto(given.random);
    this.network = new Network(clock);
    this.door = new Door(clock);
    this.state = given.state ?? new Map();
    this.provisioning = given.provisioning ?? null;
    const options: RuntimeOptions = {
      build: "0.1.0+test",
      buildTimeS: 1_780_000_000,
      board: "host",
      image: "",
      commandLine: "",
      queueBytes: 4 << 20,
      startReason: "power",
      reset: false,
      ...given.options,
    };
    this.arena = new Arena({
      crypto: this.crypto,
      queueBytes: options.queueBytes,
      nowUs: () => clock.nowUs(),
      deviceSeed: () => this.#seed,
    });
    this.native = this.#native(options);
  }

  /** SIGTERM. */
  askToStop(): void {
    const callback = this.#stop;
    this.#stop = null;
    if (callback) this.clock.post(callback);
  }

  /** The whole object of a segment that has its head. */
  objectOf(segment: Segment): Uint8Array {
    if (!("object" in segment) || typeof segment.object !== "function")
      throw new TypeError("not a segment of this double");
    return segment.object();
  }

  /** What the log holds, one string. */
  get log(): string {
    return this.logged.map(({ level, line }) => `${level}: ${line}`).join("\n");
  }

  #native(options: RuntimeOptions): Native {
    const { clock, crypto, network, door, arena, state } = this;
    return {
      ...crypto,
      options,
      monotonicUs: () => clock.nowUs(),
      setTimer: (ms, callback) => clock.setTimer(ms, callback),
      clearTimer: (timer) => clock.clearTimer(timer),
      log: (level, line) => {
        this.logged.push({ level, line });
      },
      logTail: (bytes, back) => {
        const all = Buffer.from(`${this.log}\n`);
        const end = Math.max(0, all.length - back);
        const from = Math.max(0, end - bytes);
        const start = from === 0 ? 0 : all.indexOf("\n", from - 1) + 1;
        return { lines: new Uint8Array(all.subarray(start, end)), end: all.length };
      },
      alive: (pictures) => {
        this.signs.push(clock.nowUs());
        if (!pictures) this.encoderAsked.push(clock.nowUs());
      },
      usage: () => ({
        heapBytes: 1 << 20,
        rssBytes: 8 << 20,
        queueBytes: options.queueBytes,
        queueUsedBytes: arena.usedBytes,
      }),
      exit: (status) => {
        this.exits.push(status);
        throw new Exit(status);
      },
      onStop: (callback) => {
        this.#stop = callback;
      },
      utf8Encode: (text) => new Uint8Array(Buffer.from(text, "utf8")),
      utf8Decode: (bytes) => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes),
      readState: (name) => {
        checkName(name);
        if (this.stateError) return this.stateError;
        const bytes = state.get(name);
        return bytes === undefined ? null : new Uint8Array(bytes);
      },
      writeState: (name, bytes) => {
        checkName(name);
        if (bytes.length > STATE_MAX) throw new RangeError("a state file is at most 65,536 bytes");
        if (this.stateError) return this.stateError;
        state.set(name, new Uint8Array(bytes));
        return undefined;
      },
      eraseState: (name) => {
        checkName(name);
        if (this.stateError) return this.stateError;
        state.delete(name);
        return undefined;
      },
      readProvisioning: () => {
        const file = this.provisioningClosed ? null : this.provisioning;
        return file instanceof Uint8Array ? new Uint8Array(file) : file;
      },
      closeProvisioning: () => {
        this.provisioningClosed = true;
      },
      setDeviceSeed: (seed) => {
        if (seed.length !== 32) throw new RangeError("the device seed is 32 bytes");
        this.#seed = new Uint8Array(seed);
      },
      wipe: (bytes) => {
        bytes.fill(0);
      },
      openEncoder: (stream, on) => door.open(stream, on),
      openEpoch: (recipients) => arena.openEpoch(recipients),
      openSegment: (epoch, at) => arena.openSegment(epoch, at),
      sealRecord: (epoch, at, plain) => arena.sealRecord(epoch, at, plain),
      setTlsTime: (seconds, known) => network.setTlsTime(seconds, known),
      connect: (to: ConnectTo, on: ConnectionEvents) => network.connect(to, on),
    };
  }
}

function checkName(name: string): void {
  if (!/^[a-z][a-z0-9-]{0,30}$/.test(name))
    throw new RangeError(`not a state file's name: ${name}`);
}

export type Double = BaseDouble<VirtualClock>;

/** A double on a virtual clock. */
export function createDouble(given: DoubleOptions = {}): Double {
  return new BaseDouble(new VirtualClock(given.startUs), given);
}
