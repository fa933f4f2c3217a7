/**
 * New store and broker access is tried while the old is kept (design, "Keys and ownership"). Store and broker are
 * tried apart; only when both have worked with the new access is the old one forgotten. Pure.
 */
import type { BrokerAccess, CheckedAccess, StoreAccess } from "./access.ts";

export type Service = "store" | "broker";

/** What the `access` file says. `previous` is `null` where nothing older is kept. */
export interface KeptAccess {
  readonly current: CheckedAccess;
  readonly previous: CheckedAccess | null;
  readonly proven: boolean;
}

/** Attempts that fail in a row before the other access is tried. */
const FAILURES_BEFORE_SWITCH = 3;
/** How long a service stays with the old access that works before the new one is tried again. */
const RETRY_NEW_AFTER_US = 15 * 60 * 1_000_000;

interface Side {
  onPrevious: boolean;
  newWorked: boolean;
  failures: number;
  switchedUs: number;
}

const freshSide = (): Side => ({ onPrevious: false, newWorked: false, failures: 0, switchedUs: 0 });

export class AccessTrial {
  #kept: KeptAccess;
  #sides: Record<Service, Side> = { store: freshSide(), broker: freshSide() };

  constructor(kept: KeptAccess) {
    this.#kept = kept;
  }

  /** What belongs into the `access` file. */
  get kept(): KeptAccess {
    return this.#kept;
  }

  /** Whether `service` now runs on the access that is being replaced. */
  onPrevious(service: Service): boolean {
    return this.#sides[service].onPrevious;
  }

  store(): StoreAccess {
    return this.#inUse("store").store;
  }

  broker(): BrokerAccess {
    return this.#inUse("broker").broker;
  }

  /** Takes a new access; the one by which the order came stays as the previous. The caller persists `kept`. */
  replace(next: CheckedAccess): void {
    const previous = this.#inUse("broker");
    this.#kept = { current: next, previous, proven: false };
    this.#sides = { store: freshSide(), broker: freshSide() };
  }

  /** An attempt worked. True where the new access is now proven and the caller has to persist `kept`. */
  worked(service: Service): boolean {
    const side = this.#sides[service];
    side.failures = 0;
    if (this.#kept.proven || side.onPrevious) return false;
    side.newWorked = true;
    if (!this.#sides.store.newWorked || !this.#sides.broker.newWorked) return false;
    this.#kept = { current: this.#kept.current, previous: null, proven: true };
    return true;
  }

  /** An attempt failed. True where `service` now has another access and should be told. */
  failed(service: Service, nowUs: number): boolean {
    const side = this.#sides[service];
    if (this.#kept.previous === null) return false;
    side.failures += 1;
    return side.failures >= FAILURES_BEFORE_SWITCH && this.#switch(side, nowUs);
  }

  /** Called now and then. True where `service` goes back to the new access and should be told. */
  retryDue(service: Service, nowUs: number): boolean {
    const side = this.#sides[service];
    const due = side.onPrevious && nowUs - side.switchedUs >= RETRY_NEW_AFTER_US;
    return due && this.#switch(side, nowUs);
  }

  #switch(side: Side, nowUs: number): true {
    side.onPrevious = !side.onPrevious;
    side.failures = 0;
    side.switchedUs = nowUs;
    return true;
  }

  #inUse(service: Service): CheckedAccess {
    const { current, previous } = this.#kept;
    return this.#sides[service].onPrevious && previous !== null ? previous : current;
  }
}
