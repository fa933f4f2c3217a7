/**
 * Follows a camera's footage as it arrives in the store, by the signed heads of its segments.
 */
import { type CameraView, headOf } from "../owner/heads.ts";
import { classPrefixes, segmentNames } from "../owner/names.ts";
import { Refusal } from "../owner/open.ts";

/** What has arrived so far. */
export interface Arrived {
  readonly segments: number;
  /** Frames in them. */
  readonly frames: number;
  /** Sealed bytes. */
  readonly bytes: number;
}

/** Counts the segments of one stream and boot. */
export class Arrival {
  readonly #view: CameraView;
  readonly #boot: number;
  #next = 0;
  #arrived: Arrived = { segments: 0, frames: 0, bytes: 0 };

  constructor(view: CameraView, boot: number) {
    this.#view = view;
    this.#boot = boot;
  }

  /** Looks at what is new. Throws Refusal for what is not to be believed, Problem where the store fails. */
  async look(): Promise<Arrived> {
    const prefixes = await classPrefixes(this.#view, 0, this.#boot);
    for await (const copies of segmentNames(this.#view, prefixes, this.#next)) {
      if (copies instanceof Refusal) throw copies;
      const [name] = copies;
      if (!name) continue;
      // Numbers are uploaded in order here, but a later one may overtake where several wait.
      if (name.seq !== this.#next) break;
      const { head, metadata } = await headOf(this.#view, name);
      const frames = metadata.fragments.reduce((sum, fragment) => sum + (fragment.frames ?? 0), 0);
      const before = this.#arrived;
      this.#next = name.seq + 1;
      this.#arrived = {
        segments: before.segments + 1,
        frames: before.frames + frames,
        bytes: before.bytes + head.prelude.totalBytes,
      };
    }
    return this.#arrived;
  }
}
