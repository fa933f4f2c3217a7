/**
 * What the agent uses of MQTT.js 5 (github.com/mqttjs/MQTT.js), typed by hand: the library's own types need Node's.
 */

export interface ClientOptions {
  readonly protocolVersion: 5;
  readonly clientId: string;
  readonly username: string;
  readonly password: string;
  readonly clean: boolean;
  /** Seconds. */
  readonly keepalive: number;
  /** Milliseconds until CONNACK. */
  readonly connectTimeout: number;
  /** 0: the library never reconnects by itself. */
  readonly reconnectPeriod: 0;
  readonly queueQoSZero: false;
  readonly resubscribe: false;
  /** False keeps the library from building 65,536 buffers at the first send. */
  readonly writeCache: false;
  readonly timerVariant: { set(run: () => void, ms: number): number; clear(timer: number): void };
  readonly properties: {
    readonly sessionExpiryInterval: number;
    readonly receiveMaximum: number;
    readonly maximumPacketSize: number;
  };
  readonly will: {
    readonly topic: string;
    readonly payload: Uint8Array;
    readonly qos: 0 | 1;
    readonly retain: boolean;
    readonly properties: { readonly willDelayInterval: number };
  };
}

/** An error of the library; `code` is an MQTT 5 reason code where a packet gave one. */
export interface ClientError extends Error {
  readonly code?: unknown;
  /** The SUBACK that refused, where one did. */
  readonly packet?: { readonly granted?: readonly number[] };
}

export declare class MqttClient {
  constructor(stream: () => object, options: ClientOptions);
  readonly connected: boolean;
  on(event: "close", listener: () => void): this;
  /** With the CONNACK, not checked: a property that came twice is an array. */
  on(
    event: "connect",
    listener: (packet: { readonly properties?: { readonly receiveMaximum?: unknown } }) => void,
  ): this;
  on(event: "error", listener: (error: ClientError) => void): this;
  on(event: "disconnect", listener: (packet: { readonly reasonCode?: number }) => void): this;
  on(event: "message", listener: (topic: string, payload: Uint8Array) => void): this;
  publish(
    topic: string,
    payload: Uint8Array,
    options: { readonly qos: 0 | 1; readonly retain: boolean },
    done: (error?: ClientError | null) => void,
  ): this;
  subscribe(
    topics: { readonly [topic: string]: { readonly qos: 0 | 1; readonly rh: 0 | 1 | 2 } },
    done: (error: ClientError | null) => void,
  ): this;
  /** `force`: drops the connection; else sends DISCONNECT first. */
  end(force: boolean): this;
}
