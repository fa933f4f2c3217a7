/** The control stage's own health, as status tells it (record.proto, Stage). Pure. */
import { ocellus } from "#proto";
import type { Trouble } from "./trouble.ts";

const { StageName, StageState } = ocellus.v1;

/**
 * While the camera is cut off from its broker nobody hears why, so the reason is told after the recovery, for this long.
 */
const RECOVERY_TOLD_US = 10 * 60 * 1_000_000;

export class ControlStage {
  #state: ocellus.v1.StageState = StageState.STAGE_STARTING;
  #sinceUs: number;
  #trouble: Trouble | null = null;
  #downSinceUs: number | null = null;

  constructor(nowUs: number) {
    this.#sinceUs = nowUs;
  }

  /** Connected and subscribed. */
  up(nowUs: number): void {
    this.#enter(StageState.STAGE_OK, nowUs);
  }

  /** An attempt failed or a connection ended. The newest trouble is the one told. */
  down(trouble: Trouble, nowUs: number): void {
    this.#enter(StageState.STAGE_TROUBLE, nowUs);
    this.#downSinceUs ??= nowUs;
    this.#trouble = trouble;
  }

  /** Trouble that leaves the connection up, such as a refused message. */
  noted(trouble: Trouble, nowUs: number): void {
    this.#trouble = trouble;
    this.#downSinceUs = null;
    this.#sinceUs = nowUs;
  }

  /** Says goodbye: the last status of this run. */
  ending(trouble: Trouble, nowUs: number): void {
    this.#enter(StageState.STAGE_TROUBLE, nowUs);
    this.#downSinceUs = null;
    this.#trouble = trouble;
  }

  report(nowUs: number): ocellus.v1.Stage.$Properties {
    const told = this.#told(nowUs);
    return {
      name: StageName.STAGE_CONTROL,
      state: this.#state,
      reason: told?.reason ?? "",
      cause: told?.cause ?? "",
      sinceUs: this.#sinceUs,
    };
  }

  #told(nowUs: number): Trouble | null {
    const trouble = this.#trouble;
    if (trouble === null || this.#state !== StageState.STAGE_OK) return trouble;
    if (nowUs - this.#sinceUs > RECOVERY_TOLD_US) {
      this.#trouble = null;
      this.#downSinceUs = null;
      return null;
    }
    if (this.#downSinceUs === null) return trouble;
    const seconds = Math.round((this.#sinceUs - this.#downSinceUs) / 1_000_000);
    return {
      cause: trouble.cause,
      reason: `Connected again after ${seconds} s. Before: ${trouble.reason}`,
    };
  }

  #enter(state: ocellus.v1.StageState, nowUs: number): void {
    if (this.#state === state) return;
    if (state === StageState.STAGE_TROUBLE) this.#downSinceUs = null;
    this.#state = state;
    this.#sinceUs = nowUs;
  }
}
