/**
 * What the broker sends, cut into whole MQTT packets, filtered and paced before the MQTT library sees a byte of it.
 *
 * The library buffers as much as a packet's length field announces (256 MB) and takes packets as fast as they come, so
 * size, kind and rate are bounded here. Source: MQTT 5.0 (OASIS), 2.1 (fixed header), 1.5.5 (variable byte integer);
 * the kinds are those that a server may send to a client that uses neither QoS 2 nor AUTH nor UNSUBSCRIBE. Pure.
 */
import { join } from "../identity/encoding.ts";
import { Bucket } from "./rate.ts";

/** Largest packet taken, fixed header included; announced to the broker as its Maximum Packet Size. */
export const PACKET_BYTES = 16_384;

/** Cost of a packet: its bytes and this, which stands for the work of looking at it. */
const PACKET_COST = 1_024;
/** Burst: 128 small packets, or seven of the largest. */
const BURST_COST = 131_072;
/** Then 32 small packets a second, or one or two of the largest. */
const COST_PER_SECOND = 32_768;
/** Held at most. The socket is paused long before; this bounds memory where pausing does not help. */
export const HELD_BYTES = 65_536;
/** A broker that is held back (by TCP) is cut off after so long, unless it lets half of the burst recover. */
const THROTTLED_US = 10_000_000;
const CALM_COST = BURST_COST / 2;

/** Why the connection has to be dropped. */
export type InboundFault = "oversized" | "malformed" | "flooding";

export type Taken =
  /** A whole packet, fresh bytes. */
  | Uint8Array
  /** Nothing whole is here. */
  | null
  /** The rate is used up: take no more from the socket, and come again then. */
  | { readonly waitMs: number }
  | { readonly fault: InboundFault };

/** Control packet types (MQTT 5.0, table 2-1) with the flags they may carry; PUBLISH is looked at more closely. */
const CONNACK = 2;
const PUBLISH = 3;
/** Smallest size of each type without flags, fixed header included (MQTT 5.0, 3.2, 3.4, 3.9, 3.13, 3.14). */
const SMALLEST = new Map([
  [CONNACK, 5],
  [4 /* PUBACK */, 4],
  [9 /* SUBACK */, 6],
  [13 /* PINGRESP */, 2],
  [14 /* DISCONNECT */, 2],
]);
/** Length of the topic, an empty topic, no properties. */
const SMALLEST_PUBLISH = 5;

export class Inbound {
  readonly #bucket: Bucket;
  #held: Uint8Array = new Uint8Array(0);
  #connected = false;
  #throttledSinceUs: number | null = null;
  #fault: InboundFault | null = null;

  constructor(nowUs: number) {
    this.#bucket = new Bucket(BURST_COST, COST_PER_SECOND, nowUs);
  }

  /** Bytes held, at most HELD_BYTES. */
  get heldBytes(): number {
    return this.#held.length;
  }

  /** Bytes from the socket, in order; copied. */
  push(bytes: Uint8Array): void {
    if (this.#fault !== null) return;
    if (this.#held.length + bytes.length > HELD_BYTES) this.#fail("flooding");
    else this.#held = join(this.#held, bytes);
  }

  /** The next packet, if it is whole and within the rate. After a fault nothing but the fault comes. */
  take(nowUs: number): Taken {
    if (this.#fault !== null) return { fault: this.#fault };
    const size = this.#wholeSize();
    if (typeof size === "string") return this.#fail(size);
    if (this.#bucket.level(nowUs) >= CALM_COST) this.#throttledSinceUs = null;
    if (size === null) return null;
    const cost = size + PACKET_COST;
    if (!this.#bucket.take(cost, nowUs)) return this.#throttle(cost, nowUs);
    const packet = this.#held.slice(0, size);
    this.#held = this.#held.slice(size);
    this.#connected = true;
    return packet;
  }

  #throttle(cost: number, nowUs: number): Taken {
    this.#throttledSinceUs ??= nowUs;
    if (nowUs - this.#throttledSinceUs > THROTTLED_US) return this.#fail("flooding");
    return { waitMs: this.#bucket.waitMs(cost, nowUs) };
  }

  #fail(fault: InboundFault): { readonly fault: InboundFault } {
    this.#fault = fault;
    this.#held = new Uint8Array(0);
    return { fault };
  }

  /** Size of the packet at the front; `null` while it is not whole. Faults show from the first bytes on. */
  #wholeSize(): number | null | InboundFault {
    const held = this.#held;
    const first = held[0];
    if (first === undefined) return null;
    if (!this.#allowed(first)) return "malformed";
    let length = 0;
    for (let i = 1; i <= 4; i++) {
      const byte = held[i];
      if (byte === undefined) return null;
      length += (byte & 0x7f) * 128 ** (i - 1);
      if (byte < 0x80) {
        const size = 1 + i + length;
        if (size > PACKET_BYTES) return "oversized";
        if (size < (SMALLEST.get(first >> 4) ?? SMALLEST_PUBLISH)) return "malformed";
        return held.length >= size ? size : null;
      }
    }
    return "malformed";
  }

  #allowed(first: number): boolean {
    const type = first >> 4;
    const flags = first & 0x0f;
    // CONNACK comes first and never again (MQTT 5.0, 3.2).
    if ((type === CONNACK) === this.#connected) return false;
    if (type === PUBLISH) return ((flags >> 1) & 3) <= 1;
    return SMALLEST.has(type) && flags === 0;
  }
}
