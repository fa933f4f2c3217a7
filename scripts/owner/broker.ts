/**
 * The owner's side of the broker: MQTT 5 over TLS.
 */
import { connectAsync, type MqttClient } from "mqtt";
import type { BrokerAccess } from "../../agent/identity/access.ts";
import { errorCode, Problem } from "../build/problem.mjs";
import { random } from "./crypto.ts";
import { reasonOf } from "./trouble.ts";

/** Told of each message of a subscribed topic. */
export type OnMessage = (topic: string, payload: Uint8Array, retained: boolean) => void;

/** A connection. The holder closes it. */
export interface Broker {
  /** Topics may hold wildcards. Throws Problem where the broker refuses one, hangs up or does not acknowledge in time. */
  subscribe(...topics: readonly string[]): Promise<void>;
  /** At least once. Throws Problem where the broker refuses, hangs up or does not acknowledge within `within_ms`. */
  publish(topic: string, payload: Uint8Array, within_ms?: number): Promise<void>;
  close(): Promise<void>;
}

const CONNECT_MS = 10_000;
/** For an acknowledgement. */
const ACKNOWLEDGE_MS = 10_000;
/** MQTT 5 section 2.4: bad user name or password, not authorized. */
const REFUSED = [0x86, 0x87];
/** Same section: packet too large. */
const TOO_LARGE = 0x95;
/** More than any record of a camera has: its private part alone may have 16,384 bytes. */
const PACKET_BYTES = 65_536;

/**
 * Connects. Throws Problem where the broker is out of reach or refuses.
 * @param keepTrying connect again whenever the connection is lost, until closed.
 */
export async function connectBroker(
  access: BrokerAccess,
  onMessage: OnMessage,
  keepTrying = false,
): Promise<Broker> {
  let client: MqttClient;
  try {
    client = await connectAsync(
      access.url,
      {
        protocolVersion: 5,
        // Random, so that nobody can end the session by using it too; short enough for every broker.
        clientId: Buffer.from(random(11)).toString("hex"),
        username: access.username,
        password: access.password,
        ...(access.caPem ? { ca: access.caPem } : {}),
        // The client itself hangs up where a broker does not keep to it.
        properties: { maximumPacketSize: PACKET_BYTES },
        connectTimeout: CONNECT_MS,
        reconnectPeriod: keepTrying ? 1_000 : 0,
        reconnectOnConnackError: keepTrying,
      },
      false,
    );
  } catch (error) {
    throw brokerProblem(error, access.url);
  }
  // Without a listener a lost connection would end the process; the commands notice by their own deadlines.
  /** Why the connection ended; with `keepTrying` another follows, and it explains nothing later. */
  let trouble: Error | null = null;
  client.on("error", (error) => {
    if (keepTrying) return;
    const tooLarge = "code" in error && error.code === TOO_LARGE;
    trouble = tooLarge ? new Error(`it sends packets of more than ${PACKET_BYTES} bytes`) : error;
  });
  client.on("message", (topic, payload, packet) => {
    onMessage(topic, new Uint8Array(payload), packet.retain);
  });
  // The client itself tells nobody who waits for an acknowledgement that none can come any more.
  const waiting = new Set<(why: Error) => void>();
  client.on("close", () => {
    if (keepTrying) return;
    trouble ??= new Error("it hung up");
    for (const end of waiting) end(trouble);
  });
  const attempt = async (work: () => Promise<unknown>, within_ms = ACKNOWLEDGE_MS) => {
    let end = (_why: Error) => {};
    const ended = new Promise<never>((_resolve, reject) => {
      end = reject;
    });
    const timer = setTimeout(() => end(new Error("it does not acknowledge")), within_ms);
    waiting.add(end);
    try {
      if (trouble) throw trouble;
      await Promise.race([ended, work()]);
    } catch (error) {
      throw brokerProblem(trouble ?? error, access.url);
    } finally {
      waiting.delete(end);
      clearTimeout(timer);
    }
  };
  return {
    subscribe: (...topics) => attempt(() => client.subscribeAsync([...topics], { qos: 1 })),
    publish: (topic, payload, within_ms) =>
      attempt(() => client.publishAsync(topic, Buffer.from(payload), { qos: 1 }), within_ms),
    close: () => client.endAsync(true),
  };
}

/** What OpenSSL calls a chain that ends in no authority that is trusted (X509_V_ERR_…), as Node names it. */
const UNTRUSTED =
  /^(DEPTH_ZERO_)?SELF_SIGNED_CERT|^UNABLE_TO_(GET_ISSUER|VERIFY_LEAF)|^CERT_(UNTRUSTED|SIGNATURE_FAILURE|REJECTED)|^INVALID_CA$/;
const UNTIMELY = ["CERT_HAS_EXPIRED", "CERT_NOT_YET_VALID"];

function brokerProblem(error: unknown, url: string): Problem {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (typeof code === "number" && REFUSED.includes(code)) {
    return new Problem(`the broker ${url} refuses these credentials; check them and its ACLs.`);
  }
  const why = errorCode(error) ?? reasonOf(error);
  if (UNTRUSTED.test(why)) {
    return new Problem(
      `the certificate of the broker ${url} is signed by no authority that its access names (${why}); give "broker.ca_pem", the PEM of the one that signs it.`,
    );
  }
  if (why === "ERR_TLS_CERT_ALTNAME_INVALID") {
    return new Problem(
      `the certificate of the broker ${url} is for another host name; correct the address, or give the broker a certificate for this name.`,
    );
  }
  if (UNTIMELY.includes(why)) {
    return new Problem(
      `the certificate of the broker ${url} is not valid now (${why}); renew it, or correct this machine's clock.`,
    );
  }
  return new Problem(
    `the broker ${url} cannot be used (${why}); check that it runs and try again.`,
  );
}
