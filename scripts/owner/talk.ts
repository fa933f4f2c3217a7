/**
 * Talking with paired cameras over the broker: their newest status, and commands with their replies.
 */

import type { ocellus } from "#proto";
import { toHex } from "../../agent/identity/encoding.ts";
import { topicName } from "../../agent/seal/names.ts";
import { isRefused, type Refused, refuse } from "../../agent/seal/refusal.ts";
import { asTyped } from "../build/invoked.mjs";
import { Problem } from "../build/problem.mjs";
import { type Broker, connectBroker } from "./broker.ts";
import { type ClockReading, isUnreadable, ownerMonotonic_us } from "./camera-clock.ts";
import { Exchange } from "./exchange.ts";
import { Heard, isNewer } from "./heard.ts";
import { hasList } from "./lists.ts";
import { accessOf, type Owner, type PairedCamera } from "./owner.ts";
import { openLink, openStatus, type Status } from "./status.ts";
import { openingKeys, type Trusted, trustCamera } from "./trust.ts";

/** The hint comes with the status, where there is one. */
const LINK_MS = 500;
/** Retained statuses come right after subscribing. */
const STATUS_MS = 3_000;

/** What the broker holds of one camera. */
export interface CameraState {
  readonly trusted: Trusted;
  /** The newest good status, not older than any heard before; without one, why what the broker gives for one is refused; null where there is neither. */
  readonly status: Status | Refused | null;
  /** The broker's unsigned hint; null where there is none. */
  readonly connected: boolean | null;
  /** Of the newest record that states the camera's clock; null where there is none. */
  readonly clock: ClockReading | null;
}

/** A conversation. The holder closes it. */
export interface Talk {
  state(camera: PairedCamera): CameraState;
  /** The camera's state once it has a good status, or after `within_ms` whatever there is. */
  settled(camera: PairedCamera, within_ms: number): Promise<CameraState>;
  /** What `look` finds in the camera's state, now or after a change; null where it finds nothing in time. */
  watch<T>(
    camera: PairedCamera,
    look: (state: CameraState) => T | null,
    within_ms: number,
  ): Promise<T | null>;
  /**
   * Sends a command and waits for its reply. Throws Problem where none comes that these keys open, and, unless it is a
   * recipients' list, where none could: a command whose answer is lost is not sent at all.
   */
  send(
    camera: PairedCamera,
    command: ocellus.v1.Command.$Properties,
    within_ms: number,
  ): Promise<ocellus.v1.Reply>;
  /** Calls back whenever a state has changed. */
  onChange(callback: () => void): void;
  close(): Promise<void>;
}

interface Known {
  trusted: Trusted;
  status: Status | Refused | null;
  connected: boolean | null;
  /** Of the newest record that states the camera's clock; null where there is none. */
  clock: ClockReading | null;
  /** Which connection the hint is about. */
  link: { boot: number; connection: number };
}

/**
 * Connects and listens to `cameras`. Throws Problem where the broker is out of reach or refuses.
 * @param heard what was heard of them before; older statuses are refused. Kept when the conversation is closed.
 */
export async function startTalk(
  owner: Owner,
  cameras: readonly PairedCamera[],
  keepTrying = false,
  heard = new Heard(),
): Promise<Talk> {
  await heard.load();
  const keys = openingKeys(owner);
  const byTopic = new Map<string, { known: Known; leaf: "status" | "link" | "rsp" }>();
  const byId = new Map<string, Known>();
  const listeners = new Set<() => void>();
  const replies = new Set<(known: Known, payload: Uint8Array) => void>();
  for (const camera of cameras) {
    const trusted = trustCamera(owner, camera);
    const known: Known = {
      trusted,
      status: null,
      connected: null,
      clock: null,
      link: { boot: 0, connection: 0 },
    };
    byId.set(toHex(camera.id), known);
    for (const leaf of ["status", "link", "rsp"] as const) {
      byTopic.set(topicName(owner.tenant, camera.id, leaf), { known, leaf });
    }
  }

  const receive = (topic: string, payload: Uint8Array, retained: boolean) => {
    const found = byTopic.get(topic);
    if (!found) return;
    const { known, leaf } = found;
    if (leaf === "rsp") for (const reply of replies) reply(known, payload);
    else if (leaf === "link") takeLink(known, payload);
    else takeStatus(known, heard, openStatus(known.trusted, keys, payload), !retained);
    for (const listener of listeners) listener();
  };
  const broker: Broker = await connectBroker(accessOf(owner).broker, receive, keepTrying);
  if (byTopic.size > 0) await broker.subscribe(...byTopic.keys());

  const of = (camera: PairedCamera): Known => {
    const known = byId.get(toHex(camera.id));
    if (!known) throw new Error(`not listening to ${camera.name}`);
    return known;
  };
  /** Resolves with what `look` finds once it finds something, or with null. */
  const until = <T>(look: () => T | null, within_ms: number): Promise<T | null> =>
    new Promise((resolve) => {
      const end = (found: T | null) => {
        listeners.delete(check);
        clearTimeout(timer);
        resolve(found);
      };
      const check = () => {
        const found = look();
        if (found !== null) end(found);
      };
      const timer = setTimeout(end, within_ms, null);
      listeners.add(check);
      check();
    });

  return {
    state: of,
    async settled(camera, within_ms) {
      const known = of(camera);
      await until(() => hasGood(known), within_ms);
      if (known.status) await until(() => known.connected !== null || null, LINK_MS);
      return known;
    },
    watch: (camera, look, within_ms) => until(() => look(of(camera)), within_ms),
    async send(camera, command, within_ms) {
      const known = of(camera);
      await until(() => hasGood(known), STATUS_MS);
      // What is refused may be another's, and the camera's own come after it.
      if (isRefused(known.status)) await until(() => hasGood(known), within_ms);
      const { status, trusted } = known;
      if (status === null) throw silent(trusted.name);
      if (isRefused(status)) throw refusedStatus(trusted.name, status);
      const isList = command.action === "recipients";
      const unreadable = isUnreadable(status);
      if (unreadable && !isList) throw unanswerable(trusted.name, status);
      // A camera may have lost its list, or have one without this device: the root key it always knows.
      const signer = isList ? owner.root : owner.signer;
      const exchange = new Exchange(trusted, keys, { signer, command, unreadable });
      const attempt = async (clock: ClockReading) => {
        for (const { topic, payload } of exchange.attempt(clock)) {
          await broker.publish(topic, payload);
        }
        return until(() => exchange.answer, within_ms);
      };
      const take = (from: Known, payload: Uint8Array) => {
        if (from === known) exchange.take(payload);
      };
      replies.add(take);
      try {
        if (known.clock === null) throw new Error("a status without its clock");
        const first = await attempt(known.clock);
        const answer = first?.clock ? await attempt(first.clock) : first;
        if (answer) return answer.reply;
      } finally {
        replies.delete(take);
      }
      throw noReply(known, owner);
    },
    onChange: (callback) => listeners.add(callback),
    async close() {
      await broker.close();
      await heard.save();
    },
  };
}

function hasGood({ status }: Known): true | null {
  return status !== null && !isRefused(status) ? true : null;
}

/** Keeps the newest of what the broker shows; a good status is not given up for a bad one. */
function takeStatus(known: Known, heard: Heard, said: Status | Refused, live: boolean): void {
  const { status: old, trusted } = known;
  const isOld = !isRefused(said) && !heard.note(trusted, said);
  const status = isOld ? refuse("replayed") : said;
  const first = old === null || isRefused(old);
  if (isRefused(status)) {
    if (first) known.status = status;
  } else if (first || isNewer(status, old)) {
    known.status = status;
    const { boot, open } = status;
    known.clock = { boot, camera_us: open.monotonicUs, heard_us: ownerMonotonic_us(), live };
  }
}

/** The will of an older connection, which may come late, says nothing about a newer one. */
function takeLink(known: Known, payload: Uint8Array): void {
  const link = openLink(payload);
  if (!link) return;
  const { boot, connection } = known.link;
  if (link.boot < boot || (link.boot === boot && link.connection < connection)) return;
  known.link = { boot: link.boot, connection: link.connection };
  known.connected = link.up;
}

/**
 * Tells once, as soon as the broker's hint says so, that a camera is not connected. The hint is unsigned: nothing is decided by
 * it, and whoever waits goes on waiting.
 */
export function tellIfAway(
  talk: Talk,
  camera: PairedCamera,
  tell: (sentence: string) => void,
): void {
  let told = false;
  const look = () => {
    if (told || talk.state(camera).connected !== false) return;
    told = true;
    tell(`camera "${camera.name}" is not connected, says the broker; waiting for it all the same`);
  };
  talk.onChange(look);
  look();
}

function silent(name: string): Problem {
  return new Problem(
    `camera "${name}" has not said anything at this broker yet; see that it runs and is connected.`,
  );
}

/** Why a camera's answers could not be read. */
function unanswerable(name: string, { foreign, open }: Status): Problem {
  const why = foreign
    ? `seals its answers to version ${open.recipientsVersion} of the recipients' list, which these keys do not open`
    : "has no recipients' list and seals its answers to nobody";
  return new Problem(
    `camera "${name}" ${why}, so nothing was sent; give it the list of these keys with \`${asTyped("keys recipients --send")}\`, or use the keys that it knows.`,
  );
}

/** That a status is refused and who can have written it, as a Problem: a good deal less is needed for it than the broker itself. */
export function refusedStatus(name: string, { refused }: Refused): Problem {
  if (refused === "replayed") {
    return new Problem(
      `the status of camera "${name}" at the broker is refused and not used, for it is older than one that was read here before: the broker lost the newer one, or it or whoever has the camera's broker password shows an old one as today's; see that the camera runs and is connected, and try again.`,
    );
  }
  return new Problem(
    `the status of camera "${name}" at the broker is refused (${refused}) and not used: the camera was reset, or the broker or whoever has the camera's broker password put it there; see that the camera runs and try again, and change that password if this comes back.`,
  );
}

function noReply({ trusted: { name }, status, connected }: Known, { list }: Owner): Problem {
  if (status !== null && !isRefused(status) && !hasList(status.open, list)) {
    return new Problem(
      `camera "${name}" did not answer: its recipients' list (version ${status.open.recipientsVersion}) is not that of these keys, so it may not obey them; run \`${asTyped("keys recipients --send")}\`, which tells what else there is to do.`,
    );
  }
  const why = connected === false ? "it is not connected" : "no reply came";
  return new Problem(`camera "${name}" did not answer: ${why}; try again once it is back.`);
}
