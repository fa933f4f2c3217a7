/**
 * The newest status that was read here of each camera, kept beside the keys (FORMAT.md, "Heard file"): a signature does not
 * show that a status is today's, but that it is older than one that was seen before.
 */
import { join } from "node:path";
import { toHex } from "../../agent/identity/encoding.ts";
import { withLock } from "../build/lock.mjs";
import { complain, Problem } from "../build/problem.mjs";
import { keyId, toBase64 } from "./crypto.ts";
import { readIfThere, writePrivateFile } from "./files.ts";
import { bytes, count, list, parseFields } from "./json.ts";
import { reasonOf } from "./trouble.ts";
import type { Trusted } from "./trust.ts";

const FORMAT = "ocellus-heard-1";
const LOCK_WAIT_S = 10;

/** Where a record stands among all of a camera's. */
export interface Position {
  readonly boot: number;
  readonly seq: number;
}

/** Whether `a` was made after `b`. */
export function isNewer(a: Position, b: Position): boolean {
  return a.boot > b.boot || (a.boot === b.boot && a.seq > b.seq);
}

/** What was heard, by this command and by those before it. */
export class Heard {
  readonly #home: string | null;
  /** By the id of the camera's signing key: one that was reset has another, and counts anew. */
  #newest = new Map<string, Position>();
  #hasNews = false;

  /** @param home where it is kept; without one it is forgotten with the process. */
  constructor(home: string | null = null) {
    this.#home = home;
  }

  /** Reads what was kept. Throws Problem where it cannot be read or is malformed. */
  async load(): Promise<void> {
    if (this.#home !== null) this.#merge(await readHeard(this.#home));
  }

  /** Notes a verified status. @returns false where it is older than one that was heard before. */
  note({ signingKey }: Pick<Trusted, "signingKey">, { boot, seq }: Position): boolean {
    const key = toHex(keyId(signingKey));
    const newest = this.#newest.get(key);
    if (newest && isNewer(newest, { boot, seq })) return false;
    if (newest && !isNewer({ boot, seq }, newest)) return true;
    this.#newest.set(key, { boot, seq });
    this.#hasNews = true;
    return true;
  }

  /** Keeps what is new. Where it cannot be written standard error says so: what a camera said was read all the same. */
  async save(): Promise<void> {
    const home = this.#home;
    if (home === null || !this.#hasNews) return;
    try {
      const work = async () => {
        this.#merge(await readHeard(home));
        await writePrivateFile(heardFile(home), heardJson(this.#newest));
      };
      await withLock(join(home, "heard.lock"), () => {}, work, LOCK_WAIT_S);
      this.#hasNews = false;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      complain(`warning: an old status would not be told from a new one: ${reasonOf(error)}`);
    }
  }

  #merge(other: ReadonlyMap<string, Position>): void {
    for (const [key, position] of other) {
      const newest = this.#newest.get(key);
      if (!newest || isNewer(position, newest)) this.#newest.set(key, position);
    }
  }
}

function heardFile(home: string): string {
  return join(home, "heard.json");
}

async function readHeard(home: string): Promise<Map<string, Position>> {
  const path = heardFile(home);
  const json = await readIfThere(path);
  if (json === null) return new Map();
  const fields = parseFields(json, path);
  if (fields.format !== FORMAT) throw new Problem(`${path} is not of this version of ocellus.`);
  return new Map(
    list(fields, "cameras", path).map((one) => {
      const position = { boot: count(one, "boot", path), seq: count(one, "seq", path) };
      return [toHex(bytes(one, "signer", path, 8)), position];
    }),
  );
}

function heardJson(newest: ReadonlyMap<string, Position>): string {
  const cameras = [...newest].map(([key, { boot, seq }]) => {
    return { signer: toBase64(Buffer.from(key, "hex")), boot, seq };
  });
  return `${JSON.stringify({ format: FORMAT, cameras })}\n`;
}
