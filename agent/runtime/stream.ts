/**
 * A native connection as the stream that the MQTT library expects.
 *
 * Writing is readable-stream's. Reading is not: the library reads by `pipe` alone, and here whoever owns the stream hands
 * the piped side one chunk at a time through `deliver`, so that nothing unseen reaches the library and what it throws over
 * a chunk is caught where the chunk came from.
 */
import { join } from "../identity/encoding.ts";
import type { Connection, Native, NativeError } from "./native.d.ts";
import { type Chunk, type Done, Writable } from "./vendor/readable-stream.js";

/** Bytes that may wait in the native connection, well below the 65,536 that it takes. */
const WAITING_BYTES = 32_768;
/** Bytes handed over at once: one TLS record holds no more (RFC 8446, 5.1). */
const PIECE_BYTES = 16_384;

export interface Destination {
  readonly host: string;
  readonly port: number;
  readonly caPem: string;
  readonly timeoutMs: number;
}

export interface StreamEvents {
  /** TLS is up. */
  open(): void;
  data(bytes: Uint8Array): void;
  /** Once, last; `null`: the peer closed in order. Not after the stream was destroyed from this side. */
  closed(error: NativeError | null): void;
}

export class ConnectionStream extends Writable {
  readonly #connection: Connection;
  #reader: Writable | null = null;
  #waiting: (() => void) | null = null;
  #flushed = false;

  /** Begins to connect at once. The stream owns the connection and closes it when it is destroyed or has ended. */
  constructor(native: Pick<Native, "connect">, to: Destination, on: StreamEvents) {
    super({ highWaterMark: WAITING_BYTES, emitClose: true });
    this.#connection = native.connect(to, {
      open: () => on.open(),
      data: (bytes) => {
        if (!this.destroyed) on.data(bytes);
      },
      drain: () => this.#drained(),
      closed: (error) => {
        if (this.destroyed) return;
        on.closed(error);
        this.destroy();
      },
    });
  }

  /** Stops or resumes `data`. */
  pause(paused: boolean): void {
    if (!this.destroyed) this.#connection.pause(paused);
  }

  /** Called by the MQTT library: where the packets go. */
  pipe(reader: Writable): Writable {
    this.#reader = reader;
    return reader;
  }

  /**
   * Hands one chunk to the piped side; `taken` is called, in a later turn, when the next may come. A chunk that the piped
   * side throws over gives that error here.
   */
  deliver(bytes: Uint8Array, taken: () => void): { readonly thrown: unknown } | null {
    try {
      this.#reader?.write(bytes, () => taken());
      return null;
    } catch (thrown) {
      return { thrown };
    }
  }

  override _write(bytes: Uint8Array, _encoding: string, done: Done): void {
    this.#send(bytes, done);
  }

  /** The library writes a packet as many small chunks; they go out as one. */
  override _writev(chunks: readonly Chunk[], done: Done): void {
    this.#send(join(...chunks.map(({ chunk }) => chunk)), done);
  }

  #send(bytes: Uint8Array, done: Done): void {
    let at = 0;
    const more = () => {
      while (at < bytes.length) {
        if (this.#connection.waitingBytes >= WAITING_BYTES) {
          this.#waiting = more;
          return;
        }
        this.#connection.write(bytes.subarray(at, at + PIECE_BYTES));
        at += PIECE_BYTES;
      }
      done();
    };
    more();
  }

  #drained(): void {
    const more = this.#waiting;
    this.#waiting = null;
    more?.();
  }

  override _final(done: Done): void {
    // What waits goes out, and a close_notify behind it.
    this.#flushed = true;
    this.#connection.close(true);
    done();
  }

  override _destroy(_error: Error | null, done: Done): void {
    this.#waiting = null;
    if (!this.#flushed) this.#connection.close();
    done(null);
  }
}
