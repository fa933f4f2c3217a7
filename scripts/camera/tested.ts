/** What the self-test needs of a camera, whichever kind it is. */
import type { CloudAccess } from "../cloud/access.ts";
import type { Play } from "./host.ts";
import type { ListeningSocket } from "./observe.ts";

/** A camera under test. Nothing runs until it is told to; the holder calls `stop`. */
export interface TestedCamera {
  /** What report.json says of it. */
  readonly facts: Readonly<Record<string, string | number>>;
  /** The host name or address at which it reaches the cloud on this machine. */
  readonly cloudHost: string;
  /** Starts after failures so far. */
  readonly restarts: number;
  /** Starts it with a provisioning file and no clip. */
  startToPair(provisioning: string): Promise<void>;
  /** Stops it, and takes the provisioning file away. */
  stopAfterPairing(): Promise<void>;
  /** Starts it with a clip, played from its first frame once the agent listens. */
  startToRecord(play: Play): Promise<void>;
  /** Looks for sockets that listen, and whatever else must be seen while it runs. */
  look(): Promise<readonly ListeningSocket[]>;
  /** What is measured at the end, while it still runs. @param signal ends it early. */
  measure(signal: AbortSignal): Promise<Measured>;
  /** Throws Problem where something of it has ended unasked. */
  check(): void;
  stop(): Promise<void>;
}

export interface Measured {
  /** Of the agent, as its system counts it. */
  readonly rss_kb: number;
  readonly rss_peak_kb: number;
  /** Whether the agent runs without root. */
  readonly unprivileged: boolean;
  /** What listens now. */
  readonly listening: readonly ListeningSocket[];
  /** Further facts for report.json. */
  readonly more: Readonly<Record<string, number>>;
}

/** The same access, for somebody who reaches the cloud under another host name. */
export function seenFrom(host: string, access: CloudAccess): CloudAccess {
  const moved = (address: string) => {
    const url = new URL(address);
    url.hostname = host;
    return url.href.replace(/\/$/, "");
  };
  const { store, broker } = access;
  return {
    store: { ...store, endpoint: moved(store.endpoint) },
    broker: { ...broker, url: moved(broker.url), webSocketUrl: moved(broker.webSocketUrl) },
  };
}
