/**
 * New store and broker access is tried while the old is kept (design, "Keys and ownership"). Store and broker are tried
 * apart, the store by the pipeline; only when both have worked with the new access is the old one forgotten. Pure.
 */
import { ocellus } from "#proto";
import { type BrokerAccess, type CheckedAccess, checkAccess, type StoreAccess } from "./access.ts";

/** What the `access` file says. `previous` is `null` where nothing older is kept. */
export interface KeptAccess {
  readonly current: CheckedAccess;
  readonly previous: CheckedAccess | null;
  readonly proven: boolean;
}

/** Attempts at the broker that fail in a row before the other access is tried. */
const FAILURES_BEFORE_SWITCH = 3;
/** How long the camera stays with an old access that works before it tries the new one again. */
export const RETRY_NEW_AFTER_US = 15 * 60 * 1_000_000;

const { AccessTrialState } = ocellus.v1;

export class AccessTrial {
  #kept: KeptAccess;
  #storeWorked = false;
  #brokerWorked = false;
  /** Why the older access serves instead: sentences; `null` where it does not, or where the newer has worked since. */
  #storeRejection: string | null = null;
  #brokerRejection: string | null = null;
  #onPrevious = false;
  #failures = 0;
  #switchedUs = 0;

  constructor(kept: KeptAccess) {
    this.#kept = kept;
  }

  /** What belongs into the `access` file. */
  get kept(): KeptAccess {
    return this.#kept;
  }

  /** Whether the broker is now spoken to with the access that is being replaced. */
  get brokerOnPrevious(): boolean {
    return this.#onPrevious;
  }

  /** For the pipeline, which tries the store by itself. */
  store(): { readonly current: StoreAccess; readonly previous: StoreAccess | null } {
    const { current, previous } = this.#kept;
    return { current: current.store, previous: previous?.store ?? null };
  }

  /** The broker access to use now. */
  broker(): BrokerAccess {
    const { current, previous } = this.#kept;
    return (this.#onPrevious && previous !== null ? previous : current).broker;
  }

  /** What status says of the newest access. */
  report(): ocellus.v1.AccessReport.$Properties {
    const reasons = [this.#brokerRejection, this.#storeRejection].filter((one) => one !== null);
    if (this.#kept.proven) return { state: AccessTrialState.ACCESS_PROVEN, reason: "" };
    const state =
      reasons.length > 0 ? AccessTrialState.ACCESS_REJECTED : AccessTrialState.ACCESS_TRYING;
    return { state, reason: reasons.join(" ") };
  }

  /**
   * What has to be persisted before `take`: the new access, and as the previous what works: the broker by which the
   * order came, and the store that took an object last. So no number of bad accesses in a row loses a good one.
   */
  replacement(next: CheckedAccess): KeptAccess {
    const { current, previous, proven } = this.#kept;
    const storeWorks = proven || this.#storeWorked || previous === null;
    const store = storeWorks ? current.store : previous.store;
    return { current: next, previous: { store, broker: this.broker() }, proven: false };
  }

  /** Puts a `replacement` on trial. */
  take(kept: KeptAccess): void {
    this.#kept = kept;
    this.#storeWorked = false;
    this.#brokerWorked = false;
    this.#storeRejection = null;
    this.#brokerRejection = null;
    this.#onPrevious = false;
    this.#failures = 0;
  }

  /** The store took an object under the new access. True where that proves it and the caller has to persist `kept`. */
  storeWorked(): boolean {
    this.#storeWorked = true;
    this.#storeRejection = null;
    return this.#proves();
  }

  /** The store failed with the new access, for `reason`, one sentence, and the previous one serves. */
  storeFailed(reason: string): void {
    if (this.#kept.previous !== null) this.#storeRejection = reason;
  }

  /** The broker let the camera in. True where that proves the new access, likewise. */
  brokerWorked(): boolean {
    this.#failures = 0;
    if (this.#onPrevious) return false;
    this.#brokerWorked = true;
    this.#brokerRejection = null;
    return this.#proves();
  }

  /** An attempt at the broker failed, for `reason`, one sentence: after three in a row the other access is used. */
  brokerFailed(nowUs: number, reason: string): void {
    if (this.#kept.previous === null) return;
    this.#failures += 1;
    if (this.#failures < FAILURES_BEFORE_SWITCH) return;
    if (!this.#onPrevious) this.#brokerRejection = reason;
    this.#switch(nowUs);
  }

  /** Called now and then. True where the new access is in use again and the caller has to connect anew. */
  retryDue(nowUs: number): boolean {
    if (!this.#onPrevious || nowUs - this.#switchedUs < RETRY_NEW_AFTER_US) return false;
    this.#switch(nowUs);
    return true;
  }

  #proves(): boolean {
    if (this.#kept.proven || !this.#storeWorked || !this.#brokerWorked) return false;
    this.#kept = { current: this.#kept.current, previous: null, proven: true };
    return true;
  }

  #switch(nowUs: number): void {
    this.#onPrevious = !this.#onPrevious;
    this.#failures = 0;
    this.#switchedUs = nowUs;
  }
}

/** From the `access` file; `null` where the current access is not whole. A previous one that is not is forgotten. */
export function keptFromFile(file: ocellus.v1.AccessState.$Properties): KeptAccess | null {
  const current = checkAccess(file.current ?? {});
  if ("mistake" in current) return null;
  const previous = file.previous ? checkAccess(file.previous) : null;
  return {
    current,
    previous: previous === null || "mistake" in previous ? null : previous,
    proven: file.proven ?? false,
  };
}

export function keptToFile(kept: KeptAccess): ocellus.v1.AccessState.$Properties {
  const { current, previous, proven } = kept;
  return { current, proven, ...(previous === null ? {} : { previous }) };
}
