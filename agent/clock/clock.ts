/**
 * The camera's idea of wall time. Pure: monotonic times and `Date` headers in, decisions out.
 *
 * The camera has no clock that runs without power. Until it knows better there is a floor, max(build time, persisted time),
 * before which nothing is believed. Time then comes from the `Date` header (RFC 9110, 6.6.1) of the store, over TLS that
 * was verified against the floor:
 *
 *   unknown ──Date──▶ provisional ──full handshake judged by it──▶ known
 *      ▲                   │
 *      └──that handshake refuses the certificate for its dates
 *
 * Provisional time signs requests and judges certificates, but dates no footage and raises no floor. And the floor is
 * persisted only after the store has kept to its time for a day of one boot: a clock that was wrong for some hours must not
 * leave a camera with a floor that no honest store can pass.
 *
 * What a store with a wrong Date, or whoever stands in its place with a certificate and key of its, can do: any time is
 * believed that is not before the floor and at which the certificates of its chain, as it shows them, are valid. So a
 * thief of an expired certificate who is in between when the camera starts is believed if he tells a time before its end.
 * While such a time is believed, footage is dated by it, and other certificates are judged by it, the broker's too: one
 * that has ended may pass, a good one may be refused. The next store that tells otherwise ends that (as a jump, below), but
 * what was dated stays. A time ahead that was kept to for a day is the floor from then on: until it has come, nothing is
 * uploaded to stores with the right time, which only a reset cuts short.
 *
 * A Date is the time of one moment between sending the request and receiving the answer, cut to whole seconds. So each
 * confines the offset between the clocks to an interval; intervals are intersected (widened by drift), and the offset moves
 * only when it falls outside, by as little as it must: wall times of neighbouring segments do not jitter.
 *
 * A Date outside what is known is a jump. It is taken when the store refuses requests because of the time (the store then
 * says itself that the clocks differ), or after three in a row that agree with each other; the time is then provisional again.
 */

/** `TimeQuality` of seal.proto: unknown, or from the store. */
export type Quality = "unknown" | "store";

export interface ClockOptions {
  /** `RuntimeOptions.buildTimeS`. */
  readonly buildTimeS: number;
  /** `Counters.time_floor_us` as persisted, 0 if none. */
  readonly floorUs: number;
}

/** One answer of the store over authenticated TLS. */
export interface DateObservation {
  /** Date header, whole seconds since 1970 UTC (`parseHttpDate`). */
  readonly dateS: number;
  /** Monotonic times at which the request began and the answer arrived. */
  readonly sentUs: number;
  readonly receivedUs: number;
  /** The store refused the request because of the time (RequestTimeTooSkewed). */
  readonly skewed: boolean;
}

/** What an observation did. */
export type Observed =
  /** Nothing new. */
  | "agrees"
  /** A time was adopted: it is provisional, a full handshake must judge it. */
  | "adopted"
  /** Outside what is known; not taken yet. */
  | "doubted"
  /** Earlier than the floor, or later than 2100: never taken. */
  | "refused";

export interface WallTime {
  /** Microseconds since 1970 UTC; 0 while unknown. */
  readonly wallUs: number;
  readonly quality: Quality;
}

interface Offset {
  /** Wall minus monotonic lies between these, as of `atUs`. */
  readonly lowUs: number;
  readonly highUs: number;
  /** The one in use. */
  readonly usedUs: number;
  readonly atUs: number;
}

const SECOND_US = 1_000_000;
const YEAR_2100_US = 4_102_444_800 * SECOND_US;
/** Crystals of such cameras stay well below 100 ppm; 200 leaves room for heat. */
const DRIFT = 200e-6;
const JUMP_AFTER = 3;
/** The store must have said so for this long before the floor follows. */
const PERSIST_AFTER_US = 24 * 3_600 * SECOND_US;
const PERSIST_EVERY_US = 3_600 * SECOND_US;
/** A persisted floor stays this far behind, so that a store a little late is not refused after a quick restart. */
const FLOOR_BEHIND_US = 60 * SECOND_US;

export class Clock {
  #floorUs: number;
  #persistedUs: number;
  #persistedAtUs: number | null = null;
  #offset: Offset | null = null;
  #confirmed = false;
  #adoptedAtUs = 0;
  #doubts: Offset[] = [];

  constructor(options: ClockOptions) {
    this.#persistedUs = options.floorUs;
    this.#floorUs = Math.max(options.buildTimeS * SECOND_US, options.floorUs);
  }

  get state(): "unknown" | "provisional" | "known" {
    if (this.#offset === null) return "unknown";
    return this.#confirmed ? "known" : "provisional";
  }

  /** No wall time before this is believed, microseconds since 1970 UTC. */
  get floorUs(): number {
    return this.#floorUs;
  }

  /** Monotonic time of the answer whose time was adopted last; 0 where none was. */
  get adoptedUs(): number {
    return this.#adoptedAtUs;
  }

  /** The best guess at wall time, for signing requests: the floor while nothing is known. */
  signingUs(nowUs: number): number {
    return this.#offset === null ? this.#floorUs : nowUs + this.#offset.usedUs;
  }

  /** What to hand to `native.setTlsTime`. */
  tlsTime(nowUs: number): { readonly seconds: number; readonly known: boolean } {
    const seconds = Math.floor(this.signingUs(nowUs) / SECOND_US);
    return { seconds, known: this.#offset !== null };
  }

  /** Wall time of a capture (or any monotonic) time, past or present. */
  wall(captureUs: number): WallTime {
    if (this.#offset === null || !this.#confirmed) return { wallUs: 0, quality: "unknown" };
    return { wallUs: Math.round(captureUs + this.#offset.usedUs), quality: "store" };
  }

  /** Takes an answer's Date. After "adopted": setTlsTime, drop the connection, make a new one. */
  observe(seen: DateObservation): Observed {
    const lowUs = seen.dateS * SECOND_US - seen.receivedUs;
    const highUs = (seen.dateS + 1) * SECOND_US - seen.sentUs;
    const dateUs = seen.dateS * SECOND_US;
    if (dateUs + SECOND_US <= this.#floorUs || dateUs > YEAR_2100_US) return "refused";
    const found = { lowUs, highUs, usedUs: (lowUs + highUs) / 2, atUs: seen.receivedUs };
    if (this.#offset === null) return this.#adopt(found);
    const agreed = intersect(this.#offset, found);
    if (agreed !== null) {
      this.#offset = agreed;
      this.#doubts = [];
      return "agrees";
    }
    this.#doubts = this.#doubts.filter((doubt) => intersect(doubt, found) !== null);
    this.#doubts.push(found);
    const jump = seen.skewed || this.#doubts.length >= JUMP_AFTER;
    return jump ? this.#adopt(found) : "doubted";
  }

  /** A handshake that began with the adopted time in force has succeeded, and was not a resumed one. */
  confirm(): void {
    if (this.#offset !== null) this.#confirmed = true;
  }

  /** Such a handshake refused the certificate for its dates: a provisional time is given up, a known one stays. */
  refute(): void {
    if (!this.#confirmed) this.#offset = null;
  }

  /** The floor to persist now, `null` if it can wait: after a day of agreement, then hourly. */
  floorToPersist(nowUs: number): number | null {
    const since = this.#persistedAtUs === null ? null : nowUs - this.#persistedAtUs;
    return since === null || since >= PERSIST_EVERY_US ? this.finalFloor(nowUs) : null;
  }

  /** The floor to persist when stopping; `null` if there is nothing newer than what was persisted. */
  finalFloor(nowUs: number): number | null {
    const { wallUs, quality } = this.wall(nowUs);
    if (quality === "unknown" || this.#agreedForUs() < PERSIST_AFTER_US) return null;
    const floorUs = Math.floor(wallUs - FLOOR_BEHIND_US);
    return floorUs <= this.#persistedUs ? null : floorUs;
  }

  /** The floor has been persisted. */
  persisted(floorUs: number, nowUs: number): void {
    this.#persistedUs = floorUs;
    this.#persistedAtUs = nowUs;
    this.#floorUs = Math.max(this.#floorUs, floorUs);
  }

  /** From the Date that was adopted to the last one that agreed with it; 0 while there is a doubt. */
  #agreedForUs(): number {
    if (this.#offset === null || this.#doubts.length > 0) return 0;
    return this.#offset.atUs - this.#adoptedAtUs;
  }

  #adopt(found: Offset): "adopted" {
    this.#offset = found;
    this.#adoptedAtUs = found.atUs;
    this.#confirmed = false;
    this.#doubts = [];
    return "adopted";
  }
}

/** What both allow, the older one widened by drift; `null` where they contradict each other. */
function intersect(old: Offset, found: Offset): Offset | null {
  const drift = Math.abs(found.atUs - old.atUs) * DRIFT;
  const lowUs = Math.max(old.lowUs - drift, found.lowUs);
  const highUs = Math.min(old.highUs + drift, found.highUs);
  if (lowUs > highUs) return null;
  const usedUs = Math.min(Math.max(old.usedUs, lowUs), highUs);
  return { lowUs, highUs, usedUs, atUs: found.atUs };
}
