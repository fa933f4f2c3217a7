/** An MQTT 5 broker for the double's network: takes cameras in, keeps what they publish, and misbehaves as a test asks. */
import { generate, type Packet, parser } from "mqtt-packet";
import { plain } from "../double/crypto.ts";
import type { Network, ServerScript, ServerSide } from "../double/network.ts";

const V5 = { protocolVersion: 5 } as const;

export interface Message {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly retain: boolean;
  readonly qos: number;
}

/** What the broker does; each may be changed between connections. */
export interface Manners {
  /** Reason code of CONNACK; "silence" sends none. */
  connack: number | "silence";
  /** Reason code of SUBACK; "silence" sends none. */
  suback: number | "silence";
  /** Reason code of the PUBACK of a topic; "silence" acknowledges nothing. */
  puback: (topic: string) => number | "silence";
  /** Whether pings are answered. */
  pongs: boolean;
  /** Properties of CONNACK. */
  properties: object;
  certificate: ServerScript["certificate"];
}

export class ScriptedBroker {
  readonly manners: Manners = {
    connack: 0,
    suback: 0,
    puback: () => 0,
    pongs: true,
    properties: {},
    certificate: {},
  };
  /** CONNECT packets, oldest first. */
  readonly connects: Extract<Packet, { cmd: "connect" }>[] = [];
  /** Everything published, oldest first. */
  readonly published: Message[] = [];
  /** Topics subscribed to, with their options. */
  readonly subscribed: object[] = [];
  /** Reason codes of DISCONNECT packets from the camera. */
  readonly disconnects: number[] = [];
  readonly acknowledged: number[] = [];
  readonly #unanswered: number[] = [];
  #peer: ServerSide | null = null;
  readonly #network: Network;
  readonly #at: readonly [string, number];

  constructor(network: Network, host = "broker.test", port = 8883) {
    this.#network = network;
    this.#at = [host, port];
    this.serve();
  }

  /** Is there from now on. */
  serve(): void {
    const { manners } = this;
    this.#network.serve(...this.#at, {
      get certificate() {
        return manners.certificate ?? {};
      },
      accept: (peer) => this.#accept(peer),
    });
  }

  /** Is not there any more; cuts the connection. */
  vanish(): void {
    this.#network.remove(...this.#at);
    this.cut();
  }

  get isConnected(): boolean {
    return this.#peer !== null;
  }

  /** Ends the connection without a word. */
  cut(): void {
    const peer = this.#peer;
    this.#peer = null;
    peer?.fail("reset");
  }

  send(packet: Packet): void {
    this.sendRaw(plain(generate(packet, V5)));
  }

  /** Bytes as they are; false where nobody is connected. */
  sendRaw(bytes: Uint8Array): boolean {
    this.#peer?.write(bytes);
    return this.#peer !== null;
  }

  /** Acknowledges what it was silent about. */
  acknowledge(): void {
    for (const messageId of this.#unanswered.splice(0)) this.send({ cmd: "puback", messageId });
  }

  /** Publishes to the camera. */
  publish(topic: string, payload: Uint8Array, qos: 0 | 1 = 1): void {
    const message = { topic, payload: Buffer.from(payload), qos, retain: false, dup: false };
    this.send({ cmd: "publish", ...message, ...(qos === 1 ? { messageId: 77 } : {}) });
  }

  /** Payloads published on a topic, oldest first. */
  on(topic: string): Uint8Array[] {
    return this.published.filter((m) => m.topic === topic).map(({ payload }) => payload);
  }

  #accept(peer: ServerSide): void {
    this.#peer = peer;
    const packets = parser(V5);
    packets.on("packet", (packet) => this.#take(peer, packet));
    peer.onData = (bytes) => {
      packets.parse(Buffer.from(bytes));
    };
    peer.onClose = () => {
      if (this.#peer === peer) this.#peer = null;
    };
  }

  #take(peer: ServerSide, packet: Packet): void {
    const { manners } = this;
    const answer = (reply: Packet) => peer.write(plain(generate(reply, V5)));
    switch (packet.cmd) {
      case "connect":
        this.connects.push(packet);
        if (manners.connack === "silence") return;
        answer({
          cmd: "connack",
          reasonCode: manners.connack,
          sessionPresent: false,
          properties: manners.properties,
        });
        return;
      case "subscribe":
        this.subscribed.push(...packet.subscriptions);
        if (manners.suback === "silence") return;
        answer({ cmd: "suback", messageId: packet.messageId ?? 0, granted: [manners.suback] });
        return;
      case "publish": {
        const { topic, payload, retain, qos } = packet;
        this.published.push({ topic, payload: plain(Buffer.from(payload)), retain, qos });
        const reasonCode = manners.puback(topic);
        const messageId = packet.messageId ?? 0;
        if (reasonCode === "silence") this.#unanswered.push(messageId);
        else answer({ cmd: "puback", messageId, reasonCode });
        return;
      }
      case "puback":
        this.acknowledged.push(packet.messageId ?? 0);
        return;
      case "pingreq":
        if (manners.pongs) answer({ cmd: "pingresp" });
        return;
      case "disconnect":
        this.disconnects.push(packet.reasonCode ?? 0);
        return;
      default:
        throw new Error(`the camera sent ${packet.cmd}`);
    }
  }
}
