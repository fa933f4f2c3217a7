/**
 * The development cloud's own certificate authority, and the server certificates it issues.
 *
 * ECDSA P-256 with SHA-256 throughout: every TLS 1.2 and 1.3 client has it (RFC 8446 section 9.1), and
 * it is the cheapest to verify on the camera. Certificates follow RFC 5280; a client matches the
 * host name with the subject alternative names only (RFC 9525).
 *
 * Tests make their wrong certificates here too: expired, for another host, or from another authority.
 * `openssl ca` signs, because it alone of openssl 3.0's commands takes both ends of a validity. Its
 * files, keys among them, live in a private temporary directory for as long as it runs.
 */
import { spawn } from "node:child_process";
import { createPrivateKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { isIP } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { errorCode, Problem } from "../build/problem.mjs";

const DAY_MS = 86_400_000;

/** A certificate with its private key, both as PEM text. The holder keeps `keyPem` secret. */
export interface KeyedCertificate {
  /** PEM; a server's holds its own certificate only, since the authority signs it directly. */
  readonly certPem: string;
  /** PEM of the PKCS #8 private key. */
  readonly keyPem: string;
}

/** Times and names of a server certificate. */
export interface ServerCertificateRequest {
  /** DNS names and IP addresses the server answers to; the first is also the common name. */
  readonly names: readonly string[];
  /** Start of validity, milliseconds since 1970; default one day ago, so that a slow clock passes. */
  readonly notBefore_ms?: number;
  /** End of validity, milliseconds since 1970; default 397 days from now (the longest browsers take). */
  readonly notAfter_ms?: number;
}

/** What an authority may have beside its name. */
export interface AuthorityRequest {
  readonly organization?: string;
  /** Signs it, so that it is an intermediate one; by default it signs itself. */
  readonly by?: KeyedCertificate;
  /** How many authorities may stand between it and a server; default none. */
  readonly below?: number;
}

/**
 * Makes a certificate authority with a fresh key, valid for ten years.
 * @param name common name; two authorities of one name stay distinct by their keys.
 */
export async function makeAuthority(
  name: string,
  { organization, by, below = 0 }: AuthorityRequest = {},
): Promise<KeyedCertificate> {
  return sign(by, {
    commonName: name,
    ...(organization === undefined ? {} : { organization }),
    notBefore_ms: Date.now() - DAY_MS,
    notAfter_ms: Date.now() + 3650 * DAY_MS,
    extensions: [
      `basicConstraints = critical, CA:true, pathlen:${below}`,
      "keyUsage = critical, keyCertSign, cRLSign",
      "subjectKeyIdentifier = hash",
    ],
  });
}

/**
 * Issues a server certificate with a fresh key. Any validity is allowed, the past included: that is how
 * tests get an expired one.
 */
export async function issueServerCertificate(
  authority: KeyedCertificate,
  request: ServerCertificateRequest,
): Promise<KeyedCertificate> {
  const [commonName] = request.names;
  if (commonName === undefined) throw new Error("a server certificate needs at least one name");
  for (const name of request.names) {
    if (!/^[\w.:*-]+$/.test(name)) throw new Problem(`"${name}" is no host name or address.`);
  }
  const names = request.names.map((name) => `${isIP(name) ? "IP" : "DNS"}:${name}`);
  return sign(authority, {
    commonName,
    notBefore_ms: request.notBefore_ms ?? Date.now() - DAY_MS,
    notAfter_ms: request.notAfter_ms ?? Date.now() + 397 * DAY_MS,
    extensions: [
      "basicConstraints = critical, CA:false",
      "keyUsage = critical, digitalSignature",
      "extendedKeyUsage = serverAuth",
      `subjectAltName = ${names.join(", ")}`,
      "subjectKeyIdentifier = hash",
      "authorityKeyIdentifier = keyid",
    ],
  });
}

/**
 * Whether a kept server certificate can go on being used.
 * @param names every one must stand in it.
 * @returns false where `authority` did not sign it, its key is another's, it lacks a name, or it ends
 *   within 30 days of `now_ms`.
 */
export function stillServes(
  authority: KeyedCertificate,
  server: KeyedCertificate,
  names: readonly string[],
  now_ms: number,
): boolean {
  const certificate = new X509Certificate(server.certPem);
  return (
    certificate.verify(new X509Certificate(authority.certPem).publicKey) &&
    certificate.checkPrivateKey(createPrivateKey(server.keyPem)) &&
    Date.parse(certificate.validTo) > now_ms + 30 * DAY_MS &&
    names.every((name) =>
      isIP(name) ? certificate.checkIP(name) : certificate.checkHost(name, { subject: "never" }),
    )
  );
}

interface Contents {
  commonName: string;
  organization?: string;
  notBefore_ms: number;
  notAfter_ms: number;
  /** Lines of an openssl extension section (x509v3_config(5)). */
  extensions: string[];
}

/** Signs `contents` for a fresh key with `authority`, or with that key itself where there is none. */
async function sign(
  authority: KeyedCertificate | undefined,
  contents: Contents,
): Promise<KeyedCertificate> {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const keyPem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const directory = await mkdtemp(join(tmpdir(), "ocellus-ca-"));
  try {
    await writeFile(join(directory, "index"), "");
    await writeFile(join(directory, "ca.cnf"), configuration(contents));
    await writeFile(join(directory, "key"), keyPem, { mode: 0o600 });
    const signer = authority
      ? ["-cert", "ca.pem", "-keyfile", "ca.key"]
      : ["-selfsign", "-keyfile", "key"];
    if (authority) {
      await writeFile(join(directory, "ca.pem"), authority.certPem);
      await writeFile(join(directory, "ca.key"), authority.keyPem, { mode: 0o600 });
    }
    await openssl(directory, ["req", "-new", "-config", "ca.cnf", "-key", "key", "-out", "csr"]);
    await openssl(directory, [
      ...["ca", "-batch", "-notext", "-config", "ca.cnf", ...signer],
      ...["-startdate", asn1Time(contents.notBefore_ms)],
      ...["-enddate", asn1Time(contents.notAfter_ms)],
      ...["-in", "csr", "-out", "cert"],
    ]);
    return { certPem: await readFile(join(directory, "cert"), "utf8"), keyPem };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function configuration({ commonName, organization, extensions }: Contents): string {
  return `
[ca]
default_ca = ours
[ours]
database = index
new_certs_dir = .
default_md = sha256
rand_serial = yes
policy = any
x509_extensions = extensions
unique_subject = no
[any]
organizationName = optional
commonName = supplied
[req]
prompt = no
distinguished_name = name
[name]
${organization === undefined ? "" : `organizationName = ${organization}`}
commonName = ${commonName}
[extensions]
${extensions.join("\n")}
`;
}

/** ASN.1 GeneralizedTime, as `openssl ca -startdate` reads it. */
function asn1Time(time_ms: number): string {
  return `${new Date(time_ms).toISOString().replace(/[-:T]/g, "").slice(0, 14)}Z`;
}

/** Runs openssl in `directory`; throws what it said where it fails. */
function openssl(directory: string, args: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn("openssl", args, { cwd: directory, stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    child.stderr.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
    child.on("error", (error) => {
      const missing = errorCode(error) === "ENOENT";
      reject(missing ? new Problem("openssl is not installed; apt-get install openssl.") : error);
    });
    child.on("close", (status) => {
      if (status === 0) resolve();
      else reject(new Error(`openssl ${args[0]} ended with status ${status}: ${said.trim()}`));
    });
  });
}
