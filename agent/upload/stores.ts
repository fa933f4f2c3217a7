/**
 * Which store to use: the current access, and until it has worked the one before (identity/FORMAT.md, "Who holds what").
 * Current is tried first; after it failed, the previous one serves, and current is tried again from time to time.
 */
import type { StoreAccess } from "../identity/access.ts";
import type { Native } from "../runtime/native.d.ts";
import type { HttpEvents } from "./http.ts";
import { S3 } from "./s3.ts";

const RETRY_CURRENT_US = 5 * 60 * 1_000_000;

/** Access in force and, until it has worked, the one before. */
export interface StoreAccessState {
  readonly current: StoreAccess;
  readonly previous: StoreAccess | null;
}

export class Stores {
  readonly #native: Native;
  readonly #events: HttpEvents;
  #current: S3;
  #previous: S3 | null;
  #currentFailedUs: number | null = null;
  #proven = false;

  constructor(native: Native, access: StoreAccessState, events: HttpEvents) {
    this.#native = native;
    this.#events = events;
    this.#current = this.#open(access.current);
    this.#previous = access.previous && this.#open(access.previous);
  }

  /** Drops both connections and goes on with new access. */
  setAccess(access: StoreAccessState): void {
    this.close();
    this.#current = this.#open(access.current);
    this.#previous = access.previous && this.#open(access.previous);
    this.#currentFailedUs = null;
    this.#proven = false;
  }

  /** The store for the next attempt. */
  pick(): S3 {
    const failedUs = this.#currentFailedUs;
    if (this.#previous === null || failedUs === null) return this.#current;
    const rested = this.#native.monotonicUs() - failedUs >= RETRY_CURRENT_US;
    return rested ? this.#current : this.#previous;
  }

  /** `store` took an object. True, once, where that proves the current access: the previous one is forgotten. */
  worked(store: S3): boolean {
    if (store !== this.#current) return false;
    this.#currentFailedUs = null;
    if (this.#proven) return false;
    this.#proven = true;
    this.#previous?.close();
    this.#previous = null;
    return true;
  }

  /** `store` did not take an object, for whatever reason: the other one is next. True where that is the previous one. */
  failed(store: S3): boolean {
    const isCurrent = store === this.#current;
    this.#currentFailedUs = isCurrent ? this.#native.monotonicUs() : null;
    return isCurrent && this.#previous !== null;
  }

  close(): void {
    this.#current.close();
    this.#previous?.close();
  }

  #open(access: StoreAccess): S3 {
    return new S3(this.#native, access, this.#events);
  }
}

/** Names a store by where it puts things: what an attempt without an answer is remembered under. */
export function placeOf({ endpoint, bucket }: StoreAccess): string {
  return `${endpoint}/${bucket}`;
}
