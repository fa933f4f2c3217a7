/** `ocellus ota show`: what an update is, and what its signatures are worth. */
import { same, toHex } from "../../agent/identity/encoding.ts";
import { MANIFEST_DOMAIN, verifyManifest } from "../../agent/update/manifest.ts";
import { isUpdateRefused, type UpdateRefused, updateClause } from "../../agent/update/refusal.ts";
import { nextRoots, ROOTS_DOMAIN, type UpdateRoots } from "../../agent/update/roots.ts";
import { type Signed, signersOf } from "../../agent/update/signatures.ts";
import { crypto, keyId, toBase64 } from "../owner/crypto.ts";
import { hasOwner } from "../owner/keystore.ts";
import { showTime } from "../owner/times.ts";
import { newestRoots } from "../owner/update-roots.ts";
import { describeManifest, readUpdateFile } from "./ota-files.ts";
import { columns, keystoreOf, type OwnerFlags, print, withOwner } from "./owner-options.ts";

/** Shows an update or roots; judges the signatures where the owner's keys are at hand. */
export async function show(path: string, flags: OwnerFlags): Promise<void> {
  const file = await readUpdateFile(path);
  const roots = await rootsInForce(flags);
  if (file.kind === "bundle") {
    const refused = roots && verifyManifest(crypto, file.parts.manifest, roots);
    const shown = {
      ...{ file: path, kind: file.kind, ...describeManifest(file.manifest, file.signed) },
      ...judged(file.signed, MANIFEST_DOMAIN, roots, refused),
    };
    print(flags, shown, (it) =>
      columns([
        ["build", it.build],
        ["version", it.version],
        ["board", it.board],
        ["made", showTime(it.signed_us)],
        ["image", `${it.image_id}, ${it.image_bytes} bytes${it.variant && `, ${it.variant}`}`],
        ["counter", `${it.security_counter}`],
        ...signatureRows(it),
      ]),
    );
    return;
  }
  const refused = roots && nextRoots(crypto, file.bytes, roots);
  const { tenant, version, threshold, keys, securityCounterLeast } = file.roots;
  const shown = {
    ...{ file: path, kind: file.kind, tenant, version, threshold, keys: keys.map(toBase64) },
    security_counter_least: securityCounterLeast,
    ...judged(file.signed, ROOTS_DOMAIN, roots, refused, keys),
  };
  print(flags, shown, (it) =>
    columns([
      ["roots of", `${it.tenant}, version ${it.version}`],
      ["threshold", `${it.threshold} of ${it.keys.length}`],
      ...it.keys.map((key) => ["key", key]),
      ["counter", `${it.security_counter_least} or higher`],
      ...signatureRows(it),
    ]),
  );
}

/** Null where there are no owner's keys here. */
async function rootsInForce(flags: OwnerFlags): Promise<UpdateRoots | null> {
  const store = keystoreOf(flags);
  if (!(await hasOwner(store))) return null;
  return withOwner(flags, async (owner) => (await newestRoots(store.home, owner)).roots);
}

/** What signatures are worth by the roots in force; of new roots' own keys, too. */
function judged(
  signed: Signed,
  domain: Uint8Array,
  roots: UpdateRoots | null,
  result: object | null,
  own: readonly Uint8Array[] = [],
) {
  const others = own.filter((key) => !roots?.keys.some((one) => same(one, key)));
  const signers = signersOf(crypto, domain, signed, [...(roots?.keys ?? []), ...others]);
  return {
    signatures: signed.signatures.map(({ keyId: id }) => toHex(id)),
    signers: isUpdateRefused(signers) ? [] : signers.map((key) => toHex(keyId(key))),
    roots_version: roots?.version ?? null,
    roots_threshold: roots?.threshold ?? null,
    accepted: result === null ? null : !isUpdateRefused(result),
    refused: isUpdateRefused(result) ? result.refused : null,
  };
}

function signatureRows(it: ReturnType<typeof judged>): string[][] {
  const by = it.signatures.map((id) => [
    "signed by",
    it.signers.includes(id) ? id : `${id}, which these roots do not name`,
  ]);
  const rows = by.length > 0 ? by : [["signed by", "nobody"]];
  return [...rows, ["verdict", verdict(it)]];
}

function verdict(it: ReturnType<typeof judged>): string {
  if (it.roots_version === null) return "not judged: there are no owner's keys here";
  const needs = `${it.roots_threshold} of the roots' keys (version ${it.roots_version})`;
  if (it.refused === null) return `good: signed by ${needs}`;
  const refused: UpdateRefused = { refused: it.refused };
  return `refused, it takes ${needs}: ${updateClause(refused)}`;
}
