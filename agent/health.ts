/** A stage's health as status tells it (record.proto, Stage). Pure. */
import { ocellus } from "#proto";

const { StageState } = ocellus.v1;

/** A machine-readable cause and one sentence for the owner. */
export interface StageTrouble {
  readonly cause: string;
  readonly reason: string;
}

export class Health {
  readonly #name: ocellus.v1.StageName;
  #state: ocellus.v1.StageState = StageState.STAGE_STARTING;
  #trouble: StageTrouble | null = null;
  #sinceUs: number;

  constructor(name: ocellus.v1.StageName, nowUs: number) {
    this.#name = name;
    this.#sinceUs = nowUs;
  }

  /** Enters OK (`null`) or trouble. True where that is news: another state, cause or reason. */
  set(trouble: StageTrouble | null, nowUs: number): boolean {
    const state = trouble === null ? StageState.STAGE_OK : StageState.STAGE_TROUBLE;
    const same =
      trouble?.cause === this.#trouble?.cause && trouble?.reason === this.#trouble?.reason;
    if (state === this.#state && same) return false;
    if (state !== this.#state) this.#sinceUs = nowUs;
    this.#state = state;
    this.#trouble = trouble;
    return true;
  }

  /** All is well. */
  get ok(): boolean {
    return this.#state === StageState.STAGE_OK;
  }

  report(): ocellus.v1.Stage.$Properties {
    return {
      name: this.#name,
      state: this.#state,
      reason: this.#trouble?.reason ?? "",
      cause: this.#trouble?.cause ?? "",
      sinceUs: this.#sinceUs,
    };
  }
}
