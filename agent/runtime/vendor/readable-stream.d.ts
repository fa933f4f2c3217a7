/** What the agent uses of readable-stream 4 (github.com/nodejs/readable-stream), typed by hand: its own types need Node's. */

export type Done = (error?: Error | null) => void;

/** Written chunks of a corked stream. */
export interface Chunk {
  readonly chunk: Uint8Array;
}

export declare class Writable {
  constructor(options: { readonly highWaterMark: number; readonly emitClose: true });
  readonly destroyed: boolean;
  write(bytes: Uint8Array, done?: Done): boolean;
  /** Writes what waits, then `_final`, then closes. */
  end(): this;
  /** Emits "close" once `_destroy` is done; without an error given no "error" is emitted. */
  destroy(error?: Error): this;
  on(event: "close", listener: () => void): this;
  _writev(chunks: readonly Chunk[], done: Done): void;
  _write(bytes: Uint8Array, encoding: string, done: Done): void;
  _final(done: Done): void;
  _destroy(error: Error | null, done: Done): void;
}
