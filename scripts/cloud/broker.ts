/**
 * The broker: Debian's mosquitto as our own unprivileged child, never the system's service.
 *
 * It is started in its own directory with relative paths: after it gave up root it could not reach
 * a private directory by its full path. It ends with this process, however that ends, so that none
 * is left behind on its ports.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { chown, mkdir, rename, stat } from "node:fs/promises";
import { createConnection } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Problem } from "../build/problem.mjs";
import { accessList, configuration, passwords } from "./broker-files.ts";
import type { KeyedCertificate } from "./ca.ts";
import { replaceFile } from "./files.ts";
import type { BrokerIdentity } from "./identities.ts";
import { freePort } from "./ports.ts";
import { type Account, checkPort, findProgram, serverAccount, unprivileged } from "./system.ts";

const START_MS = 20_000;
const STOP_MS = 5_000;
/** A server of another program may be told to take just the port that was picked: see ports.ts. */
const PORT_ATTEMPTS = 5;
const LOG_MAX_BYTES = 8 * 1024 * 1024;
/** Lines of its log kept to say why it ended. */
const LINES_KEPT = 10;

/** What a broker is made from. */
export interface BrokerOptions {
  /** Its own directory; made where it is missing. */
  readonly directory: string;
  readonly bind: string;
  /** MQTT over TLS; 0 takes a free one at the first start, and keeps it. */
  readonly mqttPort: number;
  /** MQTT over WebSocket over TLS; 0 likewise. */
  readonly webSocketPort: number;
  readonly certificate: KeyedCertificate;
  /** Everybody it is to know; asked at every start and `reload`. */
  readonly identities: () => readonly BrokerIdentity[];
  /** Told, with the end of its log, where the broker ends without having been stopped. */
  readonly onDeath: (sentence: string) => void;
}

/** Somebody waiting for a line of the log. */
interface Watcher {
  readonly wanted: (line: string) => boolean;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** A mosquitto of our own. */
export class Broker {
  readonly #options: BrokerOptions;
  readonly #command: readonly string[];
  readonly #account: Account | undefined;
  #certificate: KeyedCertificate;
  #mqttPort: number;
  #webSocketPort: number;
  #child: ChildProcess | undefined;
  #lines: string[] = [];
  readonly #watchers = new Set<Watcher>();
  #reloading: Promise<void> = Promise.resolve();

  private constructor(
    options: BrokerOptions,
    command: readonly string[],
    account: Account | undefined,
  ) {
    this.#options = options;
    this.#command = command;
    this.#account = account;
    this.#certificate = options.certificate;
    this.#mqttPort = options.mqttPort;
    this.#webSocketPort = options.webSocketPort;
  }

  /** Starts it and waits until it accepts connections. Throws Problem where it cannot. */
  static async start(options: BrokerOptions): Promise<Broker> {
    const mosquitto = await findProgram("mosquitto", "mosquitto");
    const account = await serverAccount(["mosquitto", "nobody"]);
    const command = await unprivileged(account, [mosquitto, "-c", "mosquitto.conf"]);
    const broker = new Broker(options, command, account);
    await broker.start();
    return broker;
  }

  /** Port of MQTT over TLS. */
  get mqttPort(): number {
    return this.#mqttPort;
  }

  /** Port of MQTT over WebSocket over TLS. */
  get webSocketPort(): number {
    return this.#webSocketPort;
  }

  /** The running process's id; undefined while stopped. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Path of its log. */
  get logFile(): string {
    return join(this.#options.directory, "mosquitto.log");
  }

  /** Starts it again after `stop`, on the same ports. */
  async start(): Promise<void> {
    if (this.#child) return;
    const { bind } = this.#options;
    if (this.#mqttPort) await checkPort(this.#mqttPort, bind, "--mqtt-port");
    if (this.#webSocketPort) await checkPort(this.#webSocketPort, bind, "--ws-port");
    for (let attempt = 1; attempt <= PORT_ATTEMPTS; attempt++) {
      const mqtt = this.#mqttPort || (await freePort(bind));
      const webSocket = this.#webSocketPort || (await freePort(bind));
      if (await this.#launch(mqtt, webSocket)) return;
    }
    throw new Problem("another program keeps taking mosquitto's ports; run this again.");
  }

  /**
   * Ends it and waits until it is gone.
   * @param signal SIGTERM lets it save what it retains; SIGKILL is a crash.
   */
  async stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    const child = this.#child;
    if (!child) return;
    this.#child = undefined;
    const gone = new Promise((resolve) => child.once("close", resolve));
    child.kill(signal);
    const hurry = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    await gone;
    clearTimeout(hurry);
  }

  /**
   * Makes it take over the identities as they are now; who is no longer among them is disconnected.
   * Resolves once every later connection is judged by them. Nothing to do while it is stopped.
   */
  reload(): Promise<void> {
    this.#reloading = this.#reloading.then(() => this.#reload());
    return this.#reloading;
  }

  /**
   * Uses another certificate. Restarts the broker, so every client has to connect again: mosquitto 2.0.11
   * reloads the certificate of its MQTT listener only, and not of the one for WebSocket (measured).
   */
  async setCertificate(certificate: KeyedCertificate): Promise<void> {
    this.#certificate = certificate;
    if (!this.#child) return;
    await this.stop();
    await this.start();
  }

  async #reload(): Promise<void> {
    const child = this.#child;
    if (!child) return;
    await this.#writeFiles();
    const reloading = this.#nextLine((line) => line.includes("Reloading config."));
    child.kill("SIGHUP");
    await reloading;
    await this.#untilIdle();
  }

  /**
   * Waits until mosquitto has gone once round its loop: it logs the start of a reload but not its end, and
   * a signal that comes before the end is lost.
   */
  async #untilIdle(): Promise<void> {
    const { bind } = this.#options;
    const host = bind === "0.0.0.0" ? "127.0.0.1" : bind === "::" ? "::1" : bind;
    const accepted = this.#nextLine((line) => line.includes("New connection"));
    const probe = createConnection(this.#mqttPort, host);
    // A broker that is gone is told by `accepted`.
    probe.on("error", () => {});
    try {
      await accepted;
    } finally {
      probe.destroy();
    }
  }

  async #writeFiles(): Promise<void> {
    const identities = this.#options.identities();
    await this.#write("passwd", passwords(identities));
    await this.#write("acl", accessList(identities));
    await this.#write("server.pem", this.#certificate.certPem);
    await this.#write("server.key", this.#certificate.keyPem);
  }

  async #write(name: string, text: string): Promise<void> {
    await replaceFile(join(this.#options.directory, name), text, this.#account);
  }

  /** @returns false where a port turned out to be taken. */
  async #launch(mqtt: number, webSocket: number): Promise<boolean> {
    const { directory, bind } = this.#options;
    await mkdir(directory, { recursive: true, mode: 0o700 });
    if (this.#account) await chown(directory, this.#account.uid, this.#account.gid);
    await this.#writeFiles();
    await this.#write("mosquitto.conf", configuration({ bind, mqtt, webSocket }));
    await makeRoom(this.logFile);
    const child = this.#spawn();
    child.once("close", (code, signal) => {
      const how = signal ?? `exit status ${code}`;
      const last = this.#lines.at(-1) ?? "none";
      const death = new Problem(
        `mosquitto ended unasked (${how}); start it again. Its log is ${this.logFile}, the last line: ${last}`,
      );
      for (const watcher of this.#watchers) watcher.reject(death);
      if (this.#child !== child) return;
      this.#child = undefined;
      this.#options.onDeath(death.message);
    });
    try {
      await this.#nextLine((line) => /mosquitto version \S+ running/.test(line));
    } catch (error) {
      child.kill("SIGKILL");
      if (this.#lines.some((line) => line.includes("Address already in use"))) return false;
      throw error;
    }
    this.#mqttPort = mqtt;
    this.#webSocketPort = webSocket;
    // A SIGTERM that comes before its first turn is lost (measured).
    await this.#untilIdle();
    this.#child = child;
    return true;
  }

  #spawn(): ChildProcess {
    const [program = "", ...args] = this.#command;
    const cwd = this.#options.directory;
    // In a process group of its own: a terminal's Ctrl-C is for us, who then stop it in order.
    const child = spawn(program, args, {
      ...{ cwd, detached: true },
      stdio: ["ignore", "ignore", "pipe"],
    });
    const log = createWriteStream(this.logFile, { flags: "a", mode: 0o600 });
    // That a disk is full is told by the store, which is on the same: the broker goes on without a log.
    log.on("error", () => {});
    this.#lines = [];
    const lines = createInterface({ input: child.stderr });
    lines.on("line", (line) => {
      log.write(`${line}\n`);
      this.#lines = [...this.#lines.slice(1 - LINES_KEPT), line];
      for (const watcher of this.#watchers) if (watcher.wanted(line)) watcher.resolve();
    });
    lines.once("close", () => log.end());
    return child;
  }

  /** Waits for a line of the log. Rejects where the broker ends first, or is silent for long. */
  async #nextLine(wanted: (line: string) => boolean): Promise<void> {
    let watcher: Watcher | undefined;
    let late: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        watcher = { wanted, resolve, reject };
        this.#watchers.add(watcher);
        const silence = new Problem(`mosquitto does not answer; its log is ${this.logFile}.`);
        late = setTimeout(() => reject(silence), START_MS);
      });
    } finally {
      clearTimeout(late);
      if (watcher) this.#watchers.delete(watcher);
    }
  }
}

/** Puts a log that has grown large aside, over the one put aside before. */
async function makeRoom(file: string): Promise<void> {
  const { size } = await stat(file).catch(() => ({ size: 0 }));
  if (size > LOG_MAX_BYTES) await rename(file, `${file}.old`);
}
