/** `ocellus run`: a development cloud and a camera in it, until Ctrl-C. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Command, Option } from "commander";
import { ocellus } from "#proto";
import { decodeMessage } from "../../agent/seal/decode.ts";
import { topicName } from "../../agent/seal/names.ts";
import { isRefused } from "../../agent/seal/refusal.ts";
import { asTyped, quoted } from "../build/invoked.mjs";
import { Problem } from "../build/problem.mjs";
import { cameraDirectory, openOwner, ownerDirectory, startPaired } from "../camera/development.ts";
import { type Clip, clipFrom } from "../camera/footage.ts";
import { HostCamera, VARIANTS, type Variant } from "../camera/host.ts";
import { showExit } from "../camera/supervise.ts";
import { type Cloud, startCloud } from "../cloud/cloud.ts";
import { defaultStateDirectory } from "../cloud/state.ts";
import { connectBroker } from "../owner/broker.ts";
import { Heard } from "../owner/heard.ts";
import type { Keystore } from "../owner/keystore.ts";
import { accessOf, type Owner, type PairedCamera, sameCamera } from "../owner/owner.ts";
import { openRecord } from "../owner/status.ts";
import { startTalk, type Talk } from "../owner/talk.ts";
import { openingKeys, trustCamera } from "../owner/trust.ts";
import { askPassphrase } from "./ask.ts";
import { type Board, boardRows, type Stored, startBoard } from "./board.ts";
import { CLOUD_PORTS, endOfProcess, port } from "./cloud.ts";
import { startProgress } from "./progress.ts";

interface Flags {
  readonly footage?: string;
  readonly state: string;
  readonly home?: string;
  readonly variant: Variant;
  readonly s3Port: number;
  readonly mqttPort: number;
  readonly wsPort: number;
}

const BOARD_MS = 1_000;

/** The command, to be added to the program. */
export function runCommand(): Command {
  return new Command("run")
    .description("start a development cloud and a camera, until Ctrl-C")
    .option("--footage <file>", "what the camera sees, over and over (default: a made-up clip)")
    .option("--state <dir>", "where cloud, camera and keys are kept", defaultStateDirectory())
    .option("--home <dir>", "owner's keys to use (default: some of its own in --state)")
    .addOption(
      new Option("--variant <build>", "which build of the camera's programs")
        .choices([...VARIANTS])
        .default("host"),
    )
    .option("--s3-port <port>", "port of the store", port, CLOUD_PORTS.s3Port)
    .option("--mqtt-port <port>", "port of the broker", port, CLOUD_PORTS.mqttPort)
    .option("--ws-port <port>", "port of the broker for browsers", port, CLOUD_PORTS.webSocketPort)
    .action(run);
}

async function run(flags: Flags): Promise<void> {
  const ended = endOfProcess();
  const stop = new AbortController();
  const stopping = ended.promise.then(
    () => stop.abort(),
    (error: unknown) => stop.abort(error),
  );
  const stops: (() => Promise<unknown>)[] = [];
  try {
    await start(flags, (error) => ended.fail(error), stops, stop.signal);
  } catch (error) {
    // A Ctrl-C while it starts makes whatever is under way fail: that is not news.
    if (!stop.signal.aborted || stop.signal.reason instanceof Problem) throw reason(error, stop);
  } finally {
    for (const end of stops.reverse()) await end();
    stop.abort();
  }
  await stopping;
  console.log("Stopped; what was stored is kept, and the next start goes on with the same camera.");
  process.exit(0);
}

function reason(error: unknown, stop: AbortController): unknown {
  return stop.signal.reason instanceof Problem ? stop.signal.reason : error;
}

async function start(
  flags: Flags,
  fail: (error: Error) => void,
  stops: (() => Promise<unknown>)[],
  signal: AbortSignal,
): Promise<void> {
  const progress = startProgress();
  stops.push(async () => progress.end());
  progress.show("starting the development cloud");
  const cloud = await startCloud({
    state: flags.state,
    ...{ s3Port: flags.s3Port, mqttPort: flags.mqttPort, webSocketPort: flags.wsPort },
    onDeath: (sentence) => fail(new Problem(sentence)),
  });
  stops.push(() => cloud.stop());
  const store: Keystore = { home: flags.home ?? ownerDirectory(cloud), askPassphrase };
  const owner = await openOwner(cloud, store);
  // The board, once it is there, is what would write over anybody else's lines.
  let tell = progress.tell;
  const host = await HostCamera.create({
    directory: cameraDirectory(cloud),
    variant: flags.variant,
    onExit: (from, exit, then) => {
      if (then === "again") tell(`the ${from} ended (${showExit(exit)}); it is started again`);
    },
  });
  stops.push(() => host.stop());
  const clips = join(cloud.state, "footage");
  await mkdir(clips, { recursive: true, mode: 0o700 });
  const clip = await clipFrom(flags.footage, clips, progress.show);
  if (clip.transcoded) progress.tell(`${flags.footage} ${clip.reason}: it was transcoded`);
  await host.startEncoder({ ...clip, loops: 0 });
  progress.show("starting the camera");
  // From before it starts, so that what the broker kept of an earlier start is told from what it says in this.
  const before = owner.cameras.filter((known) => known.state === "paired");
  const early =
    before.length > 0 ? await startTalk(owner, before, true, new Heard(store.home)) : null;
  if (early) stops.push(() => early.close());
  const camera = await startPaired(cloud, store, owner, host, progress.show);
  const isKnown = before.some((one) => sameCamera(one, camera));
  progress.end();
  console.log(welcome(cloud, store, camera, clip, flags));
  const board = startBoard();
  tell = board.tell;
  const talk =
    early && isKnown ? early : await startTalk(owner, [camera], true, new Heard(store.home));
  if (talk !== early) stops.push(() => talk.close());
  await watch({ owner, camera, host, board, talk, isKnown }, stops, signal);
}

interface Watched {
  readonly owner: Owner;
  readonly camera: PairedCamera;
  readonly host: HostCamera;
  readonly board: Board;
  /** Listens since before the start where the camera `isKnown` from an earlier one. */
  readonly talk: Talk;
  readonly isKnown: boolean;
}

function welcome(
  cloud: Cloud,
  store: Keystore,
  camera: PairedCamera,
  clip: Clip,
  flags: Flags,
): string {
  const home = flags.home === undefined ? store.home : flags.home;
  const command = (words: string) => asTyped(`${words} --home ${quoted(home)}`);
  return [
    `Camera "${camera.name}" films ${clip.source} and stores it, sealed, in ${cloud.endpoint}.`,
    "In another terminal:",
    `  ${command(`get ${camera.name} --from -1m -o out.mp4`)}`,
    `  ${command(`ls ${camera.name}`)}`,
    `  ${command(`status ${camera.name}`)}`,
    `Everything is in ${cloud.state}. Ctrl-C stops it.`,
    "",
  ].join("\n");
}

/** Shows the board until the signal. */
async function watch(
  { owner, camera, host, board, talk, isKnown }: Watched,
  stops: (() => Promise<unknown>)[],
  signal: AbortSignal,
): Promise<void> {
  let stored: Stored = { segments: 0, bytes: 0, newest_us: null };
  const keys = openingKeys(owner);
  const trusted = trustCamera(owner, camera);
  const segments = await connectBroker(
    accessOf(owner).broker,
    (_topic, payload) => {
      const record = openRecord(trusted, keys, "seg", payload);
      if (isRefused(record) || record.sealed === null) return;
      const segment = decodeMessage(ocellus.v1.SegmentRecord, record.sealed);
      if (isRefused(segment)) return;
      stored = {
        segments: stored.segments + 1,
        bytes: stored.bytes + segment.objectBytes,
        newest_us: segment.wallUs === 0 ? null : segment.wallUs + segment.durationUs,
      };
    },
    true,
  );
  stops.push(() => segments.close());
  await segments.subscribe(topicName(owner.tenant, camera.id, "seg"));
  let isStarting = isKnown;
  while (!signal.aborted) {
    host.check();
    const state = talk.state(camera);
    if (state.clock?.live) isStarting = false;
    board.show(boardRows(state, stored, isStarting));
    await sleep(BOARD_MS, undefined, { signal }).catch(() => undefined);
  }
}
