/**
 * Whether the camera lives: decides each second if the supervisor gets a sign of life, without which it stops the agent and
 * starts it anew, and whether it is asked to start the encoder anew. Pure but for `beat`.
 *
 * A camera that cannot do its work lives, as long as it knows why and goes on trying: offline, unpaired, refused by its
 * store. One that waits for what should have happened long ago does not. An encoder without pictures is no reason to end the
 * agent, and with it what waits sealed in its memory.
 */
import type { Native } from "./runtime/native.d.ts";

/** What a look at the camera found. Times are monotonic µs. */
export interface Signs {
  /**
   * When the newest picture came, or since when one is awaited. `null`: none is due, since the camera is not paired or the
   * encoder says that its footage is over.
   */
  readonly pictureUs: number | null;
  /** Until when the uploader ends the attempt, or the wait, that it is in. `null`: nothing is under way. */
  readonly uploadDueUs: number | null;
  /** Likewise, of the connection to the broker. */
  readonly controlDueUs: number | null;
}

/** A camera that has nothing to do yet, or may do nothing. */
export const IDLE: Signs = { pictureUs: null, uploadDueUs: null, controlDueUs: null };

const BEAT_MS = 1_000;
/** An encoder that is missing or stalled gets so long: one that ended is started anew within 30 s. */
const PICTURE_US = 60_000_000;
/** What has a deadline may be so late: a turn of the agent may take 10 s, and some deadlines are looked at every 5 s. */
const LATE_US = 30_000_000;

/** Why there is no sign of life, one sentence; `null`: the camera lives. */
export function mortal(signs: Signs, nowUs: number): string | null {
  const { uploadDueUs, controlDueUs } = signs;
  if (late(uploadDueUs, nowUs)) return "The upload hangs: an attempt is past its own deadline.";
  if (late(controlDueUs, nowUs))
    return "The connection to the broker hangs: an attempt is past its own deadline.";
  return null;
}

/** Whether the encoder gives the pictures that are due. */
export function hasPictures({ pictureUs }: Signs, nowUs: number): boolean {
  return pictureUs === null || nowUs - pictureUs <= PICTURE_US;
}

function late(dueUs: number | null, nowUs: number): boolean {
  return dueUs !== null && nowUs - dueUs > LATE_US;
}

/** Gives signs of life from now on, each second, while what `look` finds is good. */
export function beat(native: Native, look: () => Signs): void {
  let withheld = false;
  let seen = true;
  const once = () => {
    const [signs, nowUs] = [look(), native.monotonicUs()];
    const why = mortal(signs, nowUs);
    const pictures = hasPictures(signs, nowUs);
    if (why === null) native.alive(pictures);
    if (pictures !== seen)
      native.log(
        pictures ? "info" : "warning",
        pictures
          ? "The encoder gives pictures again."
          : `There were no pictures for ${PICTURE_US / 1_000_000} s: the supervisor is asked to start the encoder anew.`,
      );
    seen = pictures;
    if (why !== null && !withheld) native.log("warning", `No more signs of life: ${why}`);
    if (why === null && withheld) native.log("info", "Signs of life again.");
    withheld = why !== null;
    native.setTimer(BEAT_MS, once);
  };
  once();
}
