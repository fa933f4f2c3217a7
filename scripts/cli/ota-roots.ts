/** `ocellus ota roots`: whose signatures an update needs. */
import { same, toHex } from "../../agent/identity/encoding.ts";
import { isUpdateRefused, updateClause } from "../../agent/update/refusal.ts";
import { nextRoots, ROOTS_DOMAIN, readRoots, type UpdateRoots } from "../../agent/update/roots.ts";
import { SIGNED_BYTES_MAX, type Signed } from "../../agent/update/signatures.ts";
import { addSignature, makeRoots, signedRoots } from "../../ota/bundle/make.ts";
import { asTyped, quoted } from "../build/invoked.mjs";
import { Problem } from "../build/problem.mjs";
import { crypto, keyId, toBase64, wipe } from "../owner/crypto.ts";
import { readNamedBytes, writeNewFile } from "../owner/files.ts";
import type { Owner } from "../owner/owner.ts";
import { openStore, type Store } from "../owner/store.ts";
import { parsePublicKey, readUpdateKey } from "../owner/update-key.ts";
import {
  keepRoots,
  longer,
  newestRoots,
  putRoots,
  type RootsChain,
  readRootsChain,
  syncRoots,
} from "../owner/update-roots.ts";
import { askKeyPassphrase } from "./ask.ts";
import { Misuse, typed } from "./misuse.ts";
import { wholeNumber } from "./ota-numbers.ts";
import { columns, keystoreOf, type OwnerFlags, print, withOwner } from "./owner-options.ts";

interface RootsFlags extends OwnerFlags {
  readonly init?: true;
  readonly rotate?: true;
  readonly threshold?: string;
  readonly key?: readonly string[];
  readonly securityCounterLeast?: string;
  readonly signWith?: readonly string[];
  readonly out?: string;
  readonly take?: string;
}

/** Shows the roots, makes the next version, or takes one that others have signed. */
export async function roots(flags: RootsFlags): Promise<void> {
  const wanted = changeOf(flags);
  const { home } = keystoreOf(flags);
  await withOwner(flags, async (owner) => {
    if (wanted === "show") {
      print(flags, summary((await newestRoots(home, owner)).roots), describe);
      return;
    }
    const store = owner.access ? openStore(owner.access.store) : null;
    try {
      // Who changes them must know the newest, or there would be two of one version.
      const known = store ? await syncRoots(store, home, owner) : await readRootsChain(home, owner);
      const at = { owner, store, home, known, flags };
      if (wanted === "take") await take(at, flags.take ?? "");
      else await change(at, wanted);
    } finally {
      store?.close();
    }
  });
}

/** Where roots are changed. */
interface At {
  readonly owner: Owner;
  /** Null where none is known yet. */
  readonly store: Store | null;
  readonly home: string;
  readonly known: RootsChain;
  readonly flags: RootsFlags;
}

/** The change that is asked for, its numbers read. */
interface Change {
  readonly init: boolean;
  readonly threshold?: number;
  readonly keys?: readonly Uint8Array[];
  readonly counterLeast?: number;
}

function changeOf(flags: RootsFlags): "show" | "take" | Change {
  const { init, rotate, take: taken, threshold, key, securityCounterLeast } = flags;
  const modes = [init, rotate, taken].filter((mode) => mode !== undefined);
  const options = [threshold, key, securityCounterLeast, flags.signWith, flags.out];
  const given = options.some((option) => option !== undefined);
  if (modes.length > 1) throw new Misuse("name one of --init, --rotate and --take.");
  if (!init && !rotate) {
    if (given) throw new Misuse("to change the roots add --init or --rotate.");
    return taken === undefined ? "show" : "take";
  }
  if (init && (threshold === undefined || key === undefined)) {
    throw new Misuse(
      "say whose signatures are needed with --threshold N and --key PUBLIC_KEY for each.",
    );
  }
  if (rotate && options.slice(0, 3).every((option) => option === undefined)) {
    throw new Misuse("say what changes with --threshold, --key or --security-counter-least.");
  }
  return {
    init: init === true,
    ...(threshold === undefined ? {} : { threshold: wholeNumber("--threshold", threshold, 1) }),
    ...(key === undefined ? {} : { keys: key.map((text) => typed(() => parsePublicKey(text))) }),
    ...(securityCounterLeast === undefined
      ? {}
      : { counterLeast: wholeNumber("--security-counter-least", securityCounterLeast, 0) }),
  };
}

async function change(at: At, wanted: Change): Promise<void> {
  const { owner, known, flags } = at;
  const old = known.roots;
  if (wanted.init && old.version > 0) {
    throw new Problem(
      `there are roots already, version ${old.version}; change them with --rotate.`,
    );
  }
  const raw = makeRoots({
    tenant: owner.tenant,
    version: old.version + 1,
    threshold: wanted.threshold ?? old.threshold,
    keys: [...(wanted.keys ?? old.keys)],
    securityCounterLeast: wanted.counterLeast ?? old.securityCounterLeast,
    signedUs: Date.now() * 1000,
  });
  const next = readRoots(raw);
  if (isUpdateRefused(next)) throw new Misuse(`such roots are refused: ${updateClause(next)}.`);
  const signed = await signAll(at, { raw, signatures: [] }, [...old.keys, ...next.keys]);
  const bytes = signedRoots(signed);
  const taken = nextRoots(crypto, bytes, old);
  if (!isUpdateRefused(taken)) return takeOver(at, bytes, "these roots");
  if (taken.refused !== "roots-old" && taken.refused !== "roots-new") {
    throw new Problem(`such roots are refused: ${updateClause(taken)}.`);
  }
  const { out } = flags;
  if (out === undefined) {
    throw new Problem(
      `nothing is changed: ${updateClause(taken)}; add --sign-with FILE for more keys, or --out FILE to have others sign.`,
    );
  }
  await writeNewFile(out, bytes);
  print(flags, { ...summary(next), file: out, in_force: false }, () =>
    [
      `${out} holds the new roots, which are not in force yet: ${updateClause(taken)}.`,
      `Have others sign it with \`${asTyped(`ota sign ${quoted(out)} --key FILE`)}\`, then run \`${asTyped(`ota roots --take ${quoted(out)}`)}\`.`,
    ].join("\n"),
  );
}

/** Signs with each update key that is named, and with the owner's root key where it is one of those that count. */
async function signAll(
  { owner, flags }: At,
  unsigned: Signed,
  counting: readonly Uint8Array[],
): Promise<Signed> {
  const counts = (key: Uint8Array) => counting.some((one) => same(one, key));
  let signed = unsigned;
  if (counts(owner.root.publicKey)) {
    signed = addSignature(crypto, ROOTS_DOMAIN, signed, owner.root);
  }
  for (const path of flags.signWith ?? []) {
    const pair = await readUpdateKey(path, askKeyPassphrase);
    try {
      if (!counts(pair.publicKey)) {
        throw new Problem(`the key in ${path} is neither of the old roots nor of the new ones.`);
      }
      signed = addSignature(crypto, ROOTS_DOMAIN, signed, pair);
    } finally {
      wipe(pair.secretKey);
    }
  }
  return signed;
}

async function take(at: At, path: string): Promise<void> {
  await takeOver(at, await readNamedBytes(path, SIGNED_BYTES_MAX), path);
}

/** To the store first: whoever comes second of two learns it there, and has changed nothing. */
async function takeOver(at: At, bytes: Uint8Array, source: string): Promise<void> {
  const advice = "have the missing keys sign, or make them anew from the roots in force";
  const chain = longer(at.known, bytes, source, advice);
  const { version } = chain.roots;
  const put = at.store && (await putRoots(at.store, at.owner.tenant, version, bytes));
  await keepRoots(at.home, chain);
  print(at.flags, { ...summary(chain.roots), in_force: true, store: put }, (made) =>
    [
      `Version ${version} of the roots is in force: ${made.threshold} of ${made.keys.length} keys sign.`,
      put
        ? "Cameras find it in the store."
        : "It goes to the store with the first update that is published.",
    ].join("\n"),
  );
}

function summary({ version, threshold, keys, securityCounterLeast }: UpdateRoots) {
  return {
    version,
    threshold,
    keys: keys.map((key) => ({ public_key: toBase64(key), key_id: toHex(keyId(key)) })),
    security_counter_least: securityCounterLeast,
  };
}

function describe({
  version,
  threshold,
  keys,
  security_counter_least,
}: ReturnType<typeof summary>) {
  return columns([
    ["version", version === 0 ? "0: your root key alone" : `${version}`],
    ["threshold", `${threshold} of ${keys.length}`],
    ...keys.map(({ public_key, key_id }) => ["key", `${public_key} (${key_id})`]),
    ["counter", `${security_counter_least} or higher`],
  ]);
}
