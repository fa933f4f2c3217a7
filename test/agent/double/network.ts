/** The network of the double: servers that a test scripts, and TLS that is judged as setTlsTime says, without any bytes. */
import type { Connection, NativeError, NativeErrorCode } from "../../../agent/runtime/native.d.ts";
import type { Turns } from "./clock.ts";

/** The callbacks of `connect`. */
export interface ConnectionEvents {
  open(info: { version: "TLSv1.2" | "TLSv1.3"; cipher: string; resumed: boolean }): void;
  data(bytes: Uint8Array): void;
  drain(): void;
  closed(error: NativeError | null): void;
}

export interface ConnectTo {
  readonly host: string;
  readonly port: number;
  readonly caPem: string;
  readonly timeoutMs: number;
}

/** A certificate by what verification sees of it. Times in seconds since 1970 UTC. */
export interface Certificate {
  /** `caPem` of those who trust it; null: nobody does. */
  readonly ca: string | null;
  readonly names: readonly string[];
  readonly notBeforeS: number;
  readonly notAfterS: number;
}

export interface ServerScript {
  readonly certificate?: Partial<Certificate>;
  /** Fails every attempt so, before any bytes. "silence": never answers. */
  readonly fails?: NativeErrorCode | "silence";
  /** A connection has opened. */
  accept?(peer: ServerSide): void;
}

/** What can be sent whole: the double's segments. */
export interface SendableObject {
  object(): Uint8Array;
}

/** Most connections at a time, and most bytes waiting in one, as native.d.ts says. */
const CONNECTIONS_MAX = 8;
const WRITE_MAX = 65_536;
const DATA_MAX = 16_384;

export class Network {
  readonly #turns: Turns;
  readonly #servers = new Map<string, ServerScript>();
  /** Until when a session may be resumed, seconds, by server, authority and certificate. */
  readonly #sessions = new Map<string, number>();
  readonly open = new Set<DoubleConnection>();
  /** Every attempt so far, `host:port`. */
  readonly attempts: string[] = [];
  #tls = { seconds: 0, known: false, atUs: 0 };

  constructor(turns: Turns) {
    this.#turns = turns;
  }

  /** Puts a server there, or changes what it does from the next connection on. */
  serve(host: string, port: number, script: ServerScript): void {
    this.#servers.set(`${host}:${port}`, script);
  }

  /** Takes a server away: attempts are refused. */
  remove(host: string, port: number): void {
    this.#servers.delete(`${host}:${port}`);
  }

  /** What certificates are judged by now. */
  get tlsTime(): { readonly seconds: number; readonly known: boolean } {
    const ran = Math.floor((this.#turns.nowUs() - this.#tls.atUs) / 1_000_000);
    return { seconds: this.#tls.seconds + ran, known: this.#tls.known };
  }

  setTlsTime(seconds: number, known: boolean): void {
    const before = this.tlsTime;
    if (before.known !== known || Math.abs(before.seconds - seconds) > 3600) this.#sessions.clear();
    this.#tls = { seconds, known, atUs: this.#turns.nowUs() };
  }

  connect(to: ConnectTo, on: ConnectionEvents): DoubleConnection {
    if (this.open.size >= CONNECTIONS_MAX) throw new RangeError("at most 8 connections");
    const key = `${to.host}:${to.port}`;
    this.attempts.push(key);
    const script = this.#servers.get(key) ?? { fails: "refused" };
    const connection = new DoubleConnection(this.#turns, on, () => this.open.delete(connection));
    this.open.add(connection);
    const certificate = certificateOf(to, script.certificate);
    const session = `${key} ${to.caPem} ${JSON.stringify(certificate)}`;
    // Resuming skips the certificate, as on the camera.
    const resumed = this.tlsTime.seconds < (this.#sessions.get(session) ?? 0);
    const fails = script.fails ?? (resumed ? null : this.#judge(to, certificate));
    if (fails === "silence") {
      const timer = this.#turns.setTimer(to.timeoutMs, () =>
        connection.fail({ error: "timeout", text: `${to.host} does not answer` }),
      );
      connection.whenGone(() => this.#turns.clearTimer(timer));
      return connection;
    }
    this.#turns.post(() => {
      if (fails !== null) return connection.fail({ error: fails, text: `${to.host}: ${fails}` });
      this.#sessions.set(session, certificate.notAfterS);
      connection.opened(resumed, script);
    });
    return connection;
  }

  #judge(to: ConnectTo, certificate: Certificate): NativeErrorCode | null {
    const { ca, names, notBeforeS, notAfterS } = certificate;
    if (ca !== to.caPem) return "tls-certificate-untrusted";
    if (!names.includes(to.host)) return "tls-certificate-name";
    if (notAfterS < this.tlsTime.seconds) return "tls-certificate-expired";
    if (this.tlsTime.known && notBeforeS > this.tlsTime.seconds)
      return "tls-certificate-not-yet-valid";
    return null;
  }
}

function certificateOf(to: ConnectTo, given: Partial<Certificate> = {}): Certificate {
  return { ca: to.caPem, names: [to.host], notBeforeS: 0, notAfterS: 2 ** 40, ...given };
}

/** The server's end of a connection, for scripts. */
export class ServerSide {
  /** Bytes from the camera; set it in `accept`. */
  onData: (bytes: Uint8Array) => void = () => {};
  /** The camera has closed. */
  onClose: () => void = () => {};
  readonly #connection: DoubleConnection;
  #reading = true;

  constructor(connection: DoubleConnection) {
    this.#connection = connection;
  }

  /** A server that does not read leaves the camera's bytes waiting. */
  get reading(): boolean {
    return this.#reading;
  }
  set reading(reading: boolean) {
    this.#reading = reading;
    if (reading) this.#connection.pump();
  }

  write(bytes: Uint8Array): void {
    this.#connection.receive(bytes);
  }

  /** Closes in order. */
  end(): void {
    this.#connection.fail(null);
  }

  fail(error: NativeErrorCode): void {
    this.#connection.fail({ error, text: `the connection failed: ${error}` });
  }
}

export class DoubleConnection implements Connection {
  readonly #turns: Turns;
  readonly #on: ConnectionEvents;
  readonly #forget: () => void;
  #gone: (() => void)[] = [];
  #server: ServerSide | null = null;
  #out: { bytes: Uint8Array; object: boolean }[] = [];
  #in: Uint8Array[] = [];
  #paused = false;
  #state: "opening" | "open" | "closed" = "opening";
  #pumping = false;
  wireBytesIn = 0;
  wireBytesOut = 0;

  constructor(turns: Turns, on: ConnectionEvents, forget: () => void) {
    this.#turns = turns;
    this.#on = on;
    this.#forget = forget;
  }

  write(bytes: Uint8Array): void {
    this.#mustNotBeClosed();
    const waiting = this.#out.reduce((sum, o) => sum + (o.object ? 0 : o.bytes.length), 0);
    if (waiting + bytes.length > WRITE_MAX) throw new RangeError("at most 65,536 bytes waiting");
    this.#out.push({ bytes: new Uint8Array(bytes), object: false });
    this.pump();
  }

  sendSegment(segment: object): void {
    this.#mustNotBeClosed();
    if (!isSendable(segment)) throw new TypeError("not a segment of this double");
    if (this.#out.some(({ object }) => object)) throw new RangeError("one object at a time");
    this.#out.push({ bytes: segment.object(), object: true });
    this.pump();
  }

  get waitingBytes(): number {
    return this.#out.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  pause(paused: boolean): void {
    this.#mustNotBeClosed();
    this.#paused = paused;
    if (!paused) this.pump();
  }

  close(flush = false): void {
    if (this.#state === "closed") return;
    if (flush && this.#server?.reading)
      for (const { bytes } of this.#out) this.#server.onData(bytes);
    this.#end();
    const server = this.#server;
    if (server !== null) this.#turns.post(() => server.onClose());
  }

  /** @internal */
  opened(resumed: boolean, script: ServerScript): void {
    if (this.#state !== "opening") return;
    this.#state = "open";
    this.#server = new ServerSide(this);
    script.accept?.(this.#server);
    this.#on.open({ version: "TLSv1.3", cipher: "TLS_CHACHA20_POLY1305_SHA256", resumed });
    this.pump();
  }

  /** @internal */
  receive(bytes: Uint8Array): void {
    if (this.#state === "closed") return;
    for (let at = 0; at < bytes.length; at += DATA_MAX)
      this.#in.push(new Uint8Array(bytes.subarray(at, at + DATA_MAX)));
    this.pump();
  }

  /** @internal */
  fail(error: NativeError | null): void {
    this.#turns.post(() => {
      if (this.#state === "closed") return;
      while (this.#in.length > 0 && !this.#paused) this.#deliver();
      if (this.#isClosed()) return;
      this.#end();
      this.#on.closed(error);
    });
  }

  /** @internal */
  whenGone(callback: () => void): void {
    this.#gone.push(callback);
  }

  /** @internal Moves bytes both ways, in turns of their own. */
  pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    this.#turns.post(() => {
      this.#pumping = false;
      if (this.#state !== "open") return;
      if (this.#in.length > 0 && !this.#paused) this.#deliver();
      if (this.#isClosed()) return;
      const server = this.#server;
      const next = server?.reading ? this.#out.shift() : undefined;
      if (server && next) {
        this.wireBytesOut += next.bytes.length;
        server.onData(next.bytes);
        if (this.#isClosed()) return;
        if (this.#out.length === 0) this.#on.drain();
      }
      if (this.#isClosed()) return;
      const moreIn = this.#in.length > 0 && !this.#paused;
      if (moreIn || (this.#out.length > 0 && this.#server?.reading)) this.pump();
    });
  }

  #deliver(): void {
    const bytes = this.#in.shift();
    if (bytes === undefined) return;
    this.wireBytesIn += bytes.length;
    this.#on.data(bytes);
  }

  /** A callback may have closed the connection; the compiler cannot know. */
  #isClosed(): boolean {
    return this.#state === "closed";
  }

  #end(): void {
    this.#state = "closed";
    this.#out = [];
    this.#in = [];
    this.#forget();
    for (const gone of this.#gone.splice(0)) gone();
  }

  #mustNotBeClosed(): void {
    if (this.#state === "closed") throw new Error("the connection is closed");
  }
}

function isSendable(value: object): value is SendableObject {
  return "object" in value && typeof value.object === "function";
}
