/**
 * The native contract: everything the agent can ask of the machine it runs on.
 *
 * It has three homes: the device and the host build (native/host, C), and the test double (test/agent/double).
 * The runtime puts one object of this type into the global `native` before the bundle is evaluated; the agent's
 * edges take it as a parameter, and only main.ts reads the global.
 *
 * Rules that hold throughout
 * - One thread, one poll loop. A callback runs in a turn of its own, never inside the call that registered it.
 * - Bytes passed in are copied or consumed before the call returns, unless the function says otherwise; bytes
 *   handed out are fresh copies that belong to the caller.
 * - A handle (Encoder, Epoch, Segment, Connection) belongs to whoever opened it, who calls `close`. `close` is
 *   idempotent; any other call on a closed handle throws. A handle that is garbage without having been closed is
 *   closed by the runtime, which logs that as a defect.
 * - Expected trouble is in the return type. What throws (TypeError, RangeError, Error) is a defect of the caller.
 * - Times: `_us` microseconds of CLOCK_MONOTONIC as the encoder stamps frames; exact up to 2^53.
 */

declare global {
  /** Set by the runtime before the bundle runs. */
  var native: Native;
}

export interface Native {
  // ---- process ------------------------------------------------------------------------------------------------------
  readonly options: RuntimeOptions;
  /** Microseconds of CLOCK_MONOTONIC. */
  monotonicUs(): number;
  /** Calls back once after at least `ms` (0 to 2^31 − 1). Returns a timer number that is not reused in this process. */
  setTimer(ms: number, callback: () => void): number;
  /** Forgets the timer; an unknown or past one is ignored. */
  clearTimer(timer: number): void;
  /** One line to the log: standard error and the RAM log ring. Control characters are replaced; cut at 1,000 bytes. */
  log(level: LogLevel, line: string): void;
  /**
   * What of the log stands before its newest `back` bytes (at most 2^32 − 1): at most `bytes` (at most 65,536) of it, starting
   * at a line. Of the RAM log ring; or, where the command line names the supervisor's log, of that: then it also holds the
   * encoder's and the supervisor's lines, those of runs before this one, and the end of the boot before.
   */
  logTail(bytes: number, back: number): LogPart;
  /**
   * A sign of life to the supervisor, which stops an agent that gives none for 20 s: one byte into the pipe that the
   * command line names. `pictures` false asks to have the encoder, and only that, started again, which the supervisor does
   * more rarely each time. Never blocks. Does nothing where it names none. The descriptor is close-on-exec and closed
   * nowhere else: with it the process is killed when its supervisor ends.
   */
  alive(pictures: boolean): void;
  /** Memory and queue figures, read now. */
  usage(): Usage;
  /**
   * Ends the process after pending writes to the log. 0: asked to stop; 70: defect (also what an uncaught exception
   * or an unhandled rejection does); 75: restart wanted; 76: reboot wanted (the supervisor reboots the machine).
   * What the runtime itself ends with 70 for (also a turn of more than 10 s, or an exhausted heap, caught or not) is
   * one line of the log, kept in the state file `defect` (UTF-8) until the next such end, for the agent to say after it.
   */
  exit(status: 0 | 70 | 75 | 76): never;
  /** Called once on SIGTERM or SIGINT; the agent then has 5 s before the runtime exits with 0 by itself. */
  onStop(callback: () => void): void;
  /** UTF-8, RFC 3629. Decoding replaces malformed sequences by U+FFFD. */
  utf8Encode(text: string): Uint8Array;
  utf8Decode(bytes: Uint8Array): string;

  // ---- durable state --------------------------------------------------------------------------------------------------
  /**
   * Small files of the state directory, opened before root was dropped. Names match [a-z][a-z0-9-]{0,30}.
   * `null`: there is no such file. Files above 65,536 bytes and read errors give an Error value.
   */
  readState(name: string): Uint8Array | null | NativeError;
  /** Durable and atomic: after a power cut the file holds the old or the new bytes. At most 65,536 bytes. */
  writeState(name: string, bytes: Uint8Array): undefined | NativeError;
  /** Overwrites with zeros where the file system does so in place, then removes, durably. A missing file is no error. */
  eraseState(name: string): undefined | NativeError;
  /**
   * The provisioning file named on the command line, at most 65,536 bytes, opened anew at each call: one that comes
   * later, or takes another's place, is found. `null`: none was named, it is not there, or `closeProvisioning` was
   * called. An Error value where it is there and cannot be read: the process has given up root by then, and only what
   * stood there at its start is still read with root's rights.
   */
  readProvisioning(): Uint8Array | null | NativeError;
  /** Ends that for good: the file, which holds secrets and may be on a medium to be removed, is held open no longer. */
  closeProvisioning(): void;

  // ---- random and crypto ----------------------------------------------------------------------------------------------
  /**
   * Sets the 32-byte device seed that hedges `random` and segment keys from here on; `random` before it uses the
   * system's generator alone. The bytes are copied; the caller wipes its own.
   */
  setDeviceSeed(seed: Uint8Array): void;
  /** `bytes` (at most 65,536) random bytes: the system's generator, hedged as FORMAT.md ("Keys") says. */
  random(bytes: number): Uint8Array;
  /** Overwrites with zeros in a way the compiler keeps. */
  wipe(bytes: Uint8Array): void;
  sha256(bytes: Uint8Array): Uint8Array;
  sha512(bytes: Uint8Array): Uint8Array;
  hmacSha256(key: Uint8Array, bytes: Uint8Array): Uint8Array;
  /** Constant time for equal lengths; false for different ones. */
  equal(a: Uint8Array, b: Uint8Array): boolean;
  /** Ed25519 (RFC 8032): 32-byte public key, 64-byte secret key (seed ‖ public key). */
  signKeypair(): { publicKey: Uint8Array; secretKey: Uint8Array };
  sign(message: Uint8Array, secretKey: Uint8Array): Uint8Array;
  /** False, too, for a signature or public key of another length: they may come from anywhere. */
  verify(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean;
  /** X25519 (RFC 7748), 32 bytes each. */
  boxKeypair(): { publicKey: Uint8Array; secretKey: Uint8Array };
  /** NaCl crypto_box_beforenm. `null` where the public key gives the all-zero point, or has not 32 bytes. */
  boxBefore(publicKey: Uint8Array, secretKey: Uint8Array): Uint8Array | null;

  // ---- the encoder's door -----------------------------------------------------------------------------------------------
  /**
   * Connects to the encoder's socket and subscribes to a stream. Returns at once; an Error value where nobody listens.
   * The callbacks come from the poll loop: `readable` once the encoder has handed over its ring, and whenever frames may
   * be waiting or the encoder has ended; `reply` for an answered request; `closed` once: `null` when the encoder went away
   * (frames still in the ring can be read), an Error value when it refused, handed over no good ring, or did not answer
   * within 1 s (there is nothing to read then, and requests under way get no reply). Until the ring is there `next` and
   * `config` give null; requests are sent all the same.
   */
  openEncoder(
    stream: number,
    on: {
      readable(): void;
      reply(id: number, result: "ok" | "unsupported" | "refused"): void;
      closed(error: NativeError | null): void;
    },
  ): Encoder | NativeError;

  // ---- sealing ------------------------------------------------------------------------------------------------------------
  /**
   * A new epoch: makes an ephemeral X25519 pair, the shared key with each recipient (1 to 16 public keys of 32 bytes),
   * and wipes the ephemeral secret at once. An Error value where a recipient's key is a low-order point.
   */
  openEpoch(recipients: Uint8Array[]): Epoch | NativeError;
  /**
   * A new segment. Makes the segment key (FORMAT.md, "Keys") and its subkeys, which never leave C.
   * All sealed bytes live in one arena of `options.queueBytes`, allocated at start.
   */
  openSegment(epoch: Epoch, at: NonceFields): Segment;
  /** Seals a small message (at most 16,384 bytes) for all recipients of the epoch: kinds 4 and 5 of FORMAT.md. */
  sealRecord(epoch: Epoch, at: NonceFields, plain: Uint8Array): SealedParts;

  // ---- network ------------------------------------------------------------------------------------------------------------
  /**
   * What certificates are judged by. `known` false: `seconds` is a floor; notAfter is checked against it and notBefore
   * is not checked. True: both are. Applies to handshakes that begin from now on; until the next call `seconds` runs on
   * with the monotonic clock. A call that changes `known`, or sets another time than it has run to by more than an hour,
   * forgets the sessions kept for resumption: a resumed handshake judges no certificate, the next one must.
   */
  setTlsTime(seconds: number, known: boolean): void;
  /**
   * TLS 1.2 or 1.3 over TCP. Returns at once; the name is looked up without blocking. Chain and host name (or IP
   * subject alternative name) are always verified. ChaCha20-Poly1305 is offered first, and alone: a server that
   * refuses it is asked a second time, with AES-GCM, within the same `timeoutMs`. A session kept under
   * (host, port, ca) is offered for resumption as long as the chain it was verified by is valid. At most 8
   * connections at a time (RangeError). `timeoutMs` runs until `open`; afterwards the caller watches over time.
   */
  connect(
    to: { host: string; port: number; caPem: string; timeoutMs: number },
    on: {
      open(info: { version: "TLSv1.2" | "TLSv1.3"; cipher: string; resumed: boolean }): void;
      /** Never more than 16,384 bytes at a time. */
      data(bytes: Uint8Array): void;
      /** All that `write` and `sendSegment` took has gone to the kernel. */
      drain(): void;
      /**
       * Once, last. `null`: the peer closed in order, by close_notify; without it: "reset". Not called after `close()`.
       * From here until `close()` the other methods do nothing.
       */
      closed(error: NativeError | null): void;
    },
  ): Connection;
}

export interface LogPart {
  readonly lines: Uint8Array;
  /**
   * Where the log ends, bytes: `lines` end `back` before that. It rises as the log grows; where it falls, old lines were thrown
   * away, and positions are other ones from then on.
   */
  readonly end: number;
}

export type LogLevel = "debug" | "info" | "warning" | "error";

/** What went wrong, for status and log. Never holds a secret. */
export interface NativeError {
  readonly error: NativeErrorCode;
  /** One sentence for people. */
  readonly text: string;
}

export type NativeErrorCode =
  | "io"
  | "too-large"
  | "no-encoder"
  | "bad-ring"
  | "low-order-key"
  | "dns"
  | "refused"
  | "unreachable"
  | "timeout"
  | "reset"
  | "tls-certificate-untrusted"
  | "tls-certificate-expired"
  | "tls-certificate-not-yet-valid"
  | "tls-certificate-name"
  | "tls-protocol";

export interface RuntimeOptions {
  /** Build string of the program, such as 0.1.0+abc1234. */
  readonly build: string;
  /** The oldest time that is believed, seconds since 1970 UTC: a day written into the source, not long before the build. */
  readonly buildTimeS: number;
  readonly board: string;
  /** Name of the image that it runs from, as written in its uImage, at most 4,096 bytes; empty: from none that was told. */
  readonly image: string;
  /** The kernel's command line, at most 4,096 bytes; empty: not told. */
  readonly commandLine: string;
  /** Size of the arena that holds open and waiting sealed segments, bytes. */
  readonly queueBytes: number;
  /** Why the supervisor started the process; one line. */
  readonly startReason: string;
  /** True when the command line asked for a reset of ownership. */
  readonly reset: boolean;
}

export interface Usage {
  /** Bytes that QuickJS has allocated. */
  readonly heapBytes: number;
  /** Resident set of the process, bytes; 0 where /proc is missing. */
  readonly rssBytes: number;
  readonly queueBytes: number;
  readonly queueUsedBytes: number;
}

// ---- encoder --------------------------------------------------------------------------------------------------------------

/** One access unit that stands in the ring. It names bytes; it does not hold them. */
export interface Frame {
  /** Ring sequence number, modulo 2^32. */
  readonly seq: number;
  /** Length-prefixed NAL units without access-unit delimiters and parameter sets, bytes. */
  readonly bytes: number;
  readonly key: boolean;
  /** The encoder's clock or picture jumped before this frame. */
  readonly discontinuity: boolean;
  /** Generation of the configuration (SPS, PPS) that decodes it. */
  readonly config: number;
  readonly captureUs: number;
}

export interface EncoderConfig {
  readonly generation: number;
  /** NAL units without start code or length. */
  readonly sps: Uint8Array;
  /** Those after the first, where a stream has several: all belong into avcC. */
  readonly moreSps?: readonly Uint8Array[];
  readonly pps: Uint8Array;
  readonly morePps?: readonly Uint8Array[];
  readonly width: number;
  readonly height: number;
  /** Nominal frame interval, 0 if unknown. */
  readonly frameIntervalUs: number;
}

export interface Encoder {
  /**
   * The next frame after the last one given; the first call starts at the oldest key frame in the ring.
   * "lapped": frames were overwritten before they were given; the next call gives the newest key frame.
   * `null`: none yet. "ended": none will follow.
   */
  next(): Frame | { lapped: number } | null | "ended" | NativeError;
  /** `null`: that generation is no longer in the ring. */
  config(generation: number): EncoderConfig | null;
  /**
   * A request through the door; answered by `reply` with the returned id. Values: bitrate kbit/s; frameRate frames a
   * second; flip (1: upside down and mirrored, for a camera that hangs), night 0 or 1. "refused", too, where the
   * encoder has gone.
   */
  request(what: "keyFrame" | "bitrate" | "frameRate" | "flip" | "night", value: number): number;
  close(): void;
}

// ---- sealing --------------------------------------------------------------------------------------------------------------

/** The fields of FORMAT.md's nonce that the caller decides. seq below 2^53. */
export interface NonceFields {
  readonly stream: number;
  readonly boot: number;
  readonly epoch: number;
  readonly seq: number;
}

export interface Epoch {
  /** The ephemeral X25519 public key, 32 bytes. */
  readonly ephemeral: Uint8Array;
  /** Wipes the shared keys. Segments that were opened with it are not affected. */
  close(): void;
}

export interface SealedParts {
  /** 48 bytes for each recipient, in the order of openEpoch. */
  readonly wraps: Uint8Array[];
  readonly commitment: Uint8Array;
  readonly box: Uint8Array;
}

/**
 * How `writeFragment` went. But for "ok" nothing was written. "full": make room by closing other segments and call
 * again. "lapped": the frames are gone. "too-long": the segment would get more than 1,536 chunks (FORMAT.md, "Header");
 * seal it with what it holds.
 */
export type Written = "ok" | "full" | "lapped" | "too-long";

/**
 * A segment from opening to upload. While open it takes fragments; `seal` ends that; `attachHead` makes it an object.
 * After "lapped" it can be sealed with what it holds; its next fragment starts with a key frame.
 */
export interface Segment {
  readonly wraps: Uint8Array[];
  readonly commitment: Uint8Array;
  /**
   * Appends boxes, then the payload of the frames, copied from the ring once and encrypted in place. A chunk ends at
   * 32,768 bytes of plaintext, after frames[0] if `key`, and at the end of the fragment.
   */
  writeFragment(
    boxes: Uint8Array,
    encoder: Encoder,
    frames: readonly Frame[],
    key: boolean,
  ): Written;
  /** Plaintext bytes written so far. */
  readonly plainBytes: number;
  /** Seals metadata (at most 32,768 bytes) under the metadata subkey. Once, before `seal`. */
  sealMetadata(plain: Uint8Array): Uint8Array;
  /** Seals the last chunk with the high bit and wipes the keys. */
  seal(): ChunkList;
  /** prelude ‖ header ‖ signature, kept in the arena with the chunks. "full": make room and call again. */
  attachHead(head: Uint8Array): "ok" | "full";
  /** Whole object; 0 before attachHead. */
  readonly objectBytes: number;
  /** Arena bytes it occupies, rounding included. */
  readonly arenaBytes: number;
  /** Frees the arena; a connection that is sending it goes on and frees it at the end. */
  close(): void;
}

export interface ChunkList {
  /** Sealed length of each chunk. */
  readonly chunkBytes: number[];
  /** SHA-256 of each, joined. */
  readonly chunkSha256: Uint8Array;
  readonly fragmentChunk: number[];
  readonly fragmentKeyChunks: number[];
}

// ---- network --------------------------------------------------------------------------------------------------------------

export interface Connection {
  /** Queues bytes (at most 65,536 waiting: RangeError). Allowed before `open`. */
  write(bytes: Uint8Array): void;
  /** Queues a whole sealed object behind what was written, without copying it. One at a time (RangeError). */
  sendSegment(segment: Segment): void;
  /** Bytes taken but not yet in the kernel, objects included. */
  readonly waitingBytes: number;
  /** Stops or resumes `data`: back-pressure towards the peer. */
  pause(paused: boolean): void;
  /** Bytes on the socket so far, TLS included. */
  readonly wireBytesIn: number;
  readonly wireBytesOut: number;
  /** Drops the connection; what has not gone is discarded. With `flush`, sends what waits and a close_notify first (1 s at most). */
  close(flush?: boolean): void;
}
