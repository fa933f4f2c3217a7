/**
 * The edge to the broker: one MQTT 5 connection after the other, each with a client of its own, so that nothing of a dead
 * connection reaches the next. Source: MQTT 5.0 (OASIS).
 */
import type { BrokerAccess } from "../identity/access.ts";
import { parseOrigin } from "../identity/origin.ts";
import type { Native } from "../runtime/native.d.ts";
import { ConnectionStream } from "../runtime/stream.ts";
import { timersFor } from "../runtime/timers.ts";
import { type ClientError, MqttClient } from "../runtime/vendor/mqtt.js";
import { backoffMs } from "./backoff.ts";
import { Inbound, PACKET_BYTES } from "./inbound.ts";
import { Pump } from "./pump.ts";
import {
  connectionTrouble,
  inboundTrouble,
  reasonTrouble,
  SILENT_BROKER,
  type Trouble,
} from "./trouble.ts";

const CONNECT_TIMEOUT_MS = 20_000;
const KEEPALIVE_S = 60;
/**
 * The broker waits this long after a death before it says so on `link`: a reconnection in time says nothing. That holds
 * only while the session lasts and is gone on with (3.1.2.5, 3.1.3.2.2): its end publishes the will at once, and so does a
 * Clean Start.
 */
const WILL_DELAY_S = 10;
/**
 * No longer: meanwhile the broker keeps the subscription, and the commands that come. They are judged as all are, by
 * counter and time, so one that comes twice (the broker had no acknowledgement) is carried out once. What we had on the way
 * is published again by those who sent it, as new packets: a session's other half would be kept for nothing.
 */
const SESSION_EXPIRY_S = WILL_DELAY_S;
/** Unacknowledged QoS 1 messages that the broker may have towards the camera. */
const RECEIVE_MAXIMUM = 8;
/** Our own unacknowledged messages at a time; fewer where the broker wants fewer. */
const AT_ONCE = 8;
/** A connection that lasted this long starts the back-off anew. */
const STABLE_US = 30_000_000;
/** A broker that answers pings but acknowledges nothing for so long is given up. */
const ACKNOWLEDGED_WITHIN_US = 30_000_000;
/** So is one that takes so long from the start of an attempt until it has acknowledged the subscription. */
const UP_WITHIN_US = 60_000_000;

export interface BrokerOptions {
  readonly clientId: string;
  readonly linkTopic: string;
  readonly commandTopic: string;
  /** Asked before each attempt. */
  access(): BrokerAccess;
  /** The will of connection number `connection`, raw. */
  will(connection: number): Uint8Array;
}

export interface BrokerEvents {
  /** Connected and subscribed. */
  up(): void;
  /** An attempt failed or a connection ended; the next attempt is already timed. */
  down(trouble: Trouble): void;
  /** A message on the command topic: at most PACKET_BYTES, not looked at yet. */
  command(payload: Uint8Array): void;
}

/** `null`: the broker has it. */
export type Published = (refused: Trouble | null) => void;

interface Connected {
  readonly client: MqttClient;
  readonly stream: ConnectionStream;
  readonly startedUs: number;
  /** Messages published and not acknowledged yet, oldest first. */
  readonly unacknowledged: Set<{ readonly atUs: number }>;
  /** How many of them the broker takes at a time. */
  atOnce: number;
}

export class Broker {
  readonly #native: Native;
  readonly #options: BrokerOptions;
  readonly #on: BrokerEvents;
  #current: Connected | null = null;
  #up = false;
  #connection = 0;
  /** The broker has a session of this process's, or had one. */
  #inSession = false;
  #failures = 0;
  #timer: number | null = null;
  /** When `#timer` connects. */
  #connectUs = 0;
  #stopped = false;

  constructor(native: Native, options: BrokerOptions, on: BrokerEvents) {
    this.#native = native;
    this.#options = options;
    this.#on = on;
  }

  /** Number of the newest connection attempt within this boot, from 1. */
  get connection(): number {
    return this.#connection;
  }

  get up(): boolean {
    return this.#up;
  }

  /** Begins to connect, after `waitMs` or `connectIfWaiting`, and to reconnect for ever. */
  start(waitMs = 0): void {
    if (waitMs === 0) this.#connect();
    else this.#connectLater(waitMs);
  }

  /** Makes the first connection now if `start` still waits; back-off goes on. */
  connectIfWaiting(): void {
    if (this.#connection === 0 && !this.#stopped) this.#connect();
  }

  /** Whether there is a connection or an attempt at one that began at `atUs`, monotonic, or before. */
  begunBy(atUs: number): boolean {
    return this.#current !== null && this.#current.startedUs <= atUs;
  }

  /** Whether the broker takes another message now: connected, and not too many on the way. */
  get ready(): boolean {
    const current = this.#current;
    return this.#up && current !== null && current.unacknowledged.size < current.atOnce;
  }

  /** QoS 1. Only while `up` (a defect otherwise), and politely only while `ready`. `done` is not called where the connection ends first: see `down`. */
  publish(topic: string, payload: Uint8Array, retain: boolean, done: Published): void {
    const current = this.#current;
    if (current === null || !this.#up) throw new Error("publish while not connected");
    const sent = { atUs: this.#native.monotonicUs() };
    current.unacknowledged.add(sent);
    current.client.publish(topic, payload, { qos: 1, retain }, (error) => {
      current.unacknowledged.delete(sent);
      if (current !== this.#current) return;
      if (!error) done(null);
      else if (typeof error.code === "number") done(reasonTrouble(error.code));
    });
  }

  /** Called now and then: gives a connection up on which the broker acknowledges nothing any more. */
  giveUpIfStalled(): void {
    const current = this.#current;
    const dueUs = current && this.#acknowledgedByUs(current);
    if (current === null || dueUs === null) return;
    if (this.#native.monotonicUs() > dueUs) this.#lost(current, SILENT_BROKER);
  }

  /**
   * Until when what is under way must have ended, monotonic µs: an attempt to connect, a wait before one, a message that the
   * broker has not acknowledged. `null`: nothing is.
   */
  get dueUs(): number | null {
    if (this.#stopped) return null;
    return this.#current === null ? this.#connectUs : this.#acknowledgedByUs(this.#current);
  }

  #acknowledgedByUs({ startedUs, unacknowledged }: Connected): number | null {
    if (!this.#up) return startedUs + UP_WITHIN_US;
    const [oldest] = unacknowledged;
    return oldest === undefined ? null : oldest.atUs + ACKNOWLEDGED_WITHIN_US;
  }

  /** Drops the connection, if there is one, and connects again at once: its access or what judged it has changed. */
  reconnect(): void {
    if (this.#stopped) return;
    this.#drop();
    this.#failures = 0;
    this.#connect();
  }

  /**
   * Sends DISCONNECT, which cancels the will, and never connects again. Resolves when the connection is closed, or after
   * `withinMs`.
   */
  stop(withinMs: number): Promise<void> {
    this.#stopped = true;
    this.#clearTimer();
    const current = this.#current;
    this.#current = null;
    this.#up = false;
    if (current === null) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#native.setTimer(withinMs, () => {
        current.stream.destroy();
        resolve();
      });
      current.client.on("close", () => {
        this.#native.clearTimer(timer);
        resolve();
      });
      current.client.end(!current.client.connected);
    });
  }

  #connectLater(waitMs: number): void {
    this.#connectUs = this.#native.monotonicUs() + waitMs * 1000;
    this.#timer = this.#native.setTimer(waitMs, () => this.#connect());
  }

  #connect(): void {
    this.#clearTimer();
    const access = this.#options.access();
    const origin = parseOrigin(access.url, "mqtts", 8883);
    if (origin === null) throw new Error("broker access was not checked");
    this.#connection += 1;

    const startedUs = this.#native.monotonicUs();
    const inbound = new Inbound(startedUs);
    const pump = new Pump(this.#native, inbound, (trouble) => this.#lost(current, trouble));
    const stream = new ConnectionStream(
      this.#native,
      { ...origin, caPem: access.caPem, timeoutMs: CONNECT_TIMEOUT_MS },
      {
        open: () => {},
        data: (bytes) => pump.data(bytes),
        closed: (error) => this.#lost(current, connectionTrouble(error)),
      },
    );
    pump.attach(stream);
    const client = new MqttClient(() => stream, this.#clientOptions(access));
    const unacknowledged: Connected["unacknowledged"] = new Set();
    const current: Connected = { client, stream, startedUs, unacknowledged, atOnce: AT_ONCE };
    this.#current = current;
    this.#listen(current);
  }

  #clientOptions(access: BrokerAccess): ConstructorParameters<typeof MqttClient>[1] {
    const options = this.#options;
    const { setInterval, clearInterval } = timersFor(this.#native);
    return {
      protocolVersion: 5,
      clientId: options.clientId,
      username: access.username,
      password: access.password,
      // What an earlier process left is not ours to go on with (3.2.2.1.1).
      clean: !this.#inSession,
      keepalive: KEEPALIVE_S,
      connectTimeout: CONNECT_TIMEOUT_MS,
      reconnectPeriod: 0,
      queueQoSZero: false,
      resubscribe: false,
      writeCache: false,
      timerVariant: { set: setInterval, clear: clearInterval },
      properties: {
        sessionExpiryInterval: SESSION_EXPIRY_S,
        receiveMaximum: RECEIVE_MAXIMUM,
        maximumPacketSize: PACKET_BYTES,
      },
      will: {
        topic: options.linkTopic,
        payload: options.will(this.#connection),
        qos: 1,
        retain: true,
        properties: { willDelayInterval: WILL_DELAY_S },
      },
    };
  }

  #listen(current: Connected): void {
    const { client } = current;
    client.on("connect", ({ properties }) => {
      this.#inSession = true;
      const wanted = properties?.receiveMaximum;
      if (typeof wanted === "number") current.atOnce = Math.min(AT_ONCE, Math.max(1, wanted));
      // rh 2: a command that somebody retained is not sent on each connection.
      client.subscribe({ [this.#options.commandTopic]: { qos: 1, rh: 2 } }, (error) => {
        if (error !== null) this.#lost(current, subscribeTrouble(error));
        else if (current === this.#current) this.#opened();
      });
    });
    client.on("message", (topic, payload) => {
      if (current === this.#current && topic === this.#options.commandTopic) {
        // A plain copy: the library's Buffer would keep the whole packet, and its slices are views.
        this.#on.command(new Uint8Array(payload));
      }
    });
    client.on("disconnect", ({ reasonCode }) => {
      this.#lost(current, reasonCode ? reasonTrouble(reasonCode) : connectionTrouble(null));
    });
    client.on("error", (error) => this.#lost(current, errorTrouble(error)));
    client.on("close", () => this.#lost(current, connectionTrouble(null)));
  }

  #opened(): void {
    this.#up = true;
    this.#on.up();
  }

  /** Of several reports about one connection the first says why; the others find it gone. */
  #lost(lost: Connected, trouble: Trouble): void {
    if (lost !== this.#current) return;
    const now = this.#native.monotonicUs();
    if (this.#up && now - lost.startedUs >= STABLE_US) this.#failures = 0;
    this.#drop();
    this.#failures += 1;
    const wait = backoffMs(this.#failures, random(this.#native));
    this.#connectLater(wait);
    this.#on.down(trouble);
  }

  #drop(): void {
    const current = this.#current;
    this.#current = null;
    this.#up = false;
    if (current === null) return;
    current.client.end(true);
    current.stream.destroy();
  }

  #clearTimer(): void {
    if (this.#timer !== null) this.#native.clearTimer(this.#timer);
    this.#timer = null;
  }
}

/** From the library's "error". It knows a refusing CONNACK, a missing CONNACK or PINGRESP, and packets it cannot take. */
function errorTrouble({ code, message }: ClientError): Trouble {
  if (typeof code === "number" && message.startsWith("Connection refused")) {
    return reasonTrouble(code);
  }
  return /timeout/i.test(message) ? SILENT_BROKER : inboundTrouble("malformed");
}

/** A subscription fails by its SUBACK, or because the connection is gone: then that was told before. */
function subscribeTrouble({ packet }: ClientError): Trouble {
  const code = packet?.granted?.[0];
  return code === undefined ? connectionTrouble(null) : reasonTrouble(code);
}

function random(native: Native): number {
  const [a = 0, b = 0] = native.random(2);
  return (a * 256 + b) / 65_536;
}
