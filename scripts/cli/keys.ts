/** `ocellus keys`: the owner's keys. */

import { chmod, rm } from "node:fs/promises";
import { Command } from "commander";
import { toHex } from "../../agent/identity/encoding.ts";
import { asTyped } from "../build/invoked.mjs";
import { complain, Problem } from "../build/problem.mjs";
import { shown } from "../build/shown.mjs";
import { checkTenant } from "../cloud/names.ts";
import { parseAccessFile } from "../owner/access.ts";
import { makeBackup, openBackup } from "../owner/backup.ts";
import { backUp, fetchNewestBackup, putBackup } from "../owner/care.ts";
import { keyId, random, toBase64 } from "../owner/crypto.ts";
import { readNamed, readSecret, writeNewPrivateFile } from "../owner/files.ts";
import { Heard } from "../owner/heard.ts";
import { changeOwner, createOwner, refuseOwner } from "../owner/keystore.ts";
import { signList } from "../owner/lists.ts";
import { type KnownCamera, makeKeys, newestVault, type Owner, wipeOwner } from "../owner/owner.ts";
import { makePhrase, recoveryPublic } from "../owner/phrase.ts";
import { rotateVault, type SentList, sendList, type Unheard } from "../owner/revoke.ts";
import { passphraseKey } from "../owner/sealed-file.ts";
import { showTime } from "../owner/times.ts";
import { reasonOf } from "../owner/trouble.ts";
import { trustCamera } from "../owner/trust.ts";
import { ask, someoneThere } from "./ask.ts";
import { Misuse, typed } from "./misuse.ts";
import {
  columns,
  keystoreOf,
  type OwnerFlags,
  ownerCommand,
  print,
  withOwner,
} from "./owner-options.ts";
import { startProgress } from "./progress.ts";

/** The command, to be added to the program. */
export function keysCommand(): Command {
  return new Command("keys")
    .description("make, show, back up, restore and rotate the owner's keys")
    .addCommand(
      ownerCommand("init", "make the keys of a new owner, with a recovery phrase")
        .option("--tenant <name>", "first part of all names in store and broker", "home")
        .option("--passphrase", "protect the keys with a passphrase")
        .option("--no-recovery", "make no recovery phrase: lost keys are lost footage")
        .option(
          "--phrase-out <file>",
          "write the recovery phrase to a new private file, ask nothing",
        )
        .action(init),
    )
    .addCommand(ownerCommand("show", "show public keys, recipients and cameras").action(show))
    .addCommand(
      ownerCommand(
        "backup",
        "write all secrets, sealed to the recovery phrase, to a file and the store",
      )
        .option("-o, --out <file>", "the file; without it only the store gets one")
        .action(backup),
    )
    .addCommand(
      ownerCommand("restore", "get all secrets back from a backup with the recovery phrase")
        .option("--from <file>", "the backup file")
        .option("--access <file>", "access file of the store whose newest backup to take instead")
        .option("--phrase-file <file>", "file that holds the recovery phrase; else it is asked for")
        .option("--passphrase", "protect the keys with a passphrase")
        .action(restore),
    )
    .addCommand(
      ownerCommand("recipients", "show who can open footage; --send gives cameras the newest list")
        .option("--send", "send the newest list to every paired camera")
        .action(recipients),
    )
    .addCommand(
      ownerCommand("rotate", "make a new vault key and tell every paired camera")
        .option("--no-backup", "put no backup with the new key into the store first")
        .action(rotate),
    );
}

interface InitFlags extends OwnerFlags {
  readonly tenant: string;
  readonly passphrase?: true;
  readonly recovery: boolean;
  readonly phraseOut?: string;
}

async function init(flags: InitFlags): Promise<void> {
  const store = keystoreOf(flags);
  typed(() => checkTenant(flags.tenant));
  if (!flags.recovery && flags.phraseOut !== undefined) {
    throw new Misuse("--no-recovery makes no phrase, so --phrase-out has nothing to write.");
  }
  await refuseOwner(store);
  if (flags.recovery && !flags.phraseOut && !someoneThere()) {
    throw new Problem(
      "the recovery phrase must be read by somebody; run this in a terminal, or add --phrase-out FILE.",
    );
  }
  const key = flags.passphrase ? passphraseKey(await store.askPassphrase(true)) : undefined;
  const phrase = flags.recovery ? makePhrase() : null;
  if (phrase) await handOver(phrase, flags.phraseOut);
  const recovery = phrase ? recoveryPublic(phrase) : undefined;
  const keys = makeKeys(flags.tenant, recovery);
  const owner: Owner = { ...keys, list: signList(keys, 1, nowUs()) };
  try {
    await createOwner(store, key ? { owner, key } : { owner });
  } catch (error) {
    // Nobody should keep a phrase of keys that there are not.
    if (flags.phraseOut !== undefined) await rm(flags.phraseOut, { force: true });
    throw error;
  }
  print(flags, summary(owner), () =>
    [
      `Your keys are in ${store.home}.`,
      phrase
        ? `Keep the recovery phrase on paper: with it and a backup (\`${asTyped("keys backup")}\`) nothing is lost.`
        : "There is no recovery phrase: if this directory is lost, so is all footage.",
    ].join("\n"),
  );
  wipeOwner(owner);
}

/** Shows the phrase once and asks for two of its words, or writes it to a file. */
async function handOver(phrase: string, file: string | undefined): Promise<void> {
  if (file) {
    await writeNewPrivateFile(file, `${phrase}\n`);
    await chmod(file, 0o400);
    return;
  }
  const words = phrase.split(" ");
  const cell = (word: string, i: number) => `${String(i + 1).padStart(2)} ${word}`;
  const rows = [0, 6, 12, 18].map((at) =>
    words.slice(at, at + 6).map((word, i) => cell(word, at + i)),
  );
  process.stderr.write(
    `Your recovery phrase. Write it down; it is shown only once.\n\n${columns(rows)}\n\n`,
  );
  const first = (random(1)[0] ?? 0) % 12;
  for (const index of [first, first + 12]) {
    while ((await ask(`Word ${index + 1}: `)).toLowerCase() !== words[index]) {
      process.stderr.write("That is another word; look at what you wrote down.\n");
    }
  }
}

async function show(flags: OwnerFlags): Promise<void> {
  await withOwner(flags, async (owner) => print(flags, summary(owner), describe));
}

function summary(owner: Owner) {
  return {
    tenant: owner.tenant,
    root_key: toBase64(owner.root.publicKey),
    signer_key: toBase64(owner.signer.publicKey),
    vaults: owner.vaults.map(({ version, publicKey }) => ({
      version,
      key_id: toHex(keyId(publicKey)),
    })),
    recovery_key_id: owner.recovery ? toHex(keyId(owner.recovery.publicKey)) : null,
    recipients_version: owner.list.version,
    store: owner.access?.store.endpoint ?? null,
    broker: owner.access?.broker.url ?? null,
    cameras: owner.cameras.map((camera) => ({
      ...{ name: camera.name, id: toHex(camera.id), state: camera.state },
      ...(camera.state === "retired" ? { retired_us: camera.retired_us } : {}),
      signing_key: camera.state === "expected" ? null : signingKey(owner, camera),
    })),
  };
}

/** In base64; null where the camera's record is damaged. */
function signingKey(owner: Owner, camera: KnownCamera): string | null {
  try {
    return toBase64(trustCamera(owner, camera).signingKey);
  } catch (error) {
    if (error instanceof Problem) return null;
    throw error;
  }
}

function describe(keys: ReturnType<typeof summary>): string {
  const cameras = keys.cameras.map(({ name, id, state, retired_us, signing_key }) => {
    const since = retired_us === undefined ? "" : `, not yours since ${showTime(retired_us)}`;
    return [`  ${name}`, id, `${state}${since}`, signing_key === null ? "" : `key ${signing_key}`];
  });
  return [
    `tenant       ${keys.tenant}`,
    `root key     ${keys.root_key}`,
    `vault keys   ${keys.vaults.map(({ version, key_id }) => `${version}: ${key_id}`).join(", ")}`,
    `recovery     ${keys.recovery_key_id ?? "none"}`,
    `recipients   version ${keys.recipients_version}`,
    `store        ${keys.store ?? "not known yet"}`,
    `broker       ${keys.broker ?? "not known yet"}`,
    cameras.length > 0 ? `cameras\n${columns(cameras)}` : "cameras      none",
  ].join("\n");
}

interface BackupFlags extends OwnerFlags {
  readonly out?: string;
}

async function backup(flags: BackupFlags): Promise<void> {
  await withOwner(flags, async (owner) => {
    const made_us = nowUs();
    const file = makeBackup(owner, made_us);
    if (!flags.out && !owner.access) {
      throw new Problem("no store is known yet; name a file for the backup with --out.");
    }
    if (flags.out) await writeNewPrivateFile(flags.out, file);
    const object = owner.access
      ? await putBackup(owner, made_us, file).catch((error: unknown) => {
          // What is done must be known, whatever else is not.
          if (flags.out) process.stderr.write(`  backed up to ${flags.out}\n`);
          throw error;
        })
      : null;
    print(flags, { file: flags.out ?? null, object }, (done) =>
      [done.file, done.object && `${done.object} in the store`]
        .filter(Boolean)
        .map((place) => `Backed up to ${place}.`)
        .join("\n"),
    );
  });
}

interface RestoreFlags extends OwnerFlags {
  readonly from?: string;
  readonly access?: string;
  readonly phraseFile?: string;
  readonly passphrase?: true;
}

async function restore(flags: RestoreFlags): Promise<void> {
  const store = keystoreOf(flags);
  if (flags.from !== undefined && flags.access !== undefined) {
    throw new Misuse("the backup is where --from or where --access says; name one of them.");
  }
  await refuseOwner(store);
  const [file, source] = await backupToOpen(flags);
  const phrase = flags.phraseFile
    ? await readSecret(flags.phraseFile)
    : await ask("Recovery phrase (24 words): ");
  const { owner, made_us } = openBackup(file, source, phrase);
  const key = flags.passphrase ? passphraseKey(await store.askPassphrase(true)) : undefined;
  await createOwner(store, key ? { owner, key } : { owner });
  print(
    flags,
    { ...summary(owner), backup_made: new Date(made_us / 1000).toISOString() },
    () => `Your keys of ${showTime(made_us)} are back in ${store.home}.`,
  );
  wipeOwner(owner);
}

async function backupToOpen(flags: RestoreFlags): Promise<[file: string, source: string]> {
  if (flags.from) return [await readNamed(flags.from), flags.from];
  if (!flags.access)
    throw new Misuse("name the backup with --from FILE, or its store with --access FILE.");
  const { tenant, owner } = parseAccessFile(await readSecret(flags.access), flags.access);
  if (!owner) throw new Problem(`${flags.access}: "owner" is missing.`);
  const { name, file } = await fetchNewestBackup(owner.store, tenant);
  return [file, name];
}

interface RecipientsFlags extends OwnerFlags {
  readonly send?: true;
}

async function recipients(flags: RecipientsFlags): Promise<void> {
  await withOwner(flags, async (owner, heard) => {
    const sent = flags.send ? await sendList(owner, startProgress().tell, heard) : [];
    const vault = newestVault(owner);
    const result = {
      version: owner.list.version,
      recipients: [
        { who: `vault version ${vault.version}`, key_id: toHex(keyId(vault.publicKey)) },
        ...(owner.recovery
          ? [{ who: "recovery phrase", key_id: toHex(keyId(owner.recovery.publicKey)) }]
          : []),
      ],
      sent,
    };
    print(flags, result, () =>
      [
        `Version ${result.version} of the recipients' list:`,
        columns(result.recipients.map(({ who, key_id }) => [`  ${who}`, key_id])),
        ...sent.map(tellSent),
      ].join("\n"),
    );
    failIfMissed(sent);
  });
}

interface RotateFlags extends OwnerFlags {
  readonly backup: boolean;
}

async function rotate(flags: RotateFlags): Promise<void> {
  const store = keystoreOf(flags);
  const unheard = await changeOwner(store, async (owner) => {
    const { owner: rotated, unheard } = await rotateVault(owner, nowUs(), new Heard(store.home));
    // First: from the moment a camera has the list, footage is sealed to a key that only this disk has.
    const backedUp = flags.backup && (await backUp(rotated).catch(notBackedUp));
    if (!backedUp) complain(onlyHere(rotated, flags));
    return [rotated, unheard];
  });
  await withOwner(flags, async (owner, heard) => {
    const sent = await sendList(owner, startProgress().tell, heard);
    const version = newestVault(owner).version;
    const recipients_version = owner.list.version;
    print(flags, { vault_version: version, recipients_version, unheard, sent }, () =>
      [`Vault key ${version} is made.`, ...unheard.map(tellUnheard), ...sent.map(tellSent)].join(
        "\n",
      ),
    );
    failIfMissed(sent);
  });
}

function notBackedUp(error: unknown): never {
  if (!(error instanceof Problem)) throw error;
  throw new Problem(
    `nothing was changed, since no backup with the new key can be made: ${reasonOf(error)}; or add --no-backup, and make one with \`${asTyped("keys backup --out FILE")}\` right after.`,
  );
}

function onlyHere({ recovery }: Owner, flags: RotateFlags): string {
  return recovery
    ? `no backup holds the new key; make one with \`${asTyped("keys backup")}\`.`
    : `no backup holds the new key, since these keys have no recovery phrase: keep a copy of ${keystoreOf(flags).home} safe.`;
}

function tellUnheard({ camera, why }: Unheard): string {
  return `  ${camera}: which list it had could not be learnt (${why}); if your keys came from a backup or a copy, that may be a newer one`;
}

function tellSent({ camera, trouble }: SentList): string {
  return trouble ? `  ${camera}: ${shown(trouble)}` : `  ${camera}: has it in force`;
}

/** A camera that missed a list goes on sealing to the old recipients: that is no success. */
function failIfMissed(sent: readonly SentList[]): void {
  const missed = sent.filter(({ trouble }) => trouble !== null);
  if (missed.length === 0) return;
  const names = missed.map(({ camera }) => camera).join(", ");
  throw new Problem(
    `the list is not known to be in force at ${names}: footage from there may still be sealed to the old recipients; unless said otherwise above, run \`${asTyped("keys recipients --send")}\` once the camera is back.`,
  );
}

function nowUs(): number {
  return Date.now() * 1000;
}
