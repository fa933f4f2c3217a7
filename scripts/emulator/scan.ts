/**
 * Scans an emulated camera from another station of its network: every TCP port, and the UDP ports that services have. A port is
 * shut only where the camera says so; one that does not answer after several tries is told too.
 */
import { Problem } from "../build/problem.mjs";
import { bytesOf, CAMERA, checksum, type Packet, STATIONS, type Station } from "./lan.ts";

export interface Port {
  readonly protocol: "tcp" | "udp";
  readonly port: number;
}

/** What is not shut. */
export interface Scan {
  /** How many were asked. */
  readonly asked: number;
  /** Those that took a connection, or answered. */
  readonly open: readonly Port[];
  /** Those that neither answered nor said that they are shut. */
  readonly silent: readonly Port[];
}

const [ICMP, TCP, UDP] = [1, 6, 17];
const [RST, SYN_ACK, SYN] = [0x04, 0x12, 0x02];
const UNREACHABLE = 3;
const OUR_PORT = 40_000;
const [OURSELVES = ""] = STATIONS;
const TCP_PORTS = Array.from({ length: 65_535 }, (_, i) => i + 1);
/** Those of well-known services, and what cameras have: SSDP, SIP, STUN, WS-Discovery, mDNS, CoAP, and players' own. */
const UDP_PORTS = [
  ...Array.from({ length: 1_023 }, (_, i) => i + 1),
  ...[1900, 3478, 3702, 5060, 5353, 5683, 6970, 8000, 8080, 8554, 10_000, 32_100, 32_108, 37_777],
];
/** Not answered yet at any time: half of what the camera's network chip keeps until Linux fetches it. */
const WINDOW = 16;
const ANSWER_MS = 1_000;
const TRIES = 8;
/** A scan takes less than a minute on a machine that is not busy; of a camera that answers no more it would take hours. */
const SCAN_MS = 10 * 60_000;

/** How long it may take. */
export interface ScanLimits {
  /** Ends it early. */
  readonly signal: AbortSignal;
  /** 10 minutes by default. */
  readonly within_ms?: number;
}

/** Takes the station's packets for itself. Throws Problem where it takes too long, the signal's reason where that ends it. */
export async function scan(
  station: Pick<Station, "onPacket" | "send">,
  { signal, within_ms = SCAN_MS }: ScanLimits,
): Promise<Scan> {
  const late = new AbortController();
  const timer = setTimeout(() => {
    const what = `the scan of the camera's ports took more than ${within_ms / 1000} s`;
    late.abort(new Problem(`${what}: the camera answers no more, or hardly; run this again.`));
  }, within_ms);
  try {
    return await ask(station, AbortSignal.any([signal, late.signal]));
  } finally {
    clearTimeout(timer);
  }
}

async function ask(
  station: Pick<Station, "onPacket" | "send">,
  signal: AbortSignal,
): Promise<Scan> {
  const [tcp, udp] = [new Ports("tcp", TCP_PORTS, signal), new Ports("udp", UDP_PORTS, signal)];
  station.onPacket = ({ to, protocol, payload }) => {
    if (protocol === TCP && payload.length >= 20) {
      const flags = payload.readUInt8(13);
      const open = (flags & SYN_ACK) === SYN_ACK;
      if (open) station.send(segment(to, payload.readUInt16BE(0), RST));
      if (open || flags & RST) tcp.answered(payload.readUInt16BE(0), open);
    }
    if (protocol === UDP && payload.length >= 8) udp.answered(payload.readUInt16BE(0), true);
    // Names the packet that it is about: its header of 20 bytes, then its ports.
    if (protocol === ICMP && payload.length >= 32 && payload.readUInt8(0) === UNREACHABLE)
      udp.answered(payload.readUInt16BE(30), false);
  };
  await tcp.ask((port) => station.send(segment(OURSELVES, port, SYN)));
  // Linux tells each station only so many times a second that a UDP port is shut. Always the same for a port: a socket may
  // talk to its first peer only.
  await udp.ask((port) => station.send(datagram(STATIONS[port % STATIONS.length] ?? "", port)));
  return {
    asked: TCP_PORTS.length + UDP_PORTS.length,
    open: [...tcp.open, ...udp.open],
    silent: [...tcp.silent, ...udp.silent],
  };
}

/** Ports to be asked until each has answered, or was asked often enough. */
class Ports {
  readonly #protocol: Port["protocol"];
  readonly #left: Set<number>;
  readonly #open = new Set<number>();
  /** Asked, with the time after which no answer is waited for. */
  readonly #asked = new Map<number, number>();
  readonly #signal: AbortSignal;
  #heard: () => void = () => {};

  constructor(protocol: Port["protocol"], ports: readonly number[], signal: AbortSignal) {
    this.#protocol = protocol;
    this.#left = new Set(ports);
    this.#signal = signal;
    signal.addEventListener("abort", () => this.#heard());
  }

  get open(): Port[] {
    return this.#named(this.#open);
  }

  get silent(): Port[] {
    return this.#named(this.#left);
  }

  answered(port: number, open: boolean): void {
    if (this.#left.delete(port) && open) this.#open.add(port);
    if (this.#asked.delete(port)) this.#heard();
  }

  #named(ports: ReadonlySet<number>): Port[] {
    return [...ports].map((port) => ({ protocol: this.#protocol, port }));
  }

  async ask(send: (port: number) => void): Promise<void> {
    for (let tries = 0; tries < TRIES && this.#left.size > 0; tries++) {
      for (const port of [...this.#left]) {
        await this.#untilAsked(WINDOW - 1);
        this.#asked.set(port, Date.now() + ANSWER_MS);
        send(port);
      }
      await this.#untilAsked(0);
    }
  }

  /** Waits until no more than so many are without their answer, or it is too late for it. */
  async #untilAsked(most: number): Promise<void> {
    while (this.#asked.size > most) {
      this.#signal.throwIfAborted();
      // The first was asked first.
      const [[port, until_ms] = [0, 0]] = this.#asked;
      const left_ms = until_ms - Date.now();
      if (left_ms <= 0) this.#asked.delete(port);
      else await this.#answerWithin(left_ms);
    }
  }

  #answerWithin(left_ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, left_ms);
      this.#heard = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

function segment(from: string, port: number, flags: number): Packet {
  const payload = Buffer.alloc(20);
  payload.writeUInt16BE(OUR_PORT, 0);
  payload.writeUInt16BE(port, 2);
  payload.writeUInt32BE(port, 4);
  payload.writeUInt8(5 << 4, 12);
  payload.writeUInt8(flags, 13);
  payload.writeUInt16BE(1024, 14);
  payload.writeUInt16BE(checksum(pseudo(from, TCP, payload), payload), 16);
  return { from, to: CAMERA, protocol: TCP, payload };
}

/** One byte, of no protocol: a service that does not know it may be silent, and is told as such. */
function datagram(from: string, port: number): Packet {
  const payload = Buffer.alloc(9);
  payload.writeUInt16BE(OUR_PORT, 0);
  payload.writeUInt16BE(port, 2);
  payload.writeUInt16BE(payload.length, 4);
  payload.writeUInt16BE(checksum(pseudo(from, UDP, payload), payload) || 0xffff, 6);
  return { from, to: CAMERA, protocol: UDP, payload };
}

/** What stands before a segment for its checksum (RFC 9293). */
function pseudo(from: string, protocol: number, { length }: Buffer): Buffer {
  const rest = Buffer.from([0, protocol, length >> 8, length & 0xff]);
  return Buffer.concat([bytesOf(from), bytesOf(CAMERA), rest]);
}
