/**
 * The development cloud: an S3-compatible store and an MQTT broker, both with TLS, on one machine.
 *
 * For developers and tests, and small enough to read; cameras and owners see no difference to a real store
 * and broker, which the conformance suite shows (test/cloud). Nothing anonymous is allowed.
 */
import { mkdir } from "node:fs/promises";
import { isIP } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { checkLocalhost } from "../build/localhost.mjs";
import { complain, complainOfBug, explain, Problem } from "../build/problem.mjs";
import type { CameraName, CloudAccess, CloudControl } from "./access.ts";
import { Broker } from "./broker.ts";
import type { KeyedCertificate } from "./ca.ts";
import { openControl } from "./control.ts";
import { type Credentials, Identities } from "./identities.ts";
import { checkTenant, tenantBucket } from "./names.ts";
import { freePort } from "./ports.ts";
import { defaultStateDirectory, openCertificates, openState } from "./state.ts";
import { StoreServer } from "./store/server.ts";
import { listenTrouble } from "./system.ts";

/** The region signatures name; a store of one place needs only one. */
const REGION = "us-east-1";
const OBJECT_MAX_BYTES = 64 * 1024 * 1024;
const SWEEP_EVERY_MS = 3_600_000;
const RENEW_EVERY_MS = 86_400_000;

/** How a cloud is started; every field may be left out. */
export interface CloudOptions {
  /** State directory, made where it is missing; default `defaultStateDirectory()`. */
  readonly state?: string;
  /** IP address to listen on; default 127.0.0.1. */
  readonly bind?: string;
  /** Ports; 0, the default, takes free ones. */
  readonly s3Port?: number;
  readonly mqttPort?: number;
  readonly webSocketPort?: number;
  /** Host names and addresses clients use beside localhost; the first stands in the addresses given out. */
  readonly names?: readonly string[];
  /** Tenant of calls that name none; default "home". */
  readonly tenant?: string;
  /** Bound on one object; default 64 MiB. */
  readonly objectMax_bytes?: number;
  /** How often the store executes its life-cycle rules; default once an hour. */
  readonly sweepEvery_ms?: number;
  /** The store's clock, milliseconds since 1970; default the system's. */
  readonly now_ms?: () => number;
  /** For tests: certificates to show instead of the state directory's own. */
  readonly tls?: { readonly store?: KeyedCertificate; readonly broker?: KeyedCertificate };
  /** Told where the broker ends unasked; default: said on standard error. */
  readonly onDeath?: (sentence: string) => void;
  /** Told where the store finds its disk full; default: said on standard error. */
  readonly onFull?: (sentence: string) => void;
}

/** A running cloud. */
export interface Cloud extends CloudControl {
  /** Absolute path of the state directory. */
  readonly state: string;
  /** Tenant of calls that name none. */
  readonly tenant: string;
  /** https://host:port */
  readonly endpoint: string;
  /** mqtts://host:port */
  readonly brokerUrl: string;
  /** wss://host:port */
  readonly webSocketUrl: string;
  /** The state directory's own authority; tests issue certificates with it. Its key is secret. */
  readonly authority: KeyedCertificate;
  /** The store: faults, log, `sweep`, and stop and start for outages. */
  readonly store: StoreServer;
  /** The broker: stop and start for outages. */
  readonly broker: Broker;
  /** Stops everything; what is stored stays in the state directory. */
  stop(): Promise<void>;
}

/**
 * Starts a cloud, or goes on with the one of a state directory.
 * @throws Problem: directory in use or not writable, port taken, program missing; nothing is left running then.
 */
export async function startCloud(options: CloudOptions = {}): Promise<Cloud> {
  const tenant = options.tenant ?? "home";
  checkTenant(tenant);
  const bind = options.bind ?? "127.0.0.1";
  if (!isIP(bind)) throw new Problem(`"${bind}" is no IP address; give one with --bind.`);
  const state = await openState(options.state ?? defaultStateDirectory());
  const names = serverNames(bind, options.names ?? []);
  if (names.advertised === "localhost") await checkLocalhost();
  const stops: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const part of stops.splice(0).reverse()) await part();
  };
  try {
    const door = await openControl(state);
    stops.push(() => door.close());
    const identities = await Identities.open(state);
    await identities.owner(tenant);
    const { authority, server } = await openCertificates(state, names.all);
    const directory = join(state, "store");
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const store = await StoreServer.start({
      ...{ directory, bind, region: REGION, accounts: identities },
      port: options.s3Port || (await portFor(bind)),
      certificate: options.tls?.store ?? server,
      now_ms: options.now_ms ?? Date.now,
      objectMax_bytes: options.objectMax_bytes ?? OBJECT_MAX_BYTES,
      sweepEvery_ms: options.sweepEvery_ms ?? SWEEP_EVERY_MS,
      onFull: options.onFull ?? complain,
    });
    stops.push(() => store.stop());
    const broker = await Broker.start({
      ...{ directory: join(state, "broker"), bind },
      mqttPort: options.mqttPort ?? 0,
      webSocketPort: options.webSocketPort ?? 0,
      certificate: options.tls?.broker ?? server,
      identities: () => identities.brokerIdentities(),
      onDeath: options.onDeath ?? complain,
    });
    stops.push(() => broker.stop());
    const parts = { state, tenant, host: names.advertised, authority, identities, store, broker };
    const cloud = new RunningCloud(parts, stop);
    if (!options.tls) stops.push(keepCertificateFresh(cloud, names.all, server));
    door.serve(cloud);
    return cloud;
  } catch (error) {
    await stop();
    throw explain(error, state);
  }
}

/** A free port of an address. Throws Problem where the address is none of this machine's. */
async function portFor(bind: string): Promise<number> {
  try {
    return await freePort(bind);
  } catch (error) {
    throw listenTrouble(error, 0, bind, "--s3-port");
  }
}

interface Parts {
  state: string;
  tenant: string;
  /** Host in the addresses given out. */
  host: string;
  authority: KeyedCertificate;
  identities: Identities;
  store: StoreServer;
  broker: Broker;
}

class RunningCloud implements Cloud {
  readonly state: string;
  readonly tenant: string;
  readonly endpoint: string;
  readonly brokerUrl: string;
  readonly webSocketUrl: string;
  readonly authority: KeyedCertificate;
  readonly store: StoreServer;
  readonly broker: Broker;
  readonly stop: () => Promise<void>;
  readonly #identities: Identities;

  constructor(parts: Parts, stop: () => Promise<void>) {
    const { host, store, broker } = parts;
    this.state = parts.state;
    this.tenant = parts.tenant;
    this.authority = parts.authority;
    this.store = store;
    this.broker = broker;
    this.stop = stop;
    this.#identities = parts.identities;
    this.endpoint = `https://${host}:${store.port}`;
    this.brokerUrl = `mqtts://${host}:${broker.mqttPort}`;
    this.webSocketUrl = `wss://${host}:${broker.webSocketPort}`;
  }

  async owner(tenant = this.tenant): Promise<CloudAccess> {
    const isNew = !this.#identities.buckets().includes(tenantBucket(tenant));
    const credentials = await this.#identities.owner(tenant);
    if (isNew) await this.broker.reload();
    return this.#access(tenant, credentials);
  }

  async addCamera({ tenant = this.tenant, camera }: CameraName): Promise<CloudAccess> {
    const credentials = await this.#identities.camera(tenant, camera);
    await this.broker.reload();
    return this.#access(tenant, credentials);
  }

  async rotateCamera({ tenant = this.tenant, camera }: CameraName): Promise<CloudAccess> {
    const credentials = await this.#identities.rotate(tenant, camera);
    await this.broker.reload();
    return this.#access(tenant, credentials);
  }

  async retireCamera({ tenant = this.tenant, camera }: CameraName): Promise<void> {
    await this.#identities.retire(tenant, camera);
    await this.broker.reload();
  }

  async removeCamera({ tenant = this.tenant, camera }: CameraName): Promise<void> {
    await this.#identities.remove(tenant, camera);
    await this.broker.reload();
  }

  async cameras(tenant = this.tenant): Promise<string[]> {
    return this.#identities.cameras(tenant);
  }

  #access(tenant: string, credentials: Credentials): CloudAccess {
    const { accessKeyId, secretAccessKey, username, password } = credentials;
    const caPem = this.authority.certPem;
    const { endpoint, brokerUrl: url, webSocketUrl } = this;
    return {
      store: {
        ...{ endpoint, region: REGION, bucket: tenantBucket(tenant) },
        ...{ accessKeyId, secretAccessKey, caPem, pathStyle: true, sessionToken: "" },
      },
      broker: { url, webSocketUrl, username, password, caPem },
    };
  }
}

/** Renews the server certificate of a cloud that runs for long. @returns what ends that. */
function keepCertificateFresh(
  cloud: Cloud,
  names: readonly string[],
  shown: KeyedCertificate,
): () => Promise<void> {
  let current = shown.certPem;
  const renew = async (): Promise<void> => {
    const { server } = await openCertificates(cloud.state, names);
    if (server.certPem === current) return;
    current = server.certPem;
    cloud.store.setCertificate(server);
    await cloud.broker.setCertificate(server);
  };
  const trouble = (error: unknown) => complainOfBug("no new certificate", error);
  const timer = setInterval(() => void renew().catch(trouble), RENEW_EVERY_MS).unref();
  return async () => clearInterval(timer);
}

/** Names the certificate must hold, and the one (bracketed where IPv6) that addresses are given out with. */
function serverNames(
  bind: string,
  given: readonly string[],
): { all: string[]; advertised: string } {
  const loopback = bind === "::1" || bind.startsWith("127.");
  const wildcard = bind === "0.0.0.0" || bind === "::";
  const own = loopback ? "localhost" : wildcard ? hostname() : bind;
  const first = given[0] ?? own;
  return {
    all: [...new Set([...given, own, "localhost", "127.0.0.1", "::1"])],
    advertised: isIP(first) === 6 ? `[${first}]` : first,
  };
}
