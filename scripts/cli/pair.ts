/** `ocellus pair`: a new camera, from its provisioning file to adopted. */

import type { Command } from "commander";
import { toHex } from "../../agent/identity/encoding.ts";
import { asTyped } from "../build/invoked.mjs";
import { Problem } from "../build/problem.mjs";
import { renewBackup } from "../owner/care.ts";
import { changeOwner, type Keystore } from "../owner/keystore.ts";
import { findCamera, type Owner } from "../owner/owner.ts";
import { pairCamera } from "../owner/pairing.ts";
import { deleteProvisioning } from "../owner/provision.ts";
import { checkCameraName } from "../owner/state.ts";
import { TIME_HELP } from "../owner/times.ts";
import { Misuse, typed } from "./misuse.ts";
import { keystoreOf, type OwnerFlags, ownerCommand, print, withOwner } from "./owner-options.ts";
import { startProgress } from "./progress.ts";
import { provision, type Reserved, reserve, taken } from "./provision.ts";
import { retire, unretire } from "./retire.ts";

const WAIT_MS = 10 * 60_000;

interface PairFlags extends OwnerFlags {
  readonly cloudState?: string;
  readonly access?: string;
  readonly out?: string;
  readonly reserve?: true;
  readonly finish?: true;
  readonly retire?: true;
  readonly unretire?: true;
  readonly since?: string;
  readonly wait: boolean;
}

/** What it can be asked to do besides provisioning, and the options that this takes. */
const MODES = {
  reserve: [],
  finish: [],
  retire: ["--since", "--cloud-state"],
  unretire: [],
} as const;

/** The command, to be added to the program. */
export function pairCommand(): Command {
  return ownerCommand("pair", "provision a new camera and adopt it, or retire one")
    .argument("<name>", "your name for the camera: a-z, 0-9 and -")
    .option("--cloud-state <dir>", "register the camera at the development cloud running on <dir>")
    .option("--access <file>", "file with store and broker access for you and the camera")
    .option("--out <file>", "provisioning file to write, for the camera")
    .option("--reserve", "only choose the camera's id, so that its access can be set up")
    .option(
      "--no-wait",
      `write the file and end; \`${asTyped("pair NAME --finish")}\` adopts later`,
    )
    .option("--finish", "wait for the claim of a camera that was provisioned before")
    .option(
      "--retire",
      "stolen, broken, sold: keep its record for its footage, wait for it no more",
    )
    .option("--since <time>", "with --retire: when it left your hands (default: now)")
    .option("--unretire", "take --retire back")
    .addHelpText("after", `\nA time is ${TIME_HELP.replace(/^a time: /, "")}.`)
    .action(pair);
}

async function pair(name: string, flags: PairFlags): Promise<void> {
  const store = keystoreOf(flags);
  typed(() => checkCameraName(name));
  const mode = modeOf(flags);
  if (mode === "reserve") {
    tellReserved(flags, await reserve(store, name));
    return;
  }
  if (mode === "retire") return retire(store, name, flags);
  if (mode === "unretire") return unretire(store, name, flags);
  if (mode === null) {
    const wanted = { ...flags, out: wantedFile(flags) };
    await provision(store, name, wanted);
    if (!flags.wait) {
      print(flags, { name, provisioning_file: flags.out }, () =>
        [
          `Give ${flags.out} to the camera, then run \`${asTyped(`pair ${name} --finish`)}\`.`,
          "The file holds secrets: that command deletes it here, but not the copies you make.",
        ].join("\n"),
      );
      return;
    }
  }
  await finish(store, name, flags);
}

/** Which of MODES is asked for, null for none. Throws Misuse for two, and for an option that would not be looked at. */
function modeOf(flags: PairFlags): keyof typeof MODES | null {
  const modes = ["reserve", "finish", "retire", "unretire"] as const;
  const [mode, second] = modes.filter((one) => flags[one]);
  if (second) throw new Misuse(`--${mode} and --${second} cannot both be meant.`);
  const given = {
    "--cloud-state": flags.cloudState !== undefined,
    "--access": flags.access !== undefined,
    "--out": flags.out !== undefined,
    "--no-wait": !flags.wait,
    "--since": flags.since !== undefined,
  };
  if (mode === undefined) {
    if (flags.since !== undefined) throw new Misuse("--since goes with --retire only.");
    return null;
  }
  const takes: readonly string[] = MODES[mode];
  for (const [option, is] of Object.entries(given)) {
    if (is && !takes.includes(option)) throw new Misuse(`--${mode} does not take ${option}.`);
  }
  return mode;
}

function wantedFile({ out, access, cloudState }: PairFlags): string {
  if (!out) throw new Misuse("name the provisioning file to write with --out FILE.");
  if (access !== undefined && cloudState !== undefined) {
    throw new Misuse("the cloud is where --access or where --cloud-state says; name one of them.");
  }
  if (access === undefined && cloudState === undefined) {
    throw new Misuse("say where the cloud is, with --access FILE or --cloud-state DIR.");
  }
  return out;
}

function tellReserved(flags: OwnerFlags, { camera, tenant }: Reserved): void {
  const id = toHex(camera.id);
  const prefix = `v1/${tenant}/${id}/`;
  print(flags, { name: camera.name, camera: id, tenant, prefix }, () =>
    [
      `Camera "${camera.name}" has the id ${id}.`,
      `Store:  let it put objects under ${prefix} (and read v1/${tenant}/update/), nothing else.`,
      `Broker: let it publish ${prefix}{link,status,seg,evt,live,rsp} and subscribe to ${prefix}cmd`,
      `        and v1/${tenant}/update/#, nothing else.`,
      `Then run \`${asTyped("pair")}\` again with --access and --out.`,
    ].join("\n"),
  );
}

async function finish(store: Keystore, name: string, flags: PairFlags): Promise<void> {
  const progress = startProgress();
  const change = <T>(by: (owner: Owner) => [Owner, T]) => changeOwner(store, by);
  const files = flags.out ? [flags.out] : [];
  const trouble = await withOwner(flags, async (owner) => {
    const camera = findCamera(owner, name);
    if (camera.state !== "expected") throw taken(camera);
    files.unshift(...(camera.files ?? []));
    const pairing = { change, tell: progress.tell };
    return (await pairCamera(owner, camera, WAIT_MS, pairing)).trouble;
  });
  progress.end();
  await withOwner(flags, async (owner) => {
    const { id } = findCamera(owner, name);
    // They have done their work, and their secrets are worth something to a thief.
    const deleted = await deleteProvisioning(id, files);
    await renewBackup(owner);
    const result = { name, camera: toHex(id), state: "paired", provisioning_deleted: deleted };
    print(flags, result, () => tellPaired(name, deleted));
  });
  if (trouble) {
    throw new Problem(`camera "${name}" is paired, but has an older recipients' list: ${trouble}.`);
  }
}

function tellPaired(name: string, deleted: readonly string[]): string {
  const rest = "it holds the camera's access to store and broker";
  return [
    `Camera "${name}" is paired.`,
    deleted.length > 0
      ? `Deleted ${deleted.join(", ")}. Delete the copy that the camera was given, too: ${rest}.`
      : `Delete the provisioning file wherever it lies: ${rest}.`,
  ].join("\n");
}
