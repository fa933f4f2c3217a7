/**
 * One command of the owner's and its answer, in as many attempts as the camera's clock takes: see camera-clock.ts.
 */
import type { ocellus } from "#proto";
import type { RecipientKey } from "../../agent/seal/crypto.ts";
import { type ClockReading, earliestTimes_us, ownerMonotonic_us } from "./camera-clock.ts";
import { makeCommand, openReply, refusedAt_us, type Sent } from "./command.ts";
import type { SigningPair } from "./crypto.ts";
import type { Trusted } from "./trust.ts";

/** A camera's answer to one of the commands. */
export interface Answer {
  readonly reply: ocellus.v1.Reply;
  /** The camera's clock where it refused the command for its time: another attempt, made for that, may be taken. */
  readonly clock: ClockReading | null;
}

/** What is asked, by whom. */
export interface Question {
  readonly signer: SigningPair;
  readonly command: ocellus.v1.Command.$Properties;
  /** The camera's answers may not be readable (`isUnreadable`). */
  readonly unreadable: boolean;
}

/** Makes the commands and takes the answers; sending is the holder's. */
export class Exchange {
  readonly #trusted: Trusted;
  readonly #keys: readonly RecipientKey[];
  readonly #question: Question;
  /** Of all attempts. */
  readonly #sent: (Sent & { readonly boot: number })[] = [];
  /** Counter of the newest attempt's first command. */
  #newest = 0;
  #answer: Answer | null = null;

  constructor(trusted: Trusted, keys: readonly RecipientKey[], question: Question) {
    this.#trusted = trusted;
    this.#keys = keys;
    this.#question = question;
  }

  /** The commands of the next attempt, in the order in which they are to be sent. */
  attempt(clock: ClockReading): readonly Sent[] {
    const { signer, command, unreadable } = this.#question;
    const { boot } = clock;
    // Counters rise over all attempts, whatever wall time does meanwhile.
    const now_us = Math.max(Date.now() * 1000, (this.#sent.at(-1)?.seq ?? 0) + 1);
    const made = earliestTimes_us(clock, unreadable, ownerMonotonic_us()).map((monotonic_us, i) =>
      makeCommand({ ...this.#trusted, boot, monotonic_us }, signer, now_us + i, command),
    );
    this.#sent.push(...made.map((one) => ({ ...one, boot })));
    this.#newest = now_us;
    if (this.#answer?.clock) this.#answer = null;
    return made;
  }

  /** A message of the camera's `rsp` topic. */
  take(payload: Uint8Array): void {
    for (const one of this.#sent) {
      const reply = openReply(this.#trusted, this.#keys, one, payload);
      if (reply === null) continue;
      const camera_us = refusedAt_us(one, reply);
      const { boot } = one;
      const clock: ClockReading | null =
        camera_us === null ? null : { boot, camera_us, heard_us: ownerMonotonic_us(), live: true };
      if (clock !== null && one.seq < this.#newest) continue;
      const said = this.#answer;
      if (said === null || (said.clock !== null && clock === null)) this.#answer = { reply, clock };
    }
  }

  /** The answer so far; one that is not about the time goes before one that is. */
  get answer(): Answer | null {
    return this.#answer;
  }
}
