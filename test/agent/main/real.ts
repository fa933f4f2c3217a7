/**
 * A camera in real time against a real cloud: the agent's TypeScript in Node, the double's ring and arena, and TLS by Node
 * in place of the shim's.
 */
import assert from "node:assert/strict";
import { isIP } from "node:net";
import { connect, type TLSSocket } from "node:tls";
import { ocellus } from "#proto";
import { startCamera } from "../../../agent/camera.ts";
import { toHex } from "../../../agent/identity/encoding.ts";
import { makePipeline } from "../../../agent/pipeline.ts";
import type {
  Connection,
  Native,
  NativeError,
  NativeErrorCode,
  Segment,
} from "../../../agent/runtime/native.d.ts";
import type { CloudAccess } from "../../../scripts/cloud/access.ts";
import { CONFIG, syntheticFrame } from "../double/clip.ts";
import type { Turns } from "../double/clock.ts";
import { plain } from "../double/crypto.ts";
import { BaseDouble, type DoubleOptions, Exit } from "../double/double.ts";
import type { ConnectionEvents, ConnectTo } from "../double/network.ts";
import { MemoryRing } from "../double/ring.ts";
import type { Owner } from "../owner.ts";

/** Node's own clock and timers. */
export class WallClock implements Turns {
  readonly #timers = new Map<number, NodeJS.Timeout>();
  #last = 0;
  /** Microseconds by which it is ahead of Node's: time that passes without a test waiting for it. */
  aheadUs = 0;

  nowUs(): number {
    return Number(process.hrtime.bigint() / 1000n) + this.aheadUs;
  }

  setTimer(ms: number, callback: () => void): number {
    const number = ++this.#last;
    const timer = setTimeout(() => {
      this.#timers.delete(number);
      try {
        callback();
      } catch (error) {
        // The process has ended: nothing of it runs any more.
        if (!(error instanceof Exit)) throw error;
        this.stop();
      }
    }, ms);
    this.#timers.set(number, timer);
    return number;
  }

  clearTimer(number: number): void {
    clearTimeout(this.#timers.get(number));
    this.#timers.delete(number);
  }

  post(callback: () => void): void {
    setImmediate(callback);
  }

  /** Forgets every timer: the process is gone. */
  stop(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}

/** Codes of Node's TLS as the contract names them. */
const CODES: Record<string, NativeErrorCode> = {
  ECONNREFUSED: "refused",
  ECONNRESET: "reset",
  ENOTFOUND: "dns",
  CERT_HAS_EXPIRED: "tls-certificate-expired",
  ERR_TLS_CERT_ALTNAME_INVALID: "tls-certificate-name",
  SELF_SIGNED_CERT_IN_CHAIN: "tls-certificate-untrusted",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "tls-certificate-untrusted",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "tls-certificate-untrusted",
};

/** A connection of the contract over node:tls. */
export class TlsConnection implements Connection {
  readonly #socket: TLSSocket;
  readonly #objectOf: (segment: Segment) => Uint8Array;
  #closed = false;

  constructor(to: ConnectTo, on: ConnectionEvents, objectOf: (segment: Segment) => Uint8Array) {
    this.#objectOf = objectOf;
    const servername = isIP(to.host) === 0 ? { servername: to.host } : {};
    this.#socket = connect({ host: to.host, port: to.port, ca: to.caPem, ...servername });
    let failed: NativeError | null = null;
    this.#socket.setTimeout(to.timeoutMs, () => {
      if (!this.#socket.connecting) return;
      failed = { error: "timeout", text: "The server does not answer." };
      this.#socket.destroy();
    });
    this.#socket.on("secureConnect", () => {
      const cipher = this.#socket.getCipher().standardName;
      on.open({ version: "TLSv1.3", cipher, resumed: this.#socket.isSessionReused() });
    });
    this.#socket.on("data", (bytes: Buffer) => {
      for (let at = 0; at < bytes.length && !this.#closed; at += 16_384) {
        on.data(plain(bytes.subarray(at, at + 16_384)));
      }
    });
    this.#socket.on("drain", () => {
      if (!this.#closed) on.drain();
    });
    this.#socket.on("error", (error: NodeJS.ErrnoException) => {
      failed = { error: CODES[error.code ?? ""] ?? "io", text: error.message };
    });
    this.#socket.on("close", () => {
      if (this.#closed) return;
      this.#closed = true;
      on.closed(failed);
    });
  }

  write(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  sendSegment(segment: Segment): void {
    this.#socket.write(this.#objectOf(segment));
  }

  get waitingBytes(): number {
    return this.#socket.writableLength;
  }

  pause(paused: boolean): void {
    if (paused) this.#socket.pause();
    else this.#socket.resume();
  }

  get wireBytesIn(): number {
    return this.#socket.bytesRead;
  }

  get wireBytesOut(): number {
    return this.#socket.bytesWritten;
  }

  /** The network fails. */
  fail(): void {
    this.#socket.destroy();
  }

  close(flush = false): void {
    this.#closed = true;
    if (flush) this.#socket.end();
    else this.#socket.destroy();
  }
}

/** A port of this machine that nobody listens on. */
const NOBODY = 1;

export class RealCamera {
  readonly double: BaseDouble<WallClock>;
  readonly #ring = new MemoryRing();
  readonly #connections = new Set<TlsConnection>();
  readonly #encoder: NodeJS.Timeout;
  #fed = 0;
  /** The network is away: nothing can be connected to. */
  offline = false;

  /** Starts at once, with an encoder of 25 frames a second. */
  constructor(owner: Owner, access: CloudAccess, options: DoubleOptions = {}) {
    const buildTimeS = Math.floor(Date.now() / 1000) - 86_400;
    this.double = new BaseDouble(new WallClock(), {
      provisioning: provisioningFor(owner, access),
      ...options,
      options: { buildTimeS, ...options.options },
    });
    this.#ring.setConfig(CONFIG);
    this.double.door.start(this.#ring);
    this.#encoder = setInterval(() => this.#feed(), 40);
    const native: Native = {
      ...this.double.native,
      connect: (to, on) => {
        const reached = this.offline ? { ...to, port: NOBODY } : to;
        const connection = new TlsConnection(reached, on, (s) => this.double.objectOf(s));
        this.#connections.add(connection);
        return connection;
      },
    };
    startCamera(native, makePipeline);
  }

  /** The network fails for a moment: every connection is reset. */
  cut(): void {
    for (const connection of this.#connections) connection.fail();
  }

  /** The power is gone: no goodbye, sockets reset. */
  kill(): void {
    clearInterval(this.#encoder);
    this.double.clock.stop();
    for (const connection of this.#connections) connection.close();
  }

  #feed(): void {
    const key = this.#fed % 25 === 0;
    const payload = syntheticFrame(this.#fed, key ? 6_000 : 1_500, key);
    this.#ring.push({ payload, key, captureUs: this.double.clock.nowUs() });
    this.#fed += 1;
  }
}

function provisioningFor(owner: Owner, { store, broker }: CloudAccess): Uint8Array {
  const file = owner.provisioning({
    store: {
      endpoint: store.endpoint,
      region: store.region,
      bucket: store.bucket,
      access_key_id: store.accessKeyId,
      secret_access_key: store.secretAccessKey,
      ca_pem: store.caPem,
    },
    broker: {
      url: broker.url,
      username: broker.username,
      password: broker.password,
      ca_pem: broker.caPem,
    },
  });
  return plain(Buffer.from(JSON.stringify(file)));
}

/** Waits in real time until `done` gives something. */
export async function eventually<T>(
  what: string,
  done: () => T | null,
  limitMs = 20_000,
): Promise<T> {
  const end = Date.now() + limitMs;
  for (;;) {
    const found = done();
    if (found !== null) return found;
    if (Date.now() > end) assert.fail(`${what}: not within ${limitMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** Camera id as the cloud wants it. */
export function idOf(owner: Owner): string {
  return toHex(owner.camera);
}

export const { v1 } = ocellus;
