/**
 * Who can open footage from now on: a new vault key, the list that names it, and the proof that every paired
 * camera seals to it. One that was answered but is not known to be paired is named: it may have a list of before.
 *
 * A camera takes only a list of a higher version than any before, and an owner's own state may be behind: restored from an
 * older backup, or one of two copies. So the cameras' signed statuses count, not what we think we sent.
 */

import { ocellus } from "#proto";
import { same } from "../../agent/identity/encoding.ts";
import { isRefused } from "../../agent/seal/refusal.ts";
import { asTyped } from "../build/invoked.mjs";
import { Problem } from "../build/problem.mjs";
import { crypto } from "./crypto.ts";
import type { Heard } from "./heard.ts";
import { signList } from "./lists.ts";
import {
  type Camera,
  freshVault,
  newestVault,
  type Owner,
  type PairedCamera,
  type SignedList,
} from "./owner.ts";
import { type CameraState, refusedStatus, startTalk, type Talk, tellIfAway } from "./talk.ts";
import { reasonOf } from "./trouble.ts";

/** Retained statuses come right after subscribing. */
const STATUS_MS = 3_000;
const REPLY_MS = 15_000;
/** A camera that has taken a list says so in a status within seconds. */
const CONFIRM_MS = 15_000;
const VERSION_MAX = 0xffff_ffff;
/**
 * A status may be this far ahead of our own list and count. One stolen camera's word must not use up all versions there
 * are; no owner rotates so often between two backups.
 */
const LEAD_MAX = 65_536;

/** What became of the list at one camera. */
export interface SentList {
  readonly camera: string;
  /** Null: its signed status says that this very list is in force. Else one sentence that says what to do. */
  readonly trouble: string | null;
}

/** A camera whose list is not known. */
export interface Unheard {
  readonly camera: string;
  /** One clause. */
  readonly why: string;
}

/** What a rotation makes. */
export interface Rotation {
  readonly owner: Owner;
  /** Should the owner's keys be older than these cameras' lists, the new list may not be the newest there. */
  readonly unheard: readonly Unheard[];
}

/**
 * The owner with one more vault key, and with a list that names it and is newer than every camera's, as far as they are heard.
 * Nothing is sent yet. Throws Problem where cameras are paired and the broker is out of reach: their versions would not be known.
 */
export async function rotateVault(owner: Owner, now_us: number, heard?: Heard): Promise<Rotation> {
  const settled = (talk: Talk, camera: PairedCamera) => talk.settled(camera, STATUS_MS);
  const states = await withCameras(owner, settled, heard);
  const version = newestVersion(owner, states) + 1;
  if (version > VERSION_MAX) {
    throw new Problem(
      "the recipients' list has had all its versions; make new keys and pair anew.",
    );
  }
  const vault = { version: newestVault(owner).version + 1, ...freshVault() };
  const rotated = { ...owner, vaults: [...owner.vaults, vault] };
  return {
    owner: { ...rotated, list: signList(rotated, version, now_us) },
    unheard: states.flatMap(unheard),
  };
}

/** The highest version of our own list and of what the cameras' verified statuses state. */
function newestVersion(owner: Owner, states: readonly CameraState[]): number {
  const own = owner.list.version;
  const stated = states.map((state) => statedList(state)?.version ?? 0);
  return Math.max(own, ...stated.filter((version) => version <= own + LEAD_MAX));
}

function unheard({ trusted: { name }, status }: CameraState): Unheard[] {
  if (status === null) return [{ camera: name, why: "it has said nothing at this broker" }];
  return isRefused(status) ? [{ camera: name, why: reasonOf(refusedStatus(name, status)) }] : [];
}

/**
 * Sends the newest list to every paired camera that does not have it, and waits until its status says that it is in force.
 * A camera that is being paired gets it by that. Throws Problem where the broker is out of reach.
 * @param tell told of cameras that will probably not answer.
 */
export async function sendList(
  owner: Owner,
  tell: (sentence: string) => void = () => {},
  heard?: Heard,
): Promise<SentList[]> {
  const give = async (talk: Talk, camera: PairedCamera) => ({
    camera: camera.name,
    trouble: await giveList(talk, camera, owner.list, tell),
  });
  const sent = await withCameras(owner, give, heard);
  return [...sent, ...owner.cameras.flatMap(halfPaired)];
}

/** A camera that was answered may have taken the list of that time, whether it said so or not. */
function halfPaired(camera: Camera): SentList[] {
  if (camera.state !== "expected" || !camera.answer) return [];
  const { name } = camera;
  const trouble = `it is being paired and may have an older list; run \`${asTyped(`pair ${name} --finish`)}\`, which gives it the newest`;
  return [{ camera: name, trouble }];
}

async function withCameras<T>(
  owner: Owner,
  work: (talk: Talk, camera: PairedCamera) => Promise<T>,
  heard?: Heard,
): Promise<T[]> {
  const cameras = owner.cameras.filter((camera) => camera.state === "paired");
  if (cameras.length === 0) return [];
  const talk = await startTalk(owner, cameras, false, heard);
  try {
    return await Promise.all(cameras.map((camera) => work(talk, camera)));
  } finally {
    await talk.close();
  }
}

/** @returns null once the camera says that it seals to this list, else why it does not. */
async function giveList(
  talk: Talk,
  camera: PairedCamera,
  list: SignedList,
  tell: (sentence: string) => void,
): Promise<string | null> {
  const before = verdict(await talk.settled(camera, STATUS_MS), list);
  if (before.is === "has") return null;
  if (before.is === "another") return before.why;
  tellIfAway(talk, camera, tell);
  let said = "it took the list but does not say that it is in force; send it again";
  let wait_ms = CONFIRM_MS;
  try {
    const signed = { list: list.list, signature: list.signature };
    const reply = await talk.send(camera, { action: "recipients", recipients: signed }, REPLY_MS);
    if (reply.result !== ocellus.v1.Result.RESULT_OK) {
      said = `it refused the list (${reply.text}); run \`${asTyped("keys rotate")}\` for a newer one`;
      wait_ms = 0;
    }
  } catch (error) {
    // The reply may have been lost, or sealed to keys that are not ours: the status decides, and has had its time.
    said = reasonOf(error);
    wait_ms = 0;
  }
  const decided = (state: CameraState) => {
    const now = verdict(state, list);
    return now.is === "older" ? null : now;
  };
  const after = await talk.watch(camera, decided, wait_ms);
  if (after?.is === "has") return null;
  return after?.is === "another" ? after.why : said;
}

/** The list that a verified status says is in force; null where there is no such status. */
function statedList({ status }: CameraState): { version: number; hash: Uint8Array } | null {
  if (status === null || isRefused(status)) return null;
  return { version: status.open.recipientsVersion, hash: status.open.recipientsHash };
}

type Verdict = { readonly is: "has" | "older" } | { readonly is: "another"; readonly why: string };

/** Whether the camera has this list, may be given it, or has another that keeps it from taking this one. */
function verdict(state: CameraState, list: SignedList): Verdict {
  const { name } = state.trusted;
  const stated = statedList(state);
  if (stated === null || stated.version < list.version) return { is: "older" };
  if (stated.version > list.version + LEAD_MAX) {
    const why = `it states version ${stated.version} of the list, which your keys have never come to, so take its keys for stolen: run \`${asTyped(`pair ${name} --retire`)}\`, and if it is in your hands reset it and pair it anew under another name`;
    return { is: "another", why };
  }
  const replace = `run \`${asTyped("keys rotate")}\` with these keys to replace it`;
  if (stated.version > list.version) {
    const why = `it seals to version ${stated.version} of the list, newer than version ${list.version} of these keys; ${replace}`;
    return { is: "another", why };
  }
  if (same(stated.hash, crypto.sha256(list.list))) return { is: "has" };
  const why = `it seals to another list of version ${stated.version}, made with another copy of your keys; ${replace}`;
  return { is: "another", why };
}
