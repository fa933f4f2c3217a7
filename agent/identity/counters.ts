/** The `counters` file while the camera runs: what must never roll back. */
import type { NativeError } from "../runtime/native.d.ts";
import { files, type StateMachine } from "./files.ts";

export interface CounterValues {
  readonly boot: number;
  /** Microseconds since 1970 UTC. */
  readonly timeFloorUs: number;
  readonly recipientsVersion: number;
}

export class CounterFile {
  readonly #native: StateMachine;
  #values: CounterValues;

  constructor(native: StateMachine, { boot, timeFloorUs, recipientsVersion }: CounterValues) {
    this.#native = native;
    this.#values = { boot, timeFloorUs, recipientsVersion };
  }

  /** The boot that is running; at least 1 and never used before by this identity. */
  get boot(): number {
    return this.#values.boot;
  }

  /** No wall time before this is believed. */
  get timeFloorUs(): number {
    return this.#values.timeFloorUs;
  }

  /** Highest version of the recipients' list ever taken. */
  get recipientsVersion(): number {
    return this.#values.recipientsVersion;
  }

  /** Keeps a higher floor; a lower one is ignored. `null`: kept. */
  raiseTimeFloor(timeFloorUs: number): NativeError | null {
    if (timeFloorUs <= this.#values.timeFloorUs) return null;
    return this.#keep({ ...this.#values, timeFloorUs });
  }

  /** Likewise. */
  raiseRecipientsVersion(recipientsVersion: number): NativeError | null {
    if (recipientsVersion <= this.#values.recipientsVersion) return null;
    return this.#keep({ ...this.#values, recipientsVersion });
  }

  /** Writes the values; `null`: written. */
  save(): NativeError | null {
    return this.#keep(this.#values);
  }

  // In force only once they are durable: else a list whose keeping failed could not be sent again.
  #keep(values: CounterValues): NativeError | null {
    const failed = files.counters.save(this.#native, values);
    if (failed === null) this.#values = values;
    return failed;
  }
}
