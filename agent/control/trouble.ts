/** Why the camera is not, or was not, connected to its broker: what status says about it. Pure. */
import type { NativeError } from "../runtime/native.d.ts";
import { type InboundFault, PACKET_BYTES } from "./inbound.ts";

export interface Trouble {
  /** One word for machines, such as tls-certificate-expired or broker-bad-credentials. */
  readonly cause: string;
  /** One sentence for the owner. */
  readonly reason: string;
}

/** From the connection; `null`: the broker closed it in order. */
export function connectionTrouble(error: NativeError | null): Trouble {
  return error === null
    ? { cause: "broker-closed", reason: "The broker closed the connection." }
    : { cause: error.error, reason: `The broker cannot be reached: ${sentence(error.text)}` };
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** MQTT 5.0 reason codes (2.4) that owners can do something about. */
const REASONS = new Map<number, Trouble>([
  [0x81, { cause: "broker-protocol", reason: "The broker says that a packet was malformed." }],
  [0x82, { cause: "broker-protocol", reason: "The broker says that the protocol was violated." }],
  [0x84, { cause: "broker-no-mqtt5", reason: "The broker does not speak MQTT 5." }],
  [0x85, { cause: "broker-client-id", reason: "The broker refuses the camera's client id." }],
  [
    0x86,
    {
      cause: "broker-bad-credentials",
      reason: "The broker refuses the camera's user name or password.",
    },
  ],
  [
    0x87,
    {
      cause: "broker-not-authorized",
      reason: "The broker does not allow this camera to do that; look at its access rules.",
    },
  ],
  [0x88, { cause: "broker-unavailable", reason: "The broker says that it is unavailable." }],
  [0x89, { cause: "broker-busy", reason: "The broker says that it is busy." }],
  [0x8a, { cause: "broker-banned", reason: "The broker has banned this camera." }],
  [0x8b, { cause: "broker-shutting-down", reason: "The broker is shutting down." }],
  [
    0x8d,
    { cause: "broker-timeout", reason: "The broker heard nothing from the camera for too long." },
  ],
  [
    0x8e,
    {
      cause: "broker-taken-over",
      reason: "Someone else connected to the broker under this camera's client id.",
    },
  ],
  [
    0x95,
    { cause: "broker-packet-too-large", reason: "The broker does not take packets that large." },
  ],
  [0x96, { cause: "broker-rate", reason: "The broker says that the camera sends too much." }],
  [0x97, { cause: "broker-quota", reason: "The camera's quota at the broker is used up." }],
  [0x9a, { cause: "broker-no-retain", reason: "The broker keeps no retained messages." }],
  [0x9f, { cause: "broker-rate", reason: "The broker says that the camera connects too often." }],
]);

/** From a reason code of CONNACK, PUBACK, SUBACK or DISCONNECT. */
export function reasonTrouble(code: number): Trouble {
  const hex = code.toString(16).padStart(2, "0");
  return (
    REASONS.get(code) ?? {
      cause: "broker-refused",
      reason: `The broker refuses with reason code 0x${hex}.`,
    }
  );
}

const FAULTS: Record<InboundFault, Trouble> = {
  oversized: {
    cause: "broker-oversized-packet",
    reason: `The broker sent a packet of more than ${PACKET_BYTES} bytes; the camera dropped the connection.`,
  },
  malformed: {
    cause: "broker-malformed-packet",
    reason:
      "The broker sent something that is no MQTT packet for a camera; it dropped the connection.",
  },
  flooding: {
    cause: "broker-flooding",
    reason: "The broker sent more than the camera takes; it dropped the connection.",
  },
};

/** From what the camera itself refused of the broker's packets. */
export function inboundTrouble(fault: InboundFault): Trouble {
  return FAULTS[fault];
}

/** No CONNACK, or no answer to a ping. */
export const SILENT_BROKER: Trouble = {
  cause: "broker-silent",
  reason: "The broker does not answer.",
};
