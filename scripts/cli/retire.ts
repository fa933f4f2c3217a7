/** `ocellus pair NAME --retire` and `--unretire`: a camera that is stolen, broken or sold. */

import { toHex } from "../../agent/identity/encoding.ts";
import { asTyped } from "../build/invoked.mjs";
import { Problem } from "../build/problem.mjs";
import { connectCloud } from "../cloud/control.ts";
import { renewBackup } from "../owner/care.ts";
import { changeOwner, type Keystore } from "../owner/keystore.ts";
import { findCamera } from "../owner/owner.ts";
import { deleteProvisioning } from "../owner/provision.ts";
import { retireCamera, unretireCamera } from "../owner/retire.ts";
import { parseTime, showTime } from "../owner/times.ts";
import { Misuse, typed } from "./misuse.ts";
import { type OwnerFlags, print, withOwner } from "./owner-options.ts";

export interface RetireFlags extends OwnerFlags {
  readonly since?: string;
  readonly cloudState?: string;
}

/** Retires a camera, or forgets one that never came. */
export async function retire(store: Keystore, name: string, flags: RetireFlags): Promise<void> {
  const now_us = Date.now() * 1000;
  const since = flags.since;
  const since_us = since === undefined ? null : typed(() => parseTime(since, now_us));
  if (since_us !== null && since_us > now_us)
    throw new Misuse("--since must not be in the future.");
  // First: where the cloud is not the camera's, nothing is changed.
  if (flags.cloudState !== undefined) await endAccess(flags, name, flags.cloudState);
  const [camera, retired, tenant] = await changeOwner(store, (owner) => {
    const found = findCamera(owner, name);
    const [changed, gone] = retireCamera(owner, found, since_us, now_us);
    return [changed, [found, gone, owner.tenant] as const];
  });
  const files = camera.state === "expected" ? (camera.files ?? []) : [];
  const deleted = await deleteProvisioning(camera.id, files);
  await withOwner(flags, renewBackup);
  const id = toHex(camera.id);
  const result = {
    ...{ name: camera.name, camera: id, state: retired ? "retired" : "forgotten" },
    ...{ retired_us: retired?.retired_us ?? null, prefix: `v1/${tenant}/${id}/` },
    ...{ access_ended: flags.cloudState !== undefined, provisioning_deleted: deleted },
  };
  print(flags, result, words);
}

interface Result {
  readonly name: string;
  readonly retired_us: number | null;
  readonly prefix: string;
  readonly access_ended: boolean;
}

function words({ name, retired_us, prefix, access_ended }: Result): string {
  const access = access_ended
    ? "Its access to the development cloud is ended."
    : `Its access goes on: delete its users at the store and at the broker (theirs is ${prefix}).`;
  if (retired_us === null) {
    return [`Camera "${name}" is forgotten; it had never been adopted.`, access].join("\n");
  }
  return [
    `Camera "${name}" is retired: nothing waits for it any more. Its footage is listed, opened and verified as before.`,
    access,
    `Whoever has it has its signing key: doubt what came into the store after ${showTime(retired_us)}, whatever time it states`,
    "(say with --since when it left your hands). It goes on sealing to the recipients it knows, if anybody lets it run.",
    `\`${asTyped(`pair ${name} --unretire`)}\` takes this back.`,
  ].join("\n");
}

async function endAccess(flags: OwnerFlags, name: string, directory: string): Promise<void> {
  const { tenant, camera } = await withOwner(flags, async (owner) => ({
    tenant: owner.tenant,
    camera: toHex(findCamera(owner, name).id),
  }));
  await (await connectCloud(directory)).removeCamera({ tenant, camera });
}

/** Takes `retire` back. What was done about its access is not. */
export async function unretire(store: Keystore, name: string, flags: OwnerFlags): Promise<void> {
  const camera = await changeOwner(store, (owner) => {
    const found = findCamera(owner, name);
    if (found.state !== "retired") throw new Problem(`camera "${found.name}" is not retired.`);
    const changed = unretireCamera(owner, found);
    return [changed, findCamera(changed, found.name)];
  });
  await withOwner(flags, renewBackup);
  const { state } = camera;
  print(flags, { name: camera.name, camera: toHex(camera.id), state }, () =>
    [
      `Camera "${camera.name}" is ${state} again.`,
      state === "paired"
        ? `Give it the newest recipients' list with \`${asTyped("keys recipients --send")}\`.`
        : `Run \`${asTyped(`pair ${camera.name} --finish`)}\` to adopt it.`,
      "Where its access was ended it needs new access.",
    ].join("\n"),
  );
}
