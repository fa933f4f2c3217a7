/** `ocellus cloud`: the development cloud alone, until Ctrl-C. */
import { isIP } from "node:net";
import { join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { exitWith, Problem } from "../build/problem.mjs";
import { withProgress } from "../build/progress.mjs";
import { type Cloud, startCloud } from "../cloud/cloud.ts";
import { defaultStateDirectory } from "../cloud/state.ts";

/** The ports of `ocellus cloud`; fixed, because cameras keep the addresses they were given. */
export const CLOUD_PORTS = { s3Port: 9443, mqttPort: 8883, webSocketPort: 8884 } as const;

interface Flags {
  state: string;
  bind: string;
  name: string[];
  s3Port: number;
  mqttPort: number;
  wsPort: number;
  json?: true;
}

/** The command, to be added to the program. Its action ends the process. */
export function cloudCommand(): Command {
  return new Command("cloud")
    .description("run the development cloud: an S3 store and an MQTT broker, both with TLS")
    .option("--state <dir>", "where it keeps everything", defaultStateDirectory())
    .option("--bind <address>", "IP address to listen on", address, "127.0.0.1")
    .option("--name <host>", "name or address clients use; may be repeated", collect, [])
    .option("--s3-port <port>", "port of the store; 0: any free one", port, CLOUD_PORTS.s3Port)
    .option("--mqtt-port <port>", "port of the broker; 0: any free one", port, CLOUD_PORTS.mqttPort)
    .option(
      "--ws-port <port>",
      "port of the broker for browsers; 0: any free one",
      port,
      CLOUD_PORTS.webSocketPort,
    )
    .option("--json", "print the addresses as one line of JSON")
    .action((flags: Flags) => run(flags).catch(exitWith));
}

async function run(flags: Flags): Promise<void> {
  const ended = endOfProcess();
  const cloud = await withProgress("starting the development cloud", () =>
    startCloud({
      ...{ state: flags.state, bind: flags.bind, names: flags.name },
      ...{ s3Port: flags.s3Port, mqttPort: flags.mqttPort, webSocketPort: flags.wsPort },
      onDeath: (sentence) => ended.fail(new Problem(sentence)),
    }),
  );
  try {
    console.log(flags.json ? JSON.stringify(summary(cloud)) : describe(cloud));
    await ended.promise;
  } finally {
    await cloud.stop();
  }
  if (!flags.json) console.log("The cloud is stopped; what it stored is kept.");
  process.exit(0);
}

/** Addresses and places; no secrets, so that it may be logged. */
function summary(cloud: Cloud): Record<string, string> {
  return {
    store: cloud.endpoint,
    broker: cloud.brokerUrl,
    broker_web_socket: cloud.webSocketUrl,
    tenant: cloud.tenant,
    state: cloud.state,
    ca_file: join(cloud.state, "ca", "ca.pem"),
  };
}

function describe(cloud: Cloud): string {
  return `The development cloud is up.
  store    ${cloud.endpoint}
  broker   ${cloud.brokerUrl}
           ${cloud.webSocketUrl} (for browsers)
  CA       ${join(cloud.state, "ca", "ca.pem")}
  state    ${cloud.state}
Ctrl-C stops it.`;
}

/** Resolves at the first Ctrl-C or SIGTERM; a second one ends the process at once. */
export function endOfProcess(): { promise: Promise<void>; fail: (error: Error) => void } {
  let fail: (error: Error) => void = () => {};
  const promise = new Promise<void>((resolve, reject) => {
    fail = reject;
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
  // Until it is awaited (the cloud is still starting) a rejection must not count as unhandled.
  promise.catch(() => {});
  return { promise, fail };
}

/** A port as an option takes it; 0 is any free one. */
export function port(text: string): number {
  const value = Number(text);
  if (/^\d{1,5}$/.test(text) && value < 65_536) return value;
  throw new InvalidArgumentError("a port is a number from 0 to 65535.");
}

function address(text: string): string {
  if (isIP(text)) return text;
  throw new InvalidArgumentError("it takes an IP address.");
}

/** Names of certificates and URLs (RFC 1123). */
const HOST_NAME =
  /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i;

function collect(value: string, previous: string[]): string[] {
  if (!isIP(value) && !HOST_NAME.test(value)) {
    throw new InvalidArgumentError("it takes a host name or an IP address.");
  }
  return [...previous, value];
}
