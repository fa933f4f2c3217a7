/**
 * The three files mosquitto reads: its configuration, the passwords' hashes, and who may do what.
 * Syntax: mosquitto.conf(5) and mosquitto_passwd(1) of mosquitto 2.0. Paths are relative to the broker's
 * directory, which it is started in.
 */
import { isIP } from "node:net";
import type { BrokerIdentity } from "./identities.ts";
import { CAMERA_PUBLISHES, cameraPrefix, tenantPrefix, updatePrefix } from "./names.ts";

/** Payload bound: AWS IoT's, the smallest of the brokers a camera may meet. */
const PAYLOAD_MAX_BYTES = 128 * 1024;
/** Bound on a whole packet: topic, properties and header stand beside the payload. */
export const PACKET_MAX_BYTES = PAYLOAD_MAX_BYTES + 8 * 1024;

/** Where the broker listens. */
export interface BrokerPorts {
  /** An IP address. */
  readonly bind: string;
  /** MQTT over TLS. */
  readonly mqtt: number;
  /** MQTT over WebSocket over TLS. */
  readonly webSocket: number;
}

/** mosquitto.conf */
export function configuration({ bind, mqtt, webSocket }: BrokerPorts): string {
  const tls = `certfile server.pem
keyfile server.key
tls_version tlsv1.2
ciphers_tls1.3 TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384`;
  return `# Written by ocellus at every start.
per_listener_settings false
allow_anonymous false
password_file passwd
acl_file acl
# Else the last status of a camera whose credentials were renewed or ended would be withheld.
check_retain_source false

persistence true
persistence_location ./
autosave_interval 60
persistent_client_expiration 1d
sys_interval 0

max_packet_size ${PACKET_MAX_BYTES}
max_inflight_messages 20
max_queued_messages 1000
max_queued_bytes ${4 * 1024 * 1024}
set_tcp_nodelay true

log_dest stderr
log_type error
log_type warning
log_type notice
log_type information
log_timestamp_format %Y-%m-%dT%H:%M:%S

listener ${mqtt} ${bind}
protocol mqtt
${tls}

# Without the domain mosquitto 2.0.11 listens for WebSocket on every address (measured).
listener ${webSocket} ${bind}
socket_domain ${isIP(bind) === 6 ? "ipv6" : "ipv4"}
protocol websockets
${tls}
`;
}

/** The password file. */
export function passwords(identities: readonly BrokerIdentity[]): string {
  return identities.map(({ username, passwordHash }) => `${username}:${passwordHash}\n`).join("");
}

/**
 * The access list. What it does not name is refused: publishing by reason code 0x87, receiving by
 * silence (mosquitto 2.0 acknowledges any subscription and then delivers nothing of it).
 */
export function accessList(identities: readonly BrokerIdentity[]): string {
  return identities
    .map(({ tenant, camera, username }) => {
      const topics =
        camera === undefined
          ? [
              `read ${tenantPrefix(tenant)}#`,
              `write ${tenantPrefix(tenant)}+/cmd`,
              `write ${updatePrefix(tenant)}#`,
            ]
          : [
              ...CAMERA_PUBLISHES.map((topic) => `write ${cameraPrefix(tenant, camera)}${topic}`),
              `read ${cameraPrefix(tenant, camera)}cmd`,
              `read ${updatePrefix(tenant)}#`,
            ];
      return `user ${username}\n${topics.map((topic) => `topic ${topic}\n`).join("")}\n`;
    })
    .join("");
}
