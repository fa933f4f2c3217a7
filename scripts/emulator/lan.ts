/**
 * A station on the emulated camera's network, beside its router: it sends and gets Ethernet frames, and answers for every
 * address of STATIONS. QEMU's framing on a socket: four bytes of length, big endian, then the frame.
 */
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Problem } from "../build/problem.mjs";

/** Where QEMU's router has the camera (QEMU's manual, "Network emulation"). */
export const CAMERA = "10.0.2.15";
/** Ours. */
export const STATIONS: readonly string[] = Array.from(
  { length: 200 },
  (_, i) => `10.0.2.${i + 50}`,
);
const [OURSELVES = ""] = STATIONS;
const ETHERNET_BYTES = 14;
const ARP = 0x0806;
const IPV4 = 0x0800;
/** Locally administered. */
const OURS = Buffer.from("0200000ce115", "hex");
const EVERYBODY = Buffer.alloc(6, 0xff);
/** First bytes of ARP for IPv4 over Ethernet, up to the operation. */
const ARP_HEAD = Buffer.from("0001080006040000", "hex");
const [REQUEST, REPLY] = [1, 2];
const FOUND_MS = 10_000;

/** An IPv4 packet without its header. */
export interface Packet {
  readonly from: string;
  readonly to: string;
  /** IANA's number. */
  readonly protocol: number;
  readonly payload: Buffer;
}

/** A station. Its holder closes it. */
export class Station {
  /** Told of each packet from the camera to us. */
  onPacket: (packet: Packet) => void = () => {};
  readonly #from: Socket;
  readonly #to: Socket;
  #buffered = Buffer.alloc(0);
  #camera: Buffer | null = null;

  private constructor(from: Socket, to: Socket) {
    this.#from = from;
    this.#to = to;
    from.on("data", (bytes) => this.#take(bytes));
    // Their end ends what is waited for: nothing comes.
    for (const socket of [from, to]) socket.on("error", () => {});
  }

  /**
   * Joins the network and finds the camera. QEMU lets one station in, once.
   * @param lan as QEMU was given it.
   * Throws Problem where there is no network, or no camera at its address.
   */
  static async join(lan: string): Promise<Station> {
    const [from, to] = await Promise.all([open(`${lan}.from`), open(`${lan}.to`)]);
    const station = new Station(from, to);
    const end_ms = Date.now() + FOUND_MS;
    while (station.#camera === null) {
      if (Date.now() > end_ms) {
        station.close();
        throw new Problem(`there is no camera at ${CAMERA} on its network.`);
      }
      station.#arp(EVERYBODY, REQUEST, OURSELVES, CAMERA);
      await sleep(100);
    }
    return station;
  }

  /** Sends the camera a packet. */
  send({ from, to, protocol, payload }: Packet): void {
    const header = Buffer.alloc(20);
    header.writeUInt8(0x45, 0);
    header.writeUInt16BE(header.length + payload.length, 2);
    header.writeUInt8(64, 8);
    header.writeUInt8(protocol, 9);
    header.set(bytesOf(from), 12);
    header.set(bytesOf(to), 16);
    header.writeUInt16BE(checksum(header), 10);
    this.#frame(this.#camera ?? EVERYBODY, IPV4, Buffer.concat([header, payload]));
  }

  close(): void {
    this.#from.destroy();
    this.#to.destroy();
  }

  #arp(to: Buffer, operation: number, from: string, about: string): void {
    const packet = Buffer.concat([ARP_HEAD, OURS, bytesOf(from), to, bytesOf(about)]);
    packet.writeUInt16BE(operation, 6);
    this.#frame(to, ARP, packet);
  }

  #frame(to: Buffer, type: number, payload: Buffer): void {
    const head = Buffer.alloc(4 + ETHERNET_BYTES);
    head.writeUInt32BE(ETHERNET_BYTES + payload.length, 0);
    head.set(to, 4);
    head.set(OURS, 10);
    head.writeUInt16BE(type, 16);
    this.#to.write(Buffer.concat([head, payload]));
  }

  #take(bytes: Buffer): void {
    this.#buffered = Buffer.concat([this.#buffered, bytes]);
    while (this.#buffered.length >= 4) {
      const end = 4 + this.#buffered.readUInt32BE(0);
      if (this.#buffered.length < end) return;
      const frame = this.#buffered.subarray(4, end);
      this.#buffered = this.#buffered.subarray(end);
      if (frame.length >= ETHERNET_BYTES) this.#look(frame);
    }
  }

  #look(frame: Buffer): void {
    const type = frame.readUInt16BE(12);
    const packet = frame.subarray(ETHERNET_BYTES);
    if (type === ARP && packet.length >= 28) {
      const [from, about] = [addressOf(packet, 14), addressOf(packet, 24)];
      if (from !== CAMERA) return;
      this.#camera = Buffer.from(packet.subarray(8, 14));
      if (packet.readUInt16BE(6) === REQUEST && STATIONS.includes(about))
        this.#arp(this.#camera, REPLY, about, from);
    } else if (type === IPV4 && packet.length >= 20) {
      const [from, to] = [addressOf(packet, 12), addressOf(packet, 16)];
      const payload = packet.subarray((packet.readUInt8(0) & 15) * 4, packet.readUInt16BE(2));
      if (from === CAMERA && STATIONS.includes(to))
        this.onPacket({ from, to, protocol: packet.readUInt8(9), payload });
    }
  }
}

function open(path: string): Promise<Socket> {
  const socket = connect(path);
  return new Promise((resolve, reject) => {
    socket.once("connect", () => resolve(socket));
    socket.once("error", () => reject(new Problem(`QEMU does not answer at ${path}.`)));
  });
}

/** The Internet's checksum (RFC 1071) over these bytes, whose own field is zero. */
export function checksum(...parts: readonly Buffer[]): number {
  const bytes = Buffer.concat(parts);
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2)
    sum += at + 1 < bytes.length ? bytes.readUInt16BE(at) : bytes.readUInt8(at) << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

export function bytesOf(address: string): Buffer {
  return Buffer.from(address.split(".").map(Number));
}

function addressOf(bytes: Buffer, at: number): string {
  return [...bytes.subarray(at, at + 4)].join(".");
}
