/** Moves packets from the socket to the MQTT library, one at a time and at the rate of `Inbound`. */
import type { Native } from "../runtime/native.d.ts";
import type { ConnectionStream } from "../runtime/stream.ts";
import type { Inbound } from "./inbound.ts";
import { inboundTrouble, type Trouble } from "./trouble.ts";

export class Pump {
  readonly #native: Native;
  readonly #inbound: Inbound;
  readonly #fault: (trouble: Trouble) => void;
  #stream: ConnectionStream | null = null;
  #busy = false;

  constructor(native: Native, inbound: Inbound, fault: (trouble: Trouble) => void) {
    this.#native = native;
    this.#inbound = inbound;
    this.#fault = fault;
  }

  attach(stream: ConnectionStream): void {
    this.#stream = stream;
  }

  data(bytes: Uint8Array): void {
    this.#inbound.push(bytes);
    if (!this.#busy) this.#next();
  }

  #next(): void {
    const stream = this.#stream;
    if (stream === null || stream.destroyed) return;
    const taken = this.#inbound.take(this.#native.monotonicUs());
    this.#busy = taken !== null;
    // Nothing more is read while something waits: TCP then holds the broker back.
    stream.pause(this.#busy);
    if (taken === null) return;
    if (taken instanceof Uint8Array) {
      const failed = stream.deliver(taken, () => this.#next());
      if (failed !== null) this.#fault(inboundTrouble("malformed"));
    } else if ("fault" in taken) {
      this.#fault(inboundTrouble(taken.fault));
    } else {
      this.#native.setTimer(taken.waitMs, () => this.#next());
    }
  }
}
