/** Carries out an accepted command and says how it went. The camera's parts are reached through `Effects`. */
import { ocellus } from "#proto";
import type { LogPart } from "../runtime/native.d.ts";
import type { Action, Answered } from "./commands.ts";

const { Result } = ocellus.v1;

/** What commands may do to the camera. A sentence back means: it was not done, and this is why. */
export interface Effects {
  /** Changes settings; gives those in force afterwards. */
  changeSettings(
    patch: ocellus.v1.Settings.$Properties,
  ): { readonly now: ocellus.v1.Settings.$Properties } | Failure;
  /** Lines of the log before its newest `back` bytes, and where it ends. */
  readLog(bytes: number, back: number): LogPart;
  /** Reboots once the reply had its chance to leave. */
  reboot(): void;
  adopt(adopt: ocellus.v1.Adopt.$Properties): Failure | null;
  replaceAccess(access: ocellus.v1.Access.$Properties): Failure | null;
  replaceRecipients(signed: ocellus.v1.SignedRecipients.$Properties): Failure | null;
}

/** `invalid`: the command is at fault; `failed`: the camera is. */
export interface Failure {
  readonly kind: "invalid" | "failed";
  /** One sentence. */
  readonly text: string;
}

/** The most log that one reply carries. */
export const LOG_BYTES = 8_192;
const PING_BYTES = 64;

type Outcome = Omit<ocellus.v1.Reply.$Properties, "signer" | "seq">;

/** A reply before it is encoded. */
export function perform(
  to: Answered,
  action: Action,
  effects: Effects,
): ocellus.v1.Reply.$Properties {
  return { signer: to.signer, seq: to.seq, ...outcomeOf(action, effects) };
}

function outcomeOf(action: Action, effects: Effects): Outcome {
  switch (action.does) {
    case "ping": {
      const payload = action.ping.payload ?? new Uint8Array(0);
      return payload.length <= PING_BYTES
        ? { result: Result.RESULT_OK, ping: payload }
        : invalid(`A ping carries at most ${PING_BYTES} bytes.`);
    }
    case "settings": {
      const changed = effects.changeSettings(action.settings);
      return "now" in changed
        ? { result: Result.RESULT_OK, settings: changed.now }
        : failure(changed);
    }
    case "log": {
      const wanted = action.log.bytes ?? 0;
      if (wanted > LOG_BYTES) return invalid(`A reply carries at most ${LOG_BYTES} bytes of log.`);
      const bytes = wanted === 0 ? LOG_BYTES : wanted;
      const { lines, end } = effects.readLog(bytes, action.log.back ?? 0);
      return { result: Result.RESULT_OK, log: lines, logEnd: end };
    }
    case "reboot":
      effects.reboot();
      return { result: Result.RESULT_OK };
    case "adopt":
      return done(effects.adopt(action.adopt));
    case "access":
      return done(effects.replaceAccess(action.access));
    case "recipients":
      return done(effects.replaceRecipients(action.recipients));
  }
}

function done(failed: Failure | null): Outcome {
  return failed === null ? { result: Result.RESULT_OK } : failure(failed);
}

function failure({ kind, text }: Failure): Outcome {
  return {
    result: kind === "invalid" ? Result.RESULT_INVALID : Result.RESULT_FAILED,
    text,
  };
}

function invalid(text: string): Outcome {
  return { result: Result.RESULT_INVALID, text };
}
