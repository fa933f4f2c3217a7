/**
 * Opens segment objects as their owner: strictly in the order of agent/seal/FORMAT.md, all or nothing, and loudly where
 * anything is refused.
 */

import type { ocellus } from "#proto";
import { join } from "../../agent/identity/encoding.ts";
import {
  parseHead,
  parseObject,
  type SegmentHead,
  type SegmentObject,
} from "../../agent/seal/container.ts";
import type { RecipientKey } from "../../agent/seal/crypto.ts";
import type { SegmentName } from "../../agent/seal/names.ts";
import {
  checkChain,
  openKey,
  openMetadata,
  openSegment,
  type TrustedCamera,
  verifyHead,
  wipeKey,
} from "../../agent/seal/open.ts";
import { isPruned, parsePruned } from "../../agent/seal/pruned.ts";
import { isRefused, type RefusalReason, type Refused } from "../../agent/seal/refusal.ts";
import { Problem } from "../build/problem.mjs";
import { crypto } from "./crypto.ts";

/** An object that is not to be believed. Its message is a sentence that names object and reason. */
export class Refusal extends Problem {
  override readonly name = "Refusal";
  /** The object's name in the store. */
  readonly object: string;
  readonly reason:
    | RefusalReason
    | "damaged"
    | "conflict"
    | "withheld"
    | "flooded"
    | "retired"
    | "unjoinable";
  /**
   * Whether footage is left out for it. Otherwise it is a boot record, an object that is no segment at all, or a copy beside
   * a good one: to be told, but no reason to give up the interval.
   */
  readonly footage: boolean;
  /** What else is known of it, as a clause; empty where nothing is. */
  readonly detail: string;

  constructor(object: string, reason: Refusal["reason"], footage = true, detail = "") {
    super(`${object} is refused: ${whyRefused(reason)}${detail && ` (${detail})`}.`);
    this.object = object;
    this.reason = reason;
    this.footage = footage;
    this.detail = detail;
  }

  /** The same, where no footage is left out for it. */
  aside(): Refusal {
    return new Refusal(this.object, this.reason, false, this.detail);
  }
}

function whyRefused(reason: Refusal["reason"]): string {
  return SENTENCES[reason] ?? `its ${reason} is malformed`;
}

/** What was refused of an interval: all are counted, and the first thousand kept. */
export class Refusals implements Iterable<Refusal> {
  static readonly #MOST = 1_000;
  /** Of one reason, this many are told one by one. */
  static readonly #TOLD = 5;
  readonly #kept: Refusal[] = [];
  #count = 0;
  #footage = 0;

  add(refusal: Refusal): void {
    this.#count += 1;
    if (refusal.footage) this.#footage += 1;
    if (this.#kept.length < Refusals.#MOST) this.#kept.push(refusal);
  }

  get count(): number {
    return this.#count;
  }

  /** How many of them leave footage out. */
  get footage(): number {
    return this.#footage;
  }

  [Symbol.iterator](): Iterator<Refusal> {
    return this.#kept.values();
  }

  /** Those that are kept, as JSON. */
  get json() {
    return this.#kept.map(({ object, reason, footage }) => ({ object, reason, footage }));
  }

  /** One sentence for each that is kept, or for all of one reason where they are many; and one for the rest. */
  get sentences(): string[] {
    const more = this.#count - this.#kept.length;
    const told = this.#kept.flatMap((one) => {
      const alike = this.#kept.filter(({ reason }) => reason === one.reason);
      if (alike.length <= Refusals.#TOLD) return [one.message];
      const [first, last] = [alike[0], alike.at(-1)];
      if (one !== first) return [];
      const span = `from ${first.object} to ${last?.object}`;
      return [`${alike.length} objects ${span} are refused: ${whyRefused(one.reason)}.`];
    });
    return more > 0 ? [...told, `${more} more objects are refused.`] : told;
  }
}

/** The error if it is a Refusal; throws it otherwise. For `catch`. */
export function asRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  throw error;
}

const CUT = "it was cut or is no segment";
const ALTERED = "it was altered after the camera sealed it";
const UNKNOWN = "it needs a newer version of ocellus, or was altered";

/** What each reason means to an owner; those that are missing are defects of form. */
const SENTENCES: { readonly [reason in Refusal["reason"]]?: string } = {
  "too-short": CUT,
  length: CUT,
  magic: CUT,
  version: UNKNOWN,
  suite: UNKNOWN,
  "critical-flag": UNKNOWN,
  "critical-field": UNKNOWN,
  name: "it is not the object of that name: renamed, or put in another's place",
  camera: "it was sealed by another camera",
  signature: "its signature is not this camera's",
  signer: "it was not signed by this camera",
  boot: "it is of another boot than its name says",
  kind: "it is something else than its name says",
  box: ALTERED,
  chain: "it does not follow the segment before it: one was replaced, left out or reordered",
  "no-wrap": "it was not sealed to your keys",
  unwrap: ALTERED,
  commitment: ALTERED,
  metadata: ALTERED,
  "chunk-hash": ALTERED,
  "chunk-open": ALTERED,
  "pruned-too-far": CUT,
  damaged: "it was reduced to key frames, and no signed statement of the camera says so",
  withheld: "the store lists it but does not hand it out: archived, or encrypted by somebody else",
  flooded:
    "it holds more folders than a camera makes, so not all were looked at: of the boots before one only those of the nearest numbers, so that what is told as not in the store may be there, and of the boots without a record only the lowest numbers",
  retired:
    "it came into the store after the camera was retired, and states again when an older boot was",
  unjoinable:
    "the camera's key signed it, but what is in it is no footage that could be joined: a defect of the camera, or somebody else has that key",
  conflict: "another segment of the same number, also signed by the camera, stands beside it",
};

/** An object's name as a text, and what is in it. */
export interface Named extends SegmentName {
  readonly object: string;
}

/** What a head tells its owner. */
export interface OpenedHead {
  readonly head: SegmentHead;
  readonly metadata: ocellus.v1.SegmentMetadata;
}

/** All checks but signatures: for an owner who has lost the camera's key. */
const BELIEVING: typeof crypto = { ...crypto, verify: () => true };

/**
 * Verifies and opens what stands before an object's chunks. `bytes` may be any beginning of the object that reaches past
 * the signature. Throws Refusal.
 * @param unverified any signature will do.
 */
export function openHead(
  trusted: TrustedCamera,
  keys: readonly RecipientKey[],
  name: Named,
  bytes: Uint8Array,
  unverified = false,
): OpenedHead {
  const head = unless(name, parseHead(bytes));
  unless(name, verifyHead(unverified ? BELIEVING : crypto, head, name, trusted));
  const key = unless(name, openKey(crypto, head.header, keys));
  try {
    return { head, metadata: unless(name, openMetadata(crypto, head.header, key)) };
  } finally {
    wipeKey(key);
  }
}

/** An opened segment. */
export interface OpenedObject extends OpenedHead {
  /** The MP4. */
  readonly plain: Uint8Array;
}

/** Verifies and opens a whole object, as `openHead` does. Throws Refusal; a part of a refused object is never given out. */
export function openObject(
  trusted: TrustedCamera,
  keys: readonly RecipientKey[],
  name: Named,
  bytes: Uint8Array,
  unverified = false,
): OpenedObject {
  const object: SegmentObject = unless(
    name,
    isPruned(bytes) ? parsePruned(bytes) : parseObject(bytes),
  );
  const checks = unverified ? BELIEVING : crypto;
  const { metadata, chunks } = unless(name, openSegment(checks, object, name, trusted, keys));
  // No camera of this version prunes, so nothing signed can say that this is legitimate.
  if (object.pruned) throw new Refusal(name.object, "damaged");
  return {
    head: object,
    metadata,
    plain: join(...chunks.map((chunk) => chunk ?? new Uint8Array())),
  };
}

/**
 * Checks that `next` follows `previous` in the camera's chain. Where numbers between the two are missing nothing can be
 * said: that is a gap. Throws Refusal.
 * @returns how many segment numbers are missing between them, those that never got a header not counted.
 */
export function checkFollows(previous: SegmentHead, next: SegmentHead, name: Named): number {
  const missing = next.header.seq - 1 - next.header.skipped - previous.header.seq;
  if (missing > 0) return missing;
  unless(name, checkChain(crypto, previous, next));
  return 0;
}

function unless<T>(name: Named, result: T | Refused): T {
  if (isRefused(result)) throw new Refusal(name.object, result.refused);
  return result;
}
