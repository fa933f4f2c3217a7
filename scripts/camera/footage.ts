/**
 * The clip a camera of host processes plays: the one a person names, or the default one.
 */
import { join } from "node:path";
import { ensure } from "../build/ensure.mjs";
import { Problem } from "../build/problem.mjs";
import { isReadable, noFootage, prepareClip } from "../footage/prepare.ts";
import type { Play } from "./host.ts";

/** A clip that is ready to be played. */
export interface Clip extends Pick<Play, "clip" | "args"> {
  /** The file that it was made from, for people; says so where nobody named it. */
  readonly source: string;
  readonly transcoded: boolean;
  /** Why it was, for people; empty where it was not. */
  readonly reason: string;
}

/** Throws Problem where the footage that a person names cannot be read: asked before anything is built for it. */
export async function checkFootage(footage: string | undefined): Promise<void> {
  const isThere = footage === undefined || (await isReadable(footage));
  if (!isThere) throw new Problem(noFootage(footage));
}

/**
 * Prepares the footage that a person names; without a name the default clip.
 * @param directory gets what has to be made.
 * @param tell told what takes long.
 */
export async function clipFrom(
  footage: string | undefined,
  directory: string,
  tell: (text: string) => void,
): Promise<Clip> {
  const file = footage ?? join(await ensure("clip-default"), "clip.h264");
  const prepared = await prepareClip(file, directory, {
    onProgress: ({ seconds, of }) =>
      tell(`preparing the footage: ${Math.round(seconds)} s${of ? ` of ${Math.round(of)} s` : ""}`),
  });
  if (!prepared.ok) throw new Problem(prepared.text);
  const source = footage ?? `the default clip, ${file} (name another with --footage or FOOTAGE=)`;
  const { path, cannedArgs, transcoded, reason = "" } = prepared;
  const clip = cannedArgs.indexOf("--clip");
  return { source, clip: path, args: cannedArgs.toSpliced(clip, 2), transcoded, reason };
}
