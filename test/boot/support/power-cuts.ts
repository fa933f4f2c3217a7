/** Whether config is whole at every cut of a camera's life: the old state or the new, and nothing that was promised is gone. */
import { type Checked, checkImages } from "./config-checker.ts";
import type { ConfigRun } from "./config-run.ts";
import { type Cut, imagesOf, seeded, type Tear, tearsOf } from "./cuts.ts";
import { type Kept, keptIn } from "./kept.ts";

/** A cut, and whose the camera is after it; null where no config is found. */
export interface OwnedCut {
  readonly cut: Cut;
  readonly ownership: Kept["ownership"] | null;
}

export interface CutsReport {
  readonly images: number;
  readonly cuts: ReadonlyMap<Tear, number>;
  /** Different states of config that were seen. */
  readonly states: number;
  readonly owned: readonly OwnedCut[];
  /** What is wrong, a sentence each. */
  readonly faults: readonly string[];
}

/** Which cuts are looked at. Between and inside of operations that are left out, none. */
export interface Choice {
  readonly seed: number;
  /** Whether to look around this operation; after it and after the one before always together. */
  around(operation: number, random: () => number): boolean;
  /** Of the tears of an operation, at most so many. */
  readonly tears: number;
}

/** The file that the checker writes. */
const PROBE = /^probe=/;
const RANK = { broken: 0, unpaired: 1, claiming: 2, paired: 3 };

/** Looks at config as each of the chosen cuts of each run leaves it. */
export async function checkCuts(runs: readonly ConfigRun[], choice: Choice): Promise<CutsReport> {
  const random = seeded(choice.seed);
  const chosen = runs.map((run) => ({ run, cuts: chosenCuts(run, choice, random) }));
  const images = function* () {
    for (const { run, cuts } of chosen) yield* imagesOf(run.before, run.operations, cuts, random);
  };
  const checked = (await checkImages(images())).values();
  const counts = new Map<Tear, number>();
  const owned: OwnedCut[] = [];
  const faults: string[] = [];
  let states = 0;
  for (const { run, cuts } of chosen) {
    const judge = new Judge(run);
    for (const cut of cuts) {
      const { value: found } = checked.next();
      if (found === undefined) throw new Error("fewer results than images");
      counts.set(cut.tear, (counts.get(cut.tear) ?? 0) + 1);
      owned.push({ cut, ownership: judge.take(cut, found)?.ownership ?? null });
    }
    judge.end();
    faults.push(...judge.faults);
    states += judge.states;
  }
  return { images: owned.length, cuts: counts, states, owned, faults };
}

function chosenCuts({ operations }: ConfigRun, choice: Choice, random: () => number): Cut[] {
  const around = operations.map((_, index) => choice.around(index, random));
  const cuts: Cut[] = [];
  for (let index = 0; index <= operations.length; index++) {
    const next = operations[index];
    if (around[index] || around[index - 1]) cuts.push({ operations: index, tear: "none" });
    if (next === undefined || !around[index]) continue;
    for (const tear of some(tearsOf(next), choice.tears, random))
      cuts.push({ operations: index, tear });
  }
  return cuts;
}

/** At most so many of them, in their order. */
function some<T>(all: readonly T[], most: number, random: () => number): T[] {
  const left = [...all];
  while (left.length > most) left.splice(random() % left.length, 1);
  return left;
}

class Judge {
  readonly faults: string[] = [];
  readonly #run: ConfigRun;
  readonly #kept = new Map<string, Kept>();
  /** The newest cut between operations, and what is torn after it. */
  #before: { readonly cut: Cut; readonly found: Checked } | null = null;
  #torn: { readonly cut: Cut; readonly found: Checked }[] = [];

  constructor(run: ConfigRun) {
    this.#run = run;
  }

  get states(): number {
    return this.#kept.size;
  }

  /** @returns what it found */
  take(cut: Cut, found: Checked): Kept | null {
    const say = (what: string) => this.#say(cut, what);
    for (const what of found.failed) say(what);
    const kept = this.#read(found);
    if (kept === null) {
      say("no config is found");
      return null;
    }
    const again = found.again.split(" ");
    const rest = again.filter((file) => !PROBE.test(file));
    if (rest.join(" ") !== found.text || rest.length === again.length)
      say(`after a write it holds ${found.again}, before it ${found.text}`);
    for (const complaint of kept.complaints) say(complaint);
    for (const pledge of this.#run.pledges)
      if (cut.operations >= pledge.operations && !pledge.holds(kept))
        say(`"${pledge.what}" is gone, which was promised after ${pledge.operations}`);
    if (cut.tear !== "none") this.#torn.push({ cut, found });
    else {
      this.#settle(found);
      const { files } = this.#before?.found ?? {};
      const old = this.#before && this.#read(this.#before.found);
      if (old !== null && files) {
        for (const name of files.keys())
          if (!found.files?.has(name)) say(`the file ${name} is gone`);
        if (RANK[kept.ownership] < RANK[old.ownership]) say(`it was ${old.ownership}`);
        for (const counter of ["boot", "recipientsVersion", "generation", "access"] as const)
          if (kept[counter] < old[counter])
            say(`${counter} went back from ${old[counter]} to ${kept[counter]}`);
      }
      this.#before = { cut, found };
    }
    return kept;
  }

  end(): void {
    this.#settle(null);
  }

  /** What is torn holds what was before it or after it. */
  #settle(after: Checked | null): void {
    for (const { cut, found } of this.#torn) {
      const between = [this.#before?.found.text, after?.text];
      if (!between.includes(found.text))
        this.#say(cut, `it holds ${found.text}, which is neither old nor new`);
    }
    this.#torn = [];
  }

  #read({ files, text }: Checked): Kept | null {
    if (files === null) return null;
    const kept = this.#kept.get(text) ?? keptIn(files);
    this.#kept.set(text, kept);
    return kept;
  }

  #say({ operations, tear }: Cut, what: string): void {
    const where = tear === "none" ? "" : `, the next one ${tear}`;
    this.faults.push(`Cut after ${operations} operations${where}: ${what.replace(/\.$/, "")}.`);
  }
}

/** In one line, for people. */
export function told({ images, cuts, states }: CutsReport): string {
  const kinds = [...cuts].map(([tear, count]) => `${count} ${tear === "none" ? "whole" : tear}`);
  return `${images} images (${kinds.join(", ")}), ${states} states of config`;
}
