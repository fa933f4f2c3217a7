/**
 * The state files of identity/FORMAT.md ("State files"): each is a protobuf message followed by its SHA-256 cut to
 * 8 bytes, so that a torn or rotten file is told from a good one.
 */
import { ocellus } from "#proto";
import type { Native, NativeError } from "../runtime/native.d.ts";
import { decodeMessage, type MessageType } from "../seal/decode.ts";
import { isRefused } from "../seal/refusal.ts";
import { join, same } from "./encoding.ts";

const { v1 } = ocellus;

/** Every file of the state directory that holds a message, by its name. */
export const STATE_FILES = [
  "identity",
  "adoption",
  "recipients",
  "access",
  "settings",
  "counters",
  "chain",
] as const;

/** The line that says what the runtime ended a run for (`native.exit`): UTF-8, no message and no check. */
export const DEFECT_FILE = "defect";

export type StateName = (typeof STATE_FILES)[number];

/** `bad`: torn, rotten, unreadable, or written by a newer version; `why` is a sentence for the log. */
export type Loaded<T> =
  | { readonly is: "ok"; readonly value: T }
  | { readonly is: "absent" }
  | { readonly is: "bad"; readonly why: string };

/** What the functions here need of the machine. */
export type StateMachine = Pick<Native, "readState" | "writeState" | "sha256">;

const CHECK_BYTES = 8;

/** message ‖ first 8 bytes of its SHA-256. */
export function withCheck(native: Pick<Native, "sha256">, message: Uint8Array): Uint8Array {
  return join(message, native.sha256(message).subarray(0, CHECK_BYTES));
}

/** The message, a view of `file`; `null` where the check does not fit. */
export function checked(native: Pick<Native, "sha256">, file: Uint8Array): Uint8Array | null {
  if (file.length < CHECK_BYTES) return null;
  const message = file.subarray(0, file.length - CHECK_BYTES);
  const check = native.sha256(message).subarray(0, CHECK_BYTES);
  return same(check, file.subarray(message.length)) ? message : null;
}

function load<T extends object>(
  native: StateMachine,
  name: StateName,
  type: MessageType<T>,
): Loaded<T> {
  const file = native.readState(name);
  if (file === null) return { is: "absent" };
  if ("error" in file) {
    return { is: "bad", why: `The state file "${name}" cannot be read: ${file.text}` };
  }
  const message = checked(native, file);
  if (message === null) {
    return { is: "bad", why: `The state file "${name}" is damaged: its check does not fit.` };
  }
  const value = decodeMessage(type, message);
  return isRefused(value)
    ? { is: "bad", why: `The state file "${name}" cannot be used: ${value.refused}.` }
    : { is: "ok", value };
}

/**
 * Of the file that is replaced, the fields that only a newer version knows: it may be back after this one, and finds
 * them again. Fields of nested messages are not among them.
 */
function unknownFields<T extends { $unknowns?: Uint8Array[] }>(
  native: StateMachine,
  name: StateName,
  type: MessageType<T>,
): readonly Uint8Array[] {
  const before = load(native, name, type);
  return before.is === "ok" ? (before.value.$unknowns ?? []) : [];
}

function save(
  native: StateMachine,
  name: StateName,
  message: Uint8Array,
  unknown: readonly Uint8Array[] = [],
): NativeError | null {
  return native.writeState(name, withCheck(native, join(message, ...unknown))) ?? null;
}

/**
 * Reading and writing of each file, with its message type. Writing is durable and atomic; `null` means written. What the
 * camera itself makes keeps the fields that it does not know; what others signed, and chain heads, are replaced whole.
 */
export const files = {
  identity: {
    load: (native: StateMachine) => load(native, "identity", v1.Identity),
    save: (native: StateMachine, value: ocellus.v1.Identity.$Properties) =>
      save(
        native,
        "identity",
        v1.Identity.encode(value).finish(),
        unknownFields(native, "identity", v1.Identity),
      ),
  },
  adoption: {
    load: (native: StateMachine) => load(native, "adoption", v1.Adoption),
    save: (native: StateMachine, value: ocellus.v1.Adoption.$Properties) =>
      save(native, "adoption", v1.Adoption.encode(value).finish()),
  },
  recipients: {
    load: (native: StateMachine) => load(native, "recipients", v1.SignedRecipients),
    save: (native: StateMachine, value: ocellus.v1.SignedRecipients.$Properties) =>
      save(native, "recipients", v1.SignedRecipients.encode(value).finish()),
  },
  access: {
    load: (native: StateMachine) => load(native, "access", v1.AccessState),
    save: (native: StateMachine, value: ocellus.v1.AccessState.$Properties) =>
      save(
        native,
        "access",
        v1.AccessState.encode(value).finish(),
        unknownFields(native, "access", v1.AccessState),
      ),
  },
  settings: {
    load: (native: StateMachine) => load(native, "settings", v1.Settings),
    save: (native: StateMachine, value: ocellus.v1.Settings.$Properties) =>
      save(
        native,
        "settings",
        v1.Settings.encode(value).finish(),
        unknownFields(native, "settings", v1.Settings),
      ),
  },
  counters: {
    load: (native: StateMachine) => load(native, "counters", v1.Counters),
    save: (native: StateMachine, value: ocellus.v1.Counters.$Properties) =>
      save(
        native,
        "counters",
        v1.Counters.encode(value).finish(),
        unknownFields(native, "counters", v1.Counters),
      ),
  },
  chain: {
    load: (native: StateMachine) => load(native, "chain", v1.ChainHeads),
    save: (native: StateMachine, value: ocellus.v1.ChainHeads.$Properties) =>
      save(native, "chain", v1.ChainHeads.encode(value).finish()),
  },
};
