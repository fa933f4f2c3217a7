/**
 * Epochs: the ephemeral keys that segment and record keys are wrapped under (FORMAT.md, "Ids", "Nonces").
 *
 * A new epoch begins at boot, after 15 minutes, and at each change of the recipients' list. The shared keys of an epoch open
 * its wraps, so they are wiped when its time is over, also where nobody asks for the next one. Epoch numbers count from 1
 * within a boot and live in memory only: a boot number is never used twice, so neither is a (boot, epoch).
 */
import { keyId } from "../identity/encoding.ts";
import type { Epoch, Native, NativeError } from "../runtime/native.d.ts";
import type { Wrap } from "./container.ts";

/** Longest life of an epoch. */
export const EPOCH_US = 15 * 60 * 1_000_000;

/** Whom footage and private records are sealed to. */
export interface RecipientKeys {
  /** Version of the root-signed list. */
  readonly version: number;
  /** 1 to 16 X25519 public keys, in the list's order. */
  readonly boxKeys: readonly Uint8Array[];
}

export interface CurrentEpoch {
  readonly number: number;
  /** Borrowed: `Epochs` closes it. Use it in the turn it was asked for. */
  readonly handle: Epoch;
  /** Its X25519 public key; stays valid after the handle was closed. */
  readonly ephemeral: Uint8Array;
  readonly recipients: RecipientKeys;
  /** Key id of each recipient, in the list's order: what stands in wraps. */
  readonly ids: readonly Uint8Array[];
}

/** Joins what the native side made for each recipient with their key ids. */
export function namedWraps(epoch: CurrentEpoch, sealed: readonly Uint8Array[]): Wrap[] {
  return epoch.ids.map((recipient, i) => {
    const wrap = sealed[i];
    if (wrap === undefined) throw new Error("fewer wraps than recipients");
    return { recipient, sealed: wrap };
  });
}

export class Epochs {
  readonly #native: Native;
  #recipients: RecipientKeys | null = null;
  #current: CurrentEpoch | null = null;
  #timer: number | null = null;
  #last = 0;

  constructor(native: Native) {
    this.#native = native;
  }

  /** The list in force, `null` before `setRecipients`. */
  get recipients(): RecipientKeys | null {
    return this.#recipients;
  }

  /** Number of the last epoch opened; 0 before the first. */
  get lastNumber(): number {
    return this.#last;
  }

  /**
   * Takes a verified list: whatever is sealed from here on is sealed to it. An Error value (`low-order-key`) leaves the
   * list before in force.
   */
  setRecipients(recipients: RecipientKeys): undefined | NativeError {
    const epoch = this.#open(recipients);
    if ("error" in epoch) return epoch;
    this.#recipients = recipients;
    return undefined;
  }

  /** The epoch to seal under now; `null` while there are no recipients. */
  current(): CurrentEpoch | null {
    if (this.#recipients === null) return null;
    if (this.#current !== null) return this.#current;
    const epoch = this.#open(this.#recipients);
    // These keys have opened an epoch before: what was no low-order point then is none now.
    if ("error" in epoch) throw new Error(epoch.text);
    return epoch;
  }

  /** Wipes the current epoch's keys. */
  close(): void {
    this.#wipe();
    this.#recipients = null;
  }

  #open(recipients: RecipientKeys): CurrentEpoch | NativeError {
    const handle = this.#native.openEpoch([...recipients.boxKeys]);
    if ("error" in handle) return handle;
    this.#wipe();
    this.#last += 1;
    const ids = recipients.boxKeys.map((key) => keyId((bytes) => this.#native.sha256(bytes), key));
    const { ephemeral } = handle;
    this.#current = { number: this.#last, handle, ephemeral, recipients, ids };
    this.#timer = this.#native.setTimer(EPOCH_US / 1000, () => this.#wipe());
    return this.#current;
  }

  #wipe(): void {
    if (this.#timer !== null) this.#native.clearTimer(this.#timer);
    this.#timer = null;
    this.#current?.handle.close();
    this.#current = null;
  }
}
