/**
 * Uploads one object at a time, for as long as it takes: retries with jittered back-off, learns the time from the answers,
 * switches between stores, and says what is wrong. What an answer means is verdict.ts's, which item is next queue.ts's.
 */
import type { Clock } from "../clock/clock.ts";
import { parseHttpDate } from "../clock/http-date.ts";
import { backoffMs } from "../control/backoff.ts";
import type { StageTrouble } from "../health.ts";
import type { Native, Segment } from "../runtime/native.d.ts";
import type { HttpAnswer, HttpFailure } from "./http.ts";
import type { UploadQueue, Worth } from "./queue.ts";
import { ATTEMPT_MS, attemptMs, type S3 } from "./s3.ts";
import { placeOf, type StoreAccessState, Stores } from "./stores.ts";
import {
  errorCode,
  isSkew,
  judgeFailure,
  judgePut,
  leavesUncertain,
  type PutVerdict,
} from "./verdict.ts";

/** How an item ends. */
export type UploadEnd = "stored" | "conflict" | "refused";

/** An object on its way to the store. */
export interface UploadItem extends Worth {
  readonly name: string;
  /** A sealed segment, or at most 32,768 bytes. */
  readonly body: Segment | Uint8Array;
  /** Stores (`placeOf`) to which an attempt ended without an answer. */
  readonly uncertainAt: Set<string>;
  /** It leaves the uploader: called once, unless the uploader is stopped before or it gives way to a newer one. */
  ended(how: UploadEnd): void;
}

export interface UploaderParts {
  readonly native: Native;
  readonly clock: Clock;
  readonly queue: UploadQueue<UploadItem>;
  readonly access: StoreAccessState;
  /** The stage's health; `null`: an object was stored. */
  health(trouble: StageTrouble | null): void;
  /** The clock's; `null`: the store's Date fits. */
  clockHealth(trouble: StageTrouble | null): void;
  /** The time has become known. */
  timeKnown(): void;
  /** The current access has stored an object. */
  accessProven(): void;
  /** The current access did not work, for `reason`, one sentence: the previous one is next. */
  accessFailed(reason: string): void;
}

/** Retries without a wait: a stale connection, a clock just set. More than this in a row is no accident. */
const AT_ONCE_MAX = 3;

export class Uploader {
  readonly #parts: UploaderParts;
  readonly #stores: Stores;
  readonly #small: UploadItem[] = [];
  #attempted: UploadItem | null = null;
  /** Attempted for the last time. */
  #givesWay: UploadItem | null = null;
  #failures = 0;
  #atOnce = 0;
  /** How often the store was asked for the time, with an answer. */
  #asked = 0;
  /** How often in a row the store answered, but did not take the first small object; and how long that rests therefore. */
  #smallFailures = 0;
  #smallRestsUntilUs = 0;
  #idle = false;
  #stopping = false;
  #stopped = false;
  #running: Promise<void> | null = null;
  /** When what the loop awaits must have ended; `null`: it waits for something to do. */
  #dueUs: number | null = null;
  /** Ends the wait that the loop is in. */
  #goOn: () => void = () => {};

  constructor(parts: UploaderParts) {
    this.#parts = parts;
    this.#stores = new Stores(parts.native, parts.access, {
      connected: ({ resumed }) => this.#connected(resumed),
    });
  }

  /** Begins. Once. */
  start(): void {
    this.#running = this.#run();
  }

  /** Until when the attempt or the wait that is under way must have ended, monotonic µs; `null`: there is nothing to do. */
  get dueUs(): number | null {
    return this.#dueUs;
  }

  /** Something was put into the queue. */
  wake(): void {
    // A back-off goes on: what came in changes nothing about the store.
    if (this.#idle) this.#goOn();
  }

  /** Puts a small object before everything that waits. `older` gives way to it, if need be after the attempt that is under way. */
  putFirst(item: UploadItem, older: UploadItem | null): void {
    const at = older === null ? -1 : this.#small.indexOf(older);
    if (older !== null && older === this.#attempted) this.#givesWay = older;
    else if (at !== -1) this.#small.splice(at, 1);
    this.#small.push(item);
    this.wake();
  }

  /** New access: what is under way is tried again with it, at once. */
  setAccess(access: StoreAccessState): void {
    this.#stores.setAccess(access);
    this.#asked = 0;
    this.#failures = 0;
    this.#goOn();
  }

  /** Goes on until nothing waits, `withinMs` at most; then drops the connections. Resolves when nothing will happen any more. */
  async stop(withinMs: number): Promise<void> {
    const { native } = this.#parts;
    this.#stopping = true;
    this.#goOn();
    const timer = native.setTimer(withinMs, () => this.#stopNow());
    await this.#running;
    native.clearTimer(timer);
    this.#stopNow();
  }

  #stopNow(): void {
    this.#stopped = true;
    this.#stores.close();
    this.#goOn();
  }

  async #run(): Promise<void> {
    const { queue } = this.#parts;
    while (!this.#stopped) {
      if (this.#timeToAsk()) {
        await this.#askTime();
        continue;
      }
      const item = this.#next();
      if (item === null) {
        const small = this.#small.length > 0;
        if (this.#stopping && !small) return;
        this.#idle = true;
        await this.#wait(small ? this.#smallRestsMs() : null);
        this.#idle = false;
        continue;
      }
      const store = this.#stores.pick();
      this.#attempted = item;
      const verdict = await this.#attempt(store, item);
      this.#attempted = null;
      const queued = item === queue.sending;
      if (verdict.is === "stored" || verdict.is === "conflict" || verdict.is === "refused") {
        if (queued) queue.settle();
        else {
          this.#small.shift();
          this.#smallFailures = 0;
        }
        this.#settled(store, verdict);
        item.ended(verdict.is);
      } else {
        if (queued) queue.giveBack();
        else if (item === this.#givesWay) this.#small.shift();
        await this.#later(store, verdict);
        // From here on, so that footage has a turn before it is tried again.
        const stays = item === this.#small[0];
        if (stays && verdict.is === "later" && verdict.answered) this.#restSmall();
      }
    }
  }

  /** Small objects first; but one that the store does not take must not hold up the footage. */
  #next(): UploadItem | null {
    const [small] = this.#small;
    return small === undefined || this.#smallRestsMs() > 0 ? this.#parts.queue.take() : small;
  }

  /** As long as a segment would wait, but never so long that much footage goes up without the boot record that dates it. */
  #restSmall(): void {
    const { native } = this.#parts;
    this.#smallFailures += 1;
    const restMs = Math.min(SMALL_RETRY_MS, backoffMs(this.#smallFailures, this.#random()));
    this.#smallRestsUntilUs = native.monotonicUs() + restMs * 1000;
  }

  #smallRestsMs(): number {
    const { native } = this.#parts;
    return Math.max(0, Math.ceil((this.#smallRestsUntilUs - native.monotonicUs()) / 1000));
  }

  /** Uniform in [0, 1). */
  #random(): number {
    return (this.#parts.native.random(1)[0] ?? 0) / 256;
  }

  async #attempt(store: S3, item: UploadItem): Promise<PutVerdict> {
    const { clock, native } = this.#parts;
    const place = placeOf(store.access);
    const uncertain = item.uncertainAt.has(place);
    const wallUs = clock.signingUs(native.monotonicUs());
    const bytes = item.body instanceof Uint8Array ? item.body.length : item.body.objectBytes;
    this.#due(attemptMs(bytes));
    const result = await store.put(item.name, item.body, wallUs);
    this.#takeTime(store, result);
    if (leavesUncertain(result)) item.uncertainAt.add(place);
    return judgePut(result, uncertain);
  }

  #settled(store: S3, verdict: PutVerdict & { is: "stored" | "conflict" | "refused" }): void {
    this.#failures = 0;
    this.#atOnce = 0;
    this.#parts.health(verdict.is === "stored" ? null : verdict.trouble);
    if (verdict.is === "stored" && this.#stores.worked(store)) this.#parts.accessProven();
  }

  async #later(
    store: S3,
    verdict: PutVerdict & { is: "skewed" | "stale" | "later" },
  ): Promise<void> {
    if (this.#stopped) return;
    const { clock } = this.#parts;
    const atOnce =
      verdict.is === "stale" || (verdict.is === "skewed" && clock.state === "provisional");
    if (atOnce && this.#atOnce++ < AT_ONCE_MAX) return;
    this.#atOnce = 0;
    this.#failures += 1;
    const fallback = { cause: "store-closed", reason: "The store closes every connection." };
    const trouble = verdict.is === "stale" ? fallback : verdict.trouble;
    if (this.#stores.failed(store)) this.#parts.accessFailed(trouble.reason);
    this.#parts.health(trouble);
    if (!this.#stopping) await this.#wait(backoffMs(this.#failures, this.#random()));
    else await this.#wait(STOPPING_RETRY_MS);
  }

  /** Waits `ms`, or for ever, or until someone calls `#goOn`. */
  #wait(ms: number | null): Promise<void> {
    const { native } = this.#parts;
    this.#due(ms);
    return new Promise((resolve) => {
      const timer = ms === null ? null : native.setTimer(ms, () => this.#goOn());
      this.#goOn = () => {
        if (timer !== null) native.clearTimer(timer);
        this.#goOn = () => {};
        resolve();
      };
    });
  }

  #due(ms: number | null): void {
    this.#dueUs = ms === null ? null : this.#parts.native.monotonicUs() + ms * 1000;
  }

  // ---- time ---------------------------------------------------------------------------------------------------------

  /** Before the first object: a segment that the store refused because of the time would have to be sent twice. */
  #timeToAsk(): boolean {
    return !this.#stopping && this.#asked < ASK_TIME_MAX && this.#parts.clock.state !== "known";
  }

  /** Any answer tells the time; the next question then goes through a handshake that the time has judged. */
  async #askTime(): Promise<void> {
    const { clock, native } = this.#parts;
    const store = this.#stores.pick();
    this.#due(ATTEMPT_MS);
    const result = await store.probe(clock.signingUs(native.monotonicUs()));
    this.#takeTime(store, result);
    if (!("failed" in result)) this.#asked += 1;
    else await this.#later(store, judgeFailure(result));
  }

  #takeTime(store: S3, result: HttpAnswer | HttpFailure): void {
    const { clock, clockHealth } = this.#parts;
    if ("failed" in result) {
      const dates =
        result.failed === "tls-certificate-expired" ||
        result.failed === "tls-certificate-not-yet-valid";
      if (!dates || clock.state !== "provisional") return;
      clock.refute();
      this.#asked = 0;
      this.#tellTls();
      return;
    }
    const dateS = parseHttpDate(result.headers.get("date") ?? "");
    if (dateS === null) return;
    const { sentUs, receivedUs, status, body } = result;
    const skewed = isSkew(status, errorCode(body));
    switch (clock.observe({ dateS, sentUs, receivedUs, skewed })) {
      case "adopted":
        // Unknown for a moment, so that kept sessions are forgotten even where the time moves by less than an hour.
        this.#parts.native.setTlsTime(Math.floor(clock.floorUs / 1_000_000), false);
        this.#tellTls();
        // The certificate of this connection was judged by another time: the next handshake judges it by this one.
        store.close();
        break;
      case "agrees":
        if (clock.state === "known") clockHealth(null);
        break;
      case "doubted":
        clockHealth(DOUBTED);
        break;
      case "refused":
        clockHealth(BEFORE_FLOOR);
        break;
    }
  }

  #connected(resumed: boolean): void {
    const { clock, timeKnown, clockHealth } = this.#parts;
    if (clock.state !== "provisional" || resumed) return;
    clock.confirm();
    clockHealth(null);
    timeKnown();
  }

  #tellTls(): void {
    const { native, clock } = this.#parts;
    const { seconds, known } = clock.tlsTime(native.monotonicUs());
    native.setTlsTime(seconds, known);
  }
}

const STOPPING_RETRY_MS = 250;
/** A small object that was not taken is tried again after this long at the latest. */
const SMALL_RETRY_MS = 30_000;
/** One for the time, one through the handshake that it judges; a store without a clock is not asked for ever. */
const ASK_TIME_MAX = 3;
const DOUBTED: StageTrouble = {
  cause: "clock-doubted",
  reason: "The store's time differs from the camera's; the camera waits for it to say so again.",
};
const BEFORE_FLOOR: StageTrouble = {
  cause: "clock-before-floor",
  reason: "The store's time is older than this camera's software or its last known time.",
};
