/**
 * What is to be told beside the footage of an interval and is no refusal: what the listing cannot show, and what its reader
 * could take for more than it is.
 */
import { showTime } from "./times.ts";

export type Note =
  /** Boots with objects whose time nothing states, so that they are in no interval. `left_out`: others that were not looked at. */
  | { readonly note: "untimed"; readonly boots: readonly number[]; readonly left_out: number }
  /** Records of one boot that state other times; it is listed under each. `left_out`: times under which it is not. */
  | {
      readonly note: "times-differ";
      readonly boot: number;
      /** The boot's zero, microseconds since 1970 UTC; the one that counts by FORMAT.md first. */
      readonly zeros_us: readonly number[];
      readonly left_out: number;
    }
  /** The last segment in the store of a boot that others followed is not one that an orderly stop ends. */
  | { readonly note: "no-orderly-end"; readonly boot: number; readonly end_us: number | null }
  /** Numbers that are not in the store, of a time that reaches to the interval's end or past it. */
  | {
      readonly note: "missing";
      readonly boot: number;
      readonly segments: number;
      /** Where what is in the store ends and begins again; null: nothing of the boot is before. */
      readonly from_us: number | null;
      readonly to_us: number;
    }
  /** The second boot sealed frames of the first again: they are listed once. */
  | { readonly note: "sealed-again"; readonly boots: readonly [number, number] };

/** Takes a note. */
export type Tell = (note: Note) => void;

/** Of one kind, this many numbers or times are told one by one. */
const TOLD = 10;

/** What is to be told, each once. */
export class Notes {
  readonly #notes = new Map<string, Note>();

  add(note: Note): void {
    this.#notes.set(JSON.stringify(note), note);
  }

  /** How many segments the notes say are not in the store. */
  get missing(): number {
    const counts = this.json.map((one) => (one.note === "missing" ? one.segments : 0));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /** As JSON has them: an object each. */
  get json(): Note[] {
    return [...this.#notes.values()];
  }

  /** One sentence each. */
  get sentences(): string[] {
    return this.json.map(sentence);
  }
}

function sentence(note: Note): string {
  switch (note.note) {
    case "untimed":
      return untimed(note.boots, note.left_out);
    case "times-differ": {
      const { boot, zeros_us, left_out } = note;
      const times = listed(zeros_us.map(showTime), left_out);
      const under =
        left_out === 0 ? "each" : `the ${zeros_us.length} that came into the store first`;
      return `Boot ${boot} has records that state other times, by which it began at ${times}. Its clock was set again, or somebody with the camera's keys has added a record; its footage is found under ${under}.`;
    }
    case "no-orderly-end":
      return `Boot ${note.boot} has no orderly end in the store${note.end_us === null ? "" : ` after ${showTime(note.end_us)}`}: by a power cut or a crash what it had not uploaded by then is lost.`;
    case "missing": {
      const span =
        note.from_us === null
          ? `before ${showTime(note.to_us)}`
          : `between ${showTime(note.from_us)} and ${showTime(note.to_us)}`;
      return `Of boot ${note.boot}, nothing ${span} is in the store.`;
    }
    case "sealed-again":
      return `Boot ${note.boots[1]} says that it sealed frames of boot ${note.boots[0]} again, so these are listed once; --boot shows all of one boot.`;
  }
}

function untimed(boots: readonly number[], left_out: number): string {
  const [first, second] = boots;
  const more = `${left_out} more boots without a record were not looked into.`;
  if (first === undefined) return more;
  const told =
    second === undefined
      ? `Boot ${first} has objects in the store and nothing that states their time, so it is in no interval; --boot ${first} shows what it holds.`
      : `Boots ${listed(boots.map(String), 0)} have objects in the store and nothing that states their time, so they are in no interval; --boot ${first} shows what the first holds.`;
  return left_out > 0 ? `${told} ${more}` : told;
}

/** The first of them, and how many more there are. */
function listed(texts: readonly string[], left_out: number): string {
  const more = Math.max(0, texts.length - TOLD) + left_out;
  const shown = texts.slice(0, TOLD);
  if (more > 0) shown.push(`${more} more`);
  const last = shown.pop() ?? "";
  return shown.length > 0 ? `${shown.join(", ")} and ${last}` : last;
}
