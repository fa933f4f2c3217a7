/** The camera's name towards its broker, other than its user name. Pure. */
import { ascii, join, toHex } from "../identity/encoding.ts";
import type { Identity } from "../identity/identity.ts";

const DOMAIN = "ocellus/v1/mqtt-client\0";
/** At most 23 are taken by every broker (MQTT 5.0, 3.1.3.1). */
const CLIENT_ID_LENGTH = 22;

/**
 * 22 lower-case hex digits: the same at every start, so that a camera takes over the session that its own death left
 * behind; and known to nobody but camera, owner and broker, because a broker ends the session of whoever's client id is
 * used a second time, whatever the user name. Not for the log.
 */
export function clientIdOf(
  sha256: (bytes: Uint8Array) => Uint8Array,
  { camera, deviceSeed }: Pick<Identity, "camera" | "deviceSeed">,
): string {
  return toHex(sha256(join(ascii(DOMAIN), camera, deviceSeed))).slice(0, CLIENT_ID_LENGTH);
}
