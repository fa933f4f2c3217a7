/**
 * The state directory: where it is, who may read it, and that only one cloud uses it at a time.
 *
 *     ca/              authority and server certificate with their keys
 *     identities.json  tenants, cameras and their credentials
 *     store/           objects and bucket rules
 *     broker/          mosquitto's files and log; belongs to mosquitto's user where we are root
 *     camera/, camera-<board>/, owner/  of `ocellus run`, which shares the directory
 *     footage/         of `ocellus run`: the clip that it had to make
 *     control.sock     while a cloud runs: how other processes of the same user ask it for something
 */
import { mkdir } from "node:fs/promises";
import { homedir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import { makePrivateDirectory } from "../build/directories.mjs";
import { explainNamed } from "../build/problem.mjs";
import { issueServerCertificate, type KeyedCertificate, makeAuthority, stillServes } from "./ca.ts";
import { readFileIfAny, replaceFile } from "./files.ts";

/** `${XDG_STATE_HOME:-~/.local/state}/ocellus/cloud` (XDG base directory specification; it must be absolute). */
export function defaultStateDirectory(): string {
  const base = process.env.XDG_STATE_HOME;
  const home = base && isAbsolute(base) ? base : join(homedir(), ".local", "state");
  return join(home, "ocellus", "cloud");
}

/**
 * Makes the directory, private, where it is missing. Throws Problem where that is refused, or where one that is there is shared.
 * @returns its absolute path.
 */
export async function openState(directory: string): Promise<string> {
  const path = resolve(directory);
  try {
    await makePrivateDirectory(path);
  } catch (error) {
    throw explainNamed(error, path);
  }
  return path;
}

/** Path of the socket a running cloud answers on. */
export function controlSocket(directory: string): string {
  return join(directory, "control.sock");
}

/** The authority and a server certificate that is good for `names` and for another 30 days at least. */
export async function openCertificates(
  directory: string,
  names: readonly string[],
): Promise<{ authority: KeyedCertificate; server: KeyedCertificate }> {
  const ca = join(directory, "ca");
  await mkdir(ca, { recursive: true, mode: 0o700 });
  const authority =
    (await readPair(ca, "ca")) ??
    (await writePair(ca, "ca", await makeAuthority("ocellus development cloud")));
  const kept = await readPair(ca, "server");
  if (kept && stillServes(authority, kept, names, Date.now())) return { authority, server: kept };
  const server = await issueServerCertificate(authority, { names });
  return { authority, server: await writePair(ca, "server", server) };
}

async function readPair(directory: string, name: string): Promise<KeyedCertificate | undefined> {
  const certPem = await readFileIfAny(join(directory, `${name}.pem`));
  const keyPem = await readFileIfAny(join(directory, `${name}.key`));
  return certPem === undefined || keyPem === undefined ? undefined : { certPem, keyPem };
}

async function writePair(
  directory: string,
  name: string,
  pair: KeyedCertificate,
): Promise<KeyedCertificate> {
  await replaceFile(join(directory, `${name}.key`), pair.keyPem);
  await replaceFile(join(directory, `${name}.pem`), pair.certPem);
  return pair;
}
