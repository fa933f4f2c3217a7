/** `ocellus status`: what cameras say of themselves. */

import type { Command } from "commander";
import { ocellus } from "#proto";
import { toHex } from "../../agent/identity/encoding.ts";
import { isRefused } from "../../agent/seal/refusal.ts";
import { DEFAULT_SETTINGS } from "../../agent/settings/settings.ts";
import { asTyped } from "../build/invoked.mjs";
import { complain } from "../build/problem.mjs";
import { countOf, showDrops } from "../owner/drops.ts";
import { findPaired } from "../owner/owner.ts";
import type { Status } from "../owner/status.ts";
import { type CameraState, refusedStatus, startTalk } from "../owner/talk.ts";
import { showBytes, showDuration, showTime } from "../owner/times.ts";
import { columns, type OwnerFlags, ownerCommand, print, withOwner } from "./owner-options.ts";
import { settingsJson, showChanged } from "./settings.ts";

const { AccessTrialState, Slot, StageName, StageState, TimeQuality, Pairing } = ocellus.v1;
/** Retained messages come right after subscribing. */
const SETTLE_MS = 3_000;
/** What a status may be late, and the clocks of camera and owner apart, before it is called old. */
const LATE_S = 60;

/** The command, to be added to the program. */
export function statusCommand(): Command {
  return ownerCommand("status", "show what cameras say of themselves")
    .argument("[camera]", "its name or id; all paired cameras without it")
    .addHelpText(
      "after",
      "\nExit status: 0 done, whatever the cameras say; 1 a status is not its camera's, or other trouble; 2 wrong usage.",
    )
    .action(status);
}

async function status(name: string | undefined, flags: OwnerFlags): Promise<void> {
  let none = "No camera is paired yet.";
  const states = await withOwner(flags, async (owner, heard) => {
    const retired = owner.cameras.filter((camera) => camera.state === "retired");
    if (retired.length > 0) {
      none = `No camera is paired any more; retired: ${retired.map((one) => one.name).join(", ")}.`;
    }
    const paired = owner.cameras.filter((camera) => camera.state === "paired");
    const cameras = name === undefined ? paired : [findPaired(owner, name)];
    // Without one there may be no broker either.
    if (cameras.length === 0) return [];
    const talk = await startTalk(owner, cameras, false, heard);
    try {
      return await Promise.all(cameras.map((camera) => talk.settled(camera, SETTLE_MS)));
    } finally {
      await talk.close();
    }
  });
  print(flags, states.map(statusJson), () =>
    states.length > 0 ? states.map((state) => describe(state)).join("\n\n") : none,
  );
  for (const { trusted, status } of states) {
    if (!isRefused(status)) continue;
    complain(refusedStatus(trusted.name, status).message);
    process.exitCode = 1;
  }
}

/** A camera's state as JSON; enumerations by name, ids in hex. */
export function statusJson({ trusted, status, connected }: CameraState) {
  const base = { name: trusted.name, camera: toHex(trusted.camera), connected };
  if (status === null) return { ...base, status: null };
  if (isRefused(status)) return { ...base, status: null, refused: status.refused };
  const { boot, seq, open, secret } = status;
  return {
    ...base,
    status: {
      boot,
      seq,
      build: open.build,
      board: open.board,
      image: open.image === "" ? null : open.image,
      slot: open.slot === Slot.SLOT_UNKNOWN ? null : nameOf(Slot, open.slot, "SLOT_"),
      recipients_version: open.recipientsVersion,
      sealed_to_us: !status.foreign,
      old: saidLongAgo(status, Date.now() * 1000),
      pairing: nameOf(Pairing, open.pairing, "PAIRING_"),
      monotonic_us: open.monotonicUs,
      ...(secret ? privateJson(secret) : {}),
    },
  };
}

function privateJson(secret: ocellus.v1.StatusPrivate) {
  return {
    wall_us: secret.wallUs,
    time: nameOf(TimeQuality, secret.timeQuality, "TIME_"),
    stages: secret.stages.map((stage) => ({
      name: nameOf(StageName, stage.name ?? 0, "STAGE_"),
      state: nameOf(StageState, stage.state ?? 0, "STAGE_"),
      reason: stage.reason ?? "",
      cause: stage.cause ?? "",
      since_us: stage.sinceUs ?? 0,
    })),
    streams: secret.streams.map((stream) => ({
      stream: stream.stream ?? 0,
      head_seq: stream.sealedAny ? (stream.headSeq ?? 0) : null,
      uploaded: stream.uploaded ?? 0,
      pending: (stream.pending ?? []).map(rangeJson),
      dropped: (stream.dropped ?? []).map(rangeJson),
      frames: stream.frames ?? 0,
      frames_lost: stream.framesLost ?? 0,
      width: stream.width ?? 0,
      height: stream.height ?? 0,
    })),
    queue_bytes: secret.queueBytes,
    queue_limit_bytes: secret.queueLimitBytes,
    heap_kb: secret.heapKb,
    rss_kb: secret.rssKb,
    uploaded_bytes: secret.uploadedBytes,
    start_reason: secret.startReason,
    access: {
      state: nameOf(AccessTrialState, secret.access?.state ?? 0, "ACCESS_"),
      reason: secret.access?.reason ?? "",
    },
    settings: settingsJson(secret.settings),
  };
}

function rangeJson({ first, last, reason }: ocellus.v1.Range.$Properties) {
  return {
    first: first ?? 0,
    last: last ?? 0,
    reason: nameOf(ocellus.v1.DropReason, reason ?? 0, "DROP_"),
  };
}

function nameOf(names: object, value: number, prefix: string): string {
  const found = Object.entries(names).find(([, number]) => number === value)?.[0];
  return (found ?? String(value)).replace(prefix, "").toLowerCase().replaceAll("_", "-");
}

/**
 * Whether more time has gone by since a status was said than its camera lets pass between two, as far as its clock and ours
 * agree; null where it does not tell when it was said.
 */
function saidLongAgo({ secret }: Status, now_us: number): boolean | null {
  if (!secret || secret.wallUs === 0) return null;
  const silence_s = secret.settings?.statusMaxSilenceS || DEFAULT_SETTINGS.statusMaxSilenceS;
  return now_us - secret.wallUs > (silence_s + LATE_S) * 1e6;
}

/** Whether what follows is of now. The broker's hint is unsigned, so an old status is called old whatever the hint says. */
function age({ status, connected, clock }: CameraState, now_us: number): string {
  if (status === null || isRefused(status)) return "";
  const isOld = saidLongAgo(status, now_us);
  const said_us = status.secret?.wallUs ?? 0;
  if (isOld === null) return clock?.live || !status.secret ? "" : ", said at an unknown time";
  if (isOld) return `, old: said at ${showTime(said_us)}`;
  return connected ? "" : `, this is what it said at ${showTime(said_us)}`;
}

/** A camera's state in lines for people. */
export function describe(state: CameraState, now_us = Date.now() * 1000): string {
  const { trusted, status, connected } = state;
  const link = connected === null ? "never connected" : connected ? "connected" : "not connected";
  const title = `${trusted.name}  ${link}${age(state, now_us)}`;
  if (status === null) return `${title}\n  It has not said anything at this broker yet.`;
  if (isRefused(status)) return `${title}\n  Its status is refused.`;
  if (status.foreign)
    return `${title}\n  It seals to other keys than these; see \`${asTyped("keys recipients --send")}\`.`;
  const rows = status.secret ? privateRows(status, status.secret) : [];
  return `${title}\n${columns(rows.map(([name, value]) => [`  ${name}`, value]))}`;
}

function privateRows(status: Status, secret: ocellus.v1.StatusPrivate): [string, string][] {
  const [main] = secret.streams;
  const pending = countOf(main?.pending ?? []);
  const dropped = main?.dropped ?? [];
  const why = dropped.length > 0 ? ` (${showDrops(dropped)})` : "";
  return [
    ["time", secret.wallUs === 0 ? "not known to the camera" : showTime(secret.wallUs)],
    [
      "up",
      `${showDuration(status.open.monotonicUs)} since power-on, boot ${status.boot} (${secret.startReason})`,
    ],
    ...secret.stages.map((stage): [string, string] => [
      nameOf(StageName, stage.name ?? 0, "STAGE_"),
      nameOf(StageState, stage.state ?? 0, "STAGE_") + (stage.reason ? `: ${stage.reason}` : ""),
    ]),
    [
      "footage",
      `${main?.uploaded ?? 0} segments stored (${showBytes(secret.uploadedBytes)}), ${pending} waiting, ${countOf(dropped)} dropped${why}`,
    ],
    ["queue", `${showBytes(secret.queueBytes)} of ${showBytes(secret.queueLimitBytes)}`],
    ["memory", `${secret.rssKb} kB, engine ${secret.heapKb} kB`],
    ...accessRows(secret.access),
    ...(secret.settings
      ? [["settings", showChanged(secret.settings)] satisfies [string, string]]
      : []),
    ...imageRows(status.open),
    ["build", `${status.open.build} on ${status.open.board}`],
  ];
}

/** None of a camera that runs from no image. */
function imageRows({ image, slot }: ocellus.v1.StatusPublic): [string, string][] {
  if (image === "") return [];
  const from: Partial<Record<ocellus.v1.Slot, string>> = {
    [Slot.SLOT_A]: ", slot a",
    [Slot.SLOT_B]: ", slot b: slot a, which is tried first, did not start",
  };
  return [["image", `${image}${from[slot] ?? ""}`]];
}

/** None of a camera that does not tell. */
function accessRows(access: ocellus.v1.AccessReport.$Properties | null | undefined) {
  const told: Partial<Record<ocellus.v1.AccessTrialState, string>> = {
    [AccessTrialState.ACCESS_TRYING]: "being tried",
    [AccessTrialState.ACCESS_PROVEN]: "proven",
    [AccessTrialState.ACCESS_REJECTED]: `the newest was rejected, the one before is used: ${access?.reason ?? ""}`,
  };
  const text = told[access?.state ?? AccessTrialState.ACCESS_UNKNOWN];
  return text === undefined ? [] : [["access", text] satisfies [string, string]];
}
