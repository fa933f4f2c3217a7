/**
 * The machine's own apt, used as it is set up: its mirrors, proxies and credentials.
 * Nothing here changes that set-up; lists of our own live in a directory of our own.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Problem } from "../build/problem.mjs";
import { capture } from "../build/process.mjs";

/** Part of apt, which Debian always has; not in PATH. */
const APT_HELPER = "/usr/lib/apt/apt-helper";
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

/**
 * The two archives of a Debian release, as URIs without a slash at the end.
 * @typedef {object} Archives
 * @property {string} main
 * @property {string | undefined} security undefined if the machine has none set up
 */

/**
 * Asks apt which mirrors it uses for the installed Debian release.
 * @returns {Promise<Archives>}
 * @throws {Problem} if this is no Debian or no mirror is set up
 */
export async function machineArchives() {
  const release = /^VERSION_CODENAME=(\w+)/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1];
  // The repository is called after the code name or, where a user wrote it so, after the suite.
  const names = [release, "oldstable", "stable", "testing"].filter((name) => name !== undefined);
  const format = "$(RELEASE) $(COMPONENT) $(REPO_URI)";
  // Without the option apt lists only what it has downloaded, on a fresh machine nothing.
  const options = ["--no-release-info", "--format", format];
  const listed = await capture("apt-get", ["indextargets", ...options]);
  const targets = listed.stdout.split("\n").map((line) => line.split(" "));
  const find = (/** @type {string} */ suffix) =>
    targets
      .find(
        ([name, component]) => component === "main" && names.some((n) => n + suffix === name),
      )?.[2]
      ?.replace(/\/$/, "");
  const main = find("");
  if (main === undefined) {
    throw new Problem(
      "apt has no Debian mirror set up; add one to /etc/apt/sources.list.d and run this again.",
    );
  }
  return { main, security: find("-security") };
}

/**
 * Downloads one file through apt.
 * @param {string} uri
 * @param {string} file where to
 * @returns {Promise<"ok" | "gone">} gone: the server answered that it has no such file
 * @throws {Problem} if there was no such answer
 */
export async function download(uri, file) {
  const result = await capture(APT_HELPER, [...sandbox(), "download-file", uri, file]);
  if (result.code === 0) return "ok";
  rmSync(file, { force: true });
  if (/\b(404|410)\b|File not found/.test(result.stderr)) return "gone";
  throw new Problem(
    `downloading ${uri} failed (${firstError(result.stderr)}); check the network and apt's mirror, then run this again.`,
  );
}

/**
 * Where a package is looked for.
 * @typedef {object} Release
 * @property {"source" | "binary"} kind source: Debian's source package; binary: a .deb, which is unpacked and
 *   never installed
 * @property {string} suite e.g. "trixie"
 *
 * @typedef {object} PackageVersion
 * @property {string} version
 * @property {string} directory path below its archive, e.g. "pool/main/m/musl"
 * @property {string} [format] of a source package, e.g. "3.0 (quilt)"
 * @property {Record<string, string>} files file name → hex SHA-256: what is unpacked, so neither a .dsc nor
 *   signatures
 *
 * @typedef {Release & PackageVersion} PinnedPackage one version, and where it is from
 */

/**
 * The newest version of some packages in a release, from its signed index.
 * @param {Archives} archives
 * @param {Release} release
 * @param {readonly string[]} names
 * @param {string} scratch directory for apt's lists
 * @param {string} [keyring] for tests: the key that must have signed the index
 * @returns {Promise<Map<string, PinnedPackage>>} packages the release does not have are missing
 * @throws {Problem} if the index cannot be had or is not signed by Debian
 */
export async function newestPackages(archives, release, names, scratch, keyring = KEYRING) {
  const { kind, suite } = release;
  const type = kind === "source" ? "deb-src" : "deb";
  mkdirSync(join(scratch, "lists/partial"), { recursive: true });
  mkdirSync(join(scratch, "cache/archives/partial"), { recursive: true });
  const entries = [`${archives.main} ${suite} main`];
  if (archives.security !== undefined) {
    entries.push(`${archives.security} ${suite}-security main`);
  }
  const list = join(scratch, "sources.list");
  writeFileSync(list, entries.map((entry) => `${type} [signed-by=${keyring}] ${entry}\n`).join(""));
  const options = [
    ...sandbox(),
    ...["-o", `Dir::Etc::SourceList=${list}`, "-o", "Dir::Etc::SourceParts=/dev/null"],
    ...["-o", `Dir::State::Lists=${join(scratch, "lists")}`],
    ...["-o", `Dir::Cache=${join(scratch, "cache")}`],
    // A list that could not be fetched or verified is an error and not a warning.
    ...["-o", "APT::Update::Error-Mode=any"],
    // No translated descriptions, and nothing of what is installed here.
    ...["-o", "Acquire::Languages=none", "-o", "Dir::State::status=/dev/null"],
  ];
  const update = await capture("apt-get", [...options, "update"]);
  if (update.code !== 0) {
    throw new Problem(
      `the package index of ${suite} at ${archives.main} cannot be had (${firstError(update.stderr)}); check the network and apt's mirror, then run this again.`,
    );
  }
  const show = kind === "source" ? ["showsrc", "--only-source"] : ["show"];
  const shown = await capture("apt-cache", [...options, ...show, ...names]);
  /** @type {Map<string, PinnedPackage>} */
  const newest = new Map();
  for (const stanza of shown.stdout.split(/\n\n+/)) {
    const name = /^Package: (.+)$/m.exec(stanza)?.[1];
    const found = kind === "source" ? sourceVersion(stanza) : binaryVersion(stanza);
    if (name === undefined || found === undefined) continue;
    const known = newest.get(name)?.version;
    if (known === undefined || (await isNewer(found.version, known))) {
      newest.set(name, { kind, suite, ...found });
    }
  }
  return newest;
}

/**
 * @param {string} stanza as `apt-cache showsrc` prints it
 * @returns {PackageVersion | undefined}
 */
function sourceVersion(stanza) {
  const version = /^Version: (.+)$/m.exec(stanza)?.[1];
  const directory = /^Directory: (.+)$/m.exec(stanza)?.[1];
  const format = /^Format: (.+)$/m.exec(stanza)?.[1];
  if (version === undefined || directory === undefined || format === undefined) return undefined;
  const files = Object.fromEntries(
    [...stanza.matchAll(/^ ([0-9a-f]{64}) \d+ (\S+\.tar\.\w+)$/gm)].map(([, hash, file]) => [
      file,
      hash,
    ]),
  );
  return { version, directory, format, files };
}

/**
 * @param {string} stanza as `apt-cache show` prints it
 * @returns {PackageVersion | undefined}
 */
function binaryVersion(stanza) {
  const version = /^Version: (.+)$/m.exec(stanza)?.[1];
  const [, directory, file] = /^Filename: (.+)\/([^/\n]+)$/m.exec(stanza) ?? [];
  const hash = /^SHA256: ([0-9a-f]{64})$/m.exec(stanza)?.[1];
  if (version === undefined || directory === undefined) return undefined;
  if (file === undefined || hash === undefined) return undefined;
  return { version, directory, files: { [file]: hash } };
}

/**
 * @param {string} left
 * @param {string} right
 * @returns {Promise<boolean>} Debian's order of versions
 */
async function isNewer(left, right) {
  return (await capture("dpkg", ["--compare-versions", left, "gt", right])).code === 0;
}

/** @returns {string[]} options: apt's download user may not read a directory of root's */
function sandbox() {
  return process.getuid?.() === 0 ? ["-o", "APT::Sandbox::User=root"] : [];
}

/**
 * @param {string} text what apt printed as errors
 * @returns {string} its first error, without the mark
 */
export function firstError(text) {
  const errors = text.split("\n").filter((line) => /^(E|Err)[:\d ]/.test(line));
  return (errors[0] ?? text.trim().split("\n").at(-1) ?? "no reason given").replace(/^E: /, "");
}
