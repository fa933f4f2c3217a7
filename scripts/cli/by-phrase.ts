/**
 * Footage opened with the recovery phrase alone, without an owner's keys or their backup.
 *
 * The phrase is a recipient of all footage, so it opens it. It does not hold what proves who made it: a camera's signing key
 * is pinned by its record, which stands in the owner's state and in backups. So that key, which is no secret, has to be named;
 * or it is said that nothing is proven.
 */
import type { Command } from "commander";
import { asTyped } from "../build/invoked.mjs";
import { complain, Problem } from "../build/problem.mjs";
import { parseAccessFile } from "../owner/access.ts";
import { wipe } from "../owner/crypto.ts";
import { cacheHome, readSecret } from "../owner/files.ts";
import type { CameraView } from "../owner/heads.ts";
import { recoveryKeys } from "../owner/phrase.ts";
import { openStore, type Store } from "../owner/store.ts";
import { Misuse } from "./misuse.ts";

export interface PhraseFlags {
  readonly phraseFile?: string;
  readonly access?: string;
  readonly cameraKey?: string;
  readonly unverified?: true;
}

const CAMERA_ID = /^[0-9a-f]{32}$/;

/** Adds the options. */
export function phraseOptions(command: Command): Command {
  return command
    .option("--phrase-file <file>", "open with the recovery phrase in <file>, without your keys")
    .option("--access <file>", "with --phrase-file: access file with your store")
    .option(
      "--camera-key <key>",
      `with --phrase-file: the camera's key, as \`${asTyped("keys show")}\` told it`,
    )
    .option("--unverified", "with --phrase-file: open what cannot be proven to be the camera's");
}

/** Whether the phrase is to open it. Throws Misuse where the options do not go together. */
export function isByPhrase(flags: PhraseFlags & { readonly home?: string }): boolean {
  const { phraseFile, access, cameraKey, unverified, home } = flags;
  const given = { access, "camera-key": cameraKey, unverified };
  if (phraseFile === undefined) {
    const alone = Object.entries(given).find(([, value]) => value !== undefined)?.[0];
    if (alone) throw new Misuse(`--${alone} goes with --phrase-file only.`);
    return false;
  }
  if (home !== undefined) throw new Misuse("--phrase-file opens without --home; leave one out.");
  if (access === undefined) throw new Misuse("say where the store is, with --access FILE.");
  if (cameraKey !== undefined && unverified) {
    throw new Misuse("--camera-key and --unverified cannot both be meant.");
  }
  if (cameraKey === undefined && !unverified) {
    throw new Misuse(
      `name the camera's key, which \`${asTyped("keys show")}\` told, with --camera-key, or add --unverified to open what cannot be proven to be the camera's.`,
    );
  }
  if (cameraKey !== undefined) keyOf(cameraKey);
  return true;
}

/** Opens a camera's footage by `flags`, which `isByPhrase`, lets `work` use it, and closes the store. */
export async function withFootageByPhrase<T>(
  { phraseFile = "", access = "", cameraKey }: PhraseFlags,
  camera: string,
  work: (view: CameraView) => Promise<T>,
): Promise<T> {
  const { tenant, owner } = parseAccessFile(await readSecret(access), access);
  if (!owner) throw new Problem(`${access}: "owner" is missing.`);
  const { box, mac } = recoveryKeys(await readSecret(phraseFile));
  wipe(mac);
  const store = openStore(owner.store);
  try {
    if (!CAMERA_ID.test(camera)) throw await noId(store, tenant, camera);
    const trusted = {
      ...{ name: camera, camera: new Uint8Array(Buffer.from(camera, "hex")), tenant },
      signingKey: cameraKey === undefined ? new Uint8Array(32) : keyOf(cameraKey),
      boxKey: new Uint8Array(32),
    };
    const view = { store, trusted, keys: [box], cache: cacheHome() };
    if (cameraKey !== undefined) return await work(view);
    complain(
      "warning: no signature is checked, so nothing proves that this footage is the camera's: whoever learnt your recovery key, which every camera of yours holds, can have made it.",
    );
    return await work({ ...view, unverified: true });
  } finally {
    wipe(box.secretKey);
    store.close();
  }
}

function keyOf(text: string): Uint8Array {
  const bytes = new Uint8Array(Buffer.from(text, "base64"));
  if (/^[A-Za-z0-9+/]{43}=$/.test(text) && bytes.length === 32) return bytes;
  throw new Misuse(`"${text}" is no camera's key; it has 44 characters and ends with =.`);
}

async function noId(store: Store, tenant: string, camera: string): Promise<Problem> {
  const { names } = await store.folders(`v1/${tenant}/`);
  const ids = names.map((name) => name.split("/")[2] ?? "").filter((id) => CAMERA_ID.test(id));
  const there = ids.length > 0 ? `there are: ${ids.slice(0, 20).join(", ")}` : "there are none";
  return new Problem(
    `without your keys a camera has no name such as "${camera}"; say its id of 32 digits, of which the store holds footage; ${there}.`,
  );
}
