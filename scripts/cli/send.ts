/** `ocellus send`: a signed and sealed command to a camera, and its answer. */

import { setTimeout as sleep } from "node:timers/promises";
import { Argument, type Command } from "commander";
import { ocellus } from "#proto";
import { PACKET_BYTES } from "../../agent/control/inbound.ts";
import { toHex } from "../../agent/identity/encoding.ts";
import { isRefused } from "../../agent/seal/refusal.ts";
import { asTyped } from "../build/invoked.mjs";
import { Problem } from "../build/problem.mjs";
import { parseAccessFile } from "../owner/access.ts";
import { random } from "../owner/crypto.ts";
import { readSecret } from "../owner/files.ts";
import { hasList } from "../owner/lists.ts";
import { findPaired, type Owner, type PairedCamera } from "../owner/owner.ts";
import { watchAccess } from "../owner/renewal.ts";
import { rootsFiller } from "../owner/roots.ts";
import { type CameraState, startTalk, type Talk, tellIfAway } from "../owner/talk.ts";
import { LOG_CLOCK, powerOn_us, showLog } from "./log.ts";
import { PAGE_MS, readWholeLog } from "./log-pages.ts";
import { Misuse } from "./misuse.ts";
import { type OwnerFlags, ownerCommand, print, withOwner } from "./owner-options.ts";
import { startProgress } from "./progress.ts";
import { parseSettings, settingsHelp, settingsJson, showSettings } from "./settings.ts";

type Properties = ocellus.v1.Command.$Properties;
const REPLY_MS = 15_000;
/** What a camera needs to fail three times at a broker, and to fill a segment of 30 s for the store. */
const ACCESS_MS = 60_000;
/** What a packet that a camera takes leaves for access: topic, seal and signature need less than the rest. */
export const COMMAND_ACCESS_BYTES = PACKET_BYTES - 512;
/** Of each `ca_pem` that is found rather than given, so that both and all credentials fit. */
const COMMAND_ROOTS_LENGTH = 5_500;

/** The command, to be added to the program. */
export function sendCommand(): Command {
  const what = new Argument("<command>", "what is sent");
  // For the help alone: what else there is for `choices` is a sentence of ours.
  what.argChoices = ["ping", "settings", "log", "reboot", "access", "recipients"];
  return ownerCommand("send", "send a camera a command")
    .argument("<camera>", "its name or id")
    .addArgument(what)
    .argument(
      "[arguments...]",
      "settings: name=value …, or none to see them; log: bytes; access: an access file",
    )
    .option("--all", "log: all that the camera keeps, the end of the boot before included")
    .addHelpText(
      "after",
      `
Settings, each as name=value; those that are not named stay as they are, and without any the ones in force are shown:
${settingsHelp()}

Times of log: ${LOG_CLOCK}

Examples:
  ${asTyped("send front ping")}
  ${asTyped("send front settings segment_s=10 flip=on")}
  ${asTyped("send front log 4096")}
  ${asTyped("send front log --all")}`,
    )
    .action(send);
}

interface SendFlags extends OwnerFlags {
  readonly all?: true;
}

async function send(
  camera: string,
  what: string,
  words: readonly string[],
  flags: SendFlags,
): Promise<void> {
  const commandFor = readCommand(what, words);
  if (flags.all && (what !== "log" || words.length > 0))
    throw new Misuse("--all goes with log alone, without bytes.");
  await withOwner(flags, async (owner, heard) => {
    const paired = findPaired(owner, camera);
    const command = await commandFor(owner);
    const talk = await startTalk(owner, [paired], false, heard);
    const started_ms = Date.now();
    try {
      tellIfAway(talk, paired, startProgress().tell);
      const reply = flags.all
        ? await sendForAll(talk, paired)
        : await talk.send(paired, command, REPLY_MS);
      const { name, id } = paired;
      const already = what === "recipients" && isInForce(talk.state(paired), owner);
      if (reply.result !== ocellus.v1.Result.RESULT_OK && !already) throw refused(name, reply);
      const round_trip_ms = Date.now() - started_ms;
      const result = {
        name,
        camera: toHex(id),
        command: what,
        ...answer(what, reply, talk.state(paired)),
        round_trip_ms,
      };
      if (what === "access") await untilInUse(talk, paired, reply);
      print(flags, result, () => describe(what, talk.state(paired), reply, round_trip_ms));
    } finally {
      await talk.close();
    }
  });
}

/** The last answer, with all of the log. */
async function sendForAll(talk: Talk, camera: PairedCamera): Promise<ocellus.v1.Reply> {
  const replies: ocellus.v1.Reply[] = [];
  const log = await readWholeLog(async (back) => {
    if (replies.length > 0) await sleep(PAGE_MS);
    const reply = await talk.send(camera, { action: "log", log: { back } }, REPLY_MS);
    if (reply.result !== ocellus.v1.Result.RESULT_OK) throw refused(camera.name, reply);
    replies.push(reply);
    return reply;
  });
  const last = replies.at(-1);
  if (last === undefined) throw new Error("a log without an answer");
  last.log = log;
  return last;
}

function refused(camera: string, { result, text }: ocellus.v1.Reply): Problem {
  const name = ocellus.v1.Result[result]?.replace("RESULT_", "").toLowerCase() ?? String(result);
  return new Problem(`camera "${camera}" did not do it (${name}): ${text}`);
}

/** Whether a camera's status says that it has the newest list: one that has it refuses it, as any that is not newer. */
function isInForce({ status }: CameraState, { list }: Owner): boolean {
  return status !== null && !isRefused(status) && hasList(status.open, list);
}

/** Throws Problem unless the camera says that the access it has taken works. */
async function untilInUse(
  talk: Talk,
  camera: PairedCamera,
  reply: ocellus.v1.Reply,
): Promise<void> {
  const { name } = camera;
  const progress = startProgress();
  progress.tell(`camera "${name}" has taken the access and is trying it`);
  const outcome = await watchAccess(talk, camera, reply, ACCESS_MS);
  if (outcome?.is === "proven") return;
  if (outcome === null) {
    throw new Problem(
      `camera "${name}" has not said within ${ACCESS_MS / 1000} s that broker and store have both taken the new access; keep the old one valid until \`${asTyped(`status ${name}`)}\` says that the new is proven.`,
    );
  }
  const why = outcome.why.replace(/\.$/, "");
  throw new Problem(
    `the new access was rejected (${why}); the old access stays in use, so keep it valid, mend the new one, and send it to camera "${name}" again.`,
  );
}

/** A command once it is known whose it is. */
type ForOwner = (owner: Owner) => Properties | Promise<Properties>;

/** What was typed, as far as it can be judged without keys. Throws Misuse where it is no command. */
function readCommand(what: string, words: readonly string[]): ForOwner {
  const [word] = words;
  const takes = (most: number) => {
    const extra = words[most];
    if (extra !== undefined) throw new Misuse(`${what} does not take "${extra}".`);
  };
  switch (what) {
    case "ping":
      takes(0);
      return () => ({ action: "ping", ping: { payload: random(16) } });
    case "settings": {
      const settings = parseSettings(words);
      return () => ({ action: "settings", settings });
    }
    case "log": {
      takes(1);
      const bytes = word === undefined ? 0 : number(word, what);
      return () => ({ action: "log", log: { bytes } });
    }
    case "reboot":
      takes(0);
      return () => ({ action: "reboot", reboot: {} });
    case "access":
      takes(1);
      if (word === undefined) throw new Misuse("name the access file that holds its access.");
      return async (owner) => ({ action: "access", access: await cameraAccess(owner, word) });
    case "recipients":
      takes(0);
      return ({ list: { list, signature } }) => ({
        action: "recipients",
        recipients: { list, signature },
      });
    default:
      throw new Misuse(
        `"${what}" is no command; there are ping, settings, log, reboot, access and recipients.`,
      );
  }
}

function number(value: string, name: string): number {
  if (/^\d{1,9}$/.test(value)) return Number(value);
  throw new Misuse(`${name} takes a whole number, not "${value}".`);
}

async function cameraAccess(owner: Owner, path: string) {
  const { camera, tenant } = parseAccessFile(await readSecret(path), path);
  if (tenant !== owner.tenant) {
    throw new Problem(`${path} is for tenant ${tenant}, but these keys are for ${owner.tenant}.`);
  }
  if (!camera) throw new Problem(`${path}: "camera" is missing.`);
  const { tell } = startProgress();
  const access = await rootsFiller({ tell, length: COMMAND_ROOTS_LENGTH })(camera);
  if (ocellus.v1.Access.encode(access).finish().length > COMMAND_ACCESS_BYTES) {
    throw new Problem(
      `${path}: "camera" is too large for a command (${COMMAND_ACCESS_BYTES} bytes); leave certificates out of "ca_pem" that the servers' chains do not end in.`,
    );
  }
  return access;
}

function answer(what: string, reply: ocellus.v1.Reply, state: CameraState) {
  if (what === "log") {
    return { log: new TextDecoder().decode(reply.log), power_on_us: powerOn_us(state) };
  }
  if (what === "settings") return { settings: settingsJson(reply.settings) };
  return {};
}

function describe(
  what: string,
  state: CameraState,
  reply: ocellus.v1.Reply,
  round_trip_ms: number,
): string {
  const camera = state.trusted.name;
  if (what === "log") return showLog(new TextDecoder().decode(reply.log), powerOn_us(state));
  if (what === "settings") return showSettings(reply.settings ?? {});
  if (what === "access") return `${camera} uses the new access: broker and store have taken it.`;
  if (what === "recipients") return `${camera} has the newest recipients' list in force.`;
  return `${camera} has done it (${what}, ${round_trip_ms} ms).`;
}
