/**
 * The public authorities behind a store and a broker, for access that names none.
 *
 * A camera has no public roots: it trusts what its access names and nothing else. So they are found here, where Node
 * has Mozilla's list: the root that the server's verified chain ends in, and the other roots of the same organisation,
 * because that one may sign the server's next certificate.
 */
import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { connect, rootCertificates, type TLSSocket } from "node:tls";
import { type BrokerAccess, CA_PEM_LENGTH, type StoreAccess } from "../../agent/identity/access.ts";
import { type Origin, parseOrigin } from "../../agent/identity/origin.ts";
import { errorCode, Problem } from "../build/problem.mjs";
import type { Access } from "./access.ts";
import { reasonOf } from "./trouble.ts";

const CONNECT_MS = 10_000;

export interface RootsOptions {
  /** Told in one line which roots were taken. */
  readonly tell: (sentence: string) => void;
  /** The public roots, PEM; Node's by default. */
  readonly roots?: readonly string[];
  /** Most characters of one `ca_pem`; by default what a provisioning file may hold. */
  readonly length?: number;
}

/** Gives access in which every `caPem` that was empty is filled. Throws Problem where it cannot be found. */
export type FillRoots = (access: Access) => Promise<Access>;

/** Connects to a server only where its `caPem` is empty, and to each but once. */
export function rootsFiller({
  tell,
  roots = rootCertificates,
  length = CA_PEM_LENGTH,
}: RootsOptions): FillRoots {
  const found = new Map<string, Taken>();
  const find = async (what: "store" | "broker", at: Origin): Promise<string> => {
    const key = `${at.host} ${at.port}`;
    const taken = found.get(key) ?? take(await anchorOf(what, at, roots), roots, length);
    if (!found.has(key)) tell(`${what} ${at.host}: no ca_pem, so it takes ${taken.what}`);
    found.set(key, taken);
    return taken.pem;
  };
  return async ({ store, broker }) => ({
    store: store.caPem ? store : { ...store, caPem: await find("store", storeOrigin(store)) },
    broker: broker.caPem
      ? broker
      : { ...broker, caPem: await find("broker", brokerOrigin(broker)) },
  });
}

/** As the camera addresses it. */
function storeOrigin({ endpoint, bucket, pathStyle }: StoreAccess): Origin {
  const { host, port } = checked(parseOrigin(endpoint, "https", 443));
  return { host: pathStyle ? host : `${bucket}.${host}`, port };
}

function brokerOrigin({ url }: BrokerAccess): Origin {
  return checked(parseOrigin(url, "mqtts", 8883));
}

function checked(origin: Origin | null): Origin {
  if (origin === null) throw new Error("access was not checked");
  return origin;
}

interface Taken {
  readonly pem: string;
  readonly what: string;
}

/** The root, and as many of its organisation's as there is room for. */
function take(anchor: X509Certificate, roots: readonly string[], length: number): Taken {
  const organisation = organisationOf(anchor);
  const family = roots
    .map((pem) => new X509Certificate(pem))
    .filter((root) => organisation !== "" && organisationOf(root) === organisation)
    .filter((root) => !root.raw.equals(anchor.raw) && Date.parse(root.validTo) > Date.now());
  let pem = anchor.toString();
  let taken = 1;
  for (const root of family) {
    const text = root.toString();
    if (pem.length + text.length > length) continue;
    pem += text;
    taken += 1;
  }
  const all = family.length + 1;
  if (all === 1) return { pem, what: `the public root it is signed by: ${nameOf(anchor)}` };
  return taken === all
    ? { pem, what: `all ${all} public roots of ${organisation}` }
    : {
        pem,
        what: `${taken} of the ${all} public roots of ${organisation}: there is no room for more`,
      };
}

/** The root that the chain of a server ends in, once Node has verified it by `roots`. */
async function anchorOf(
  what: "store" | "broker",
  at: Origin,
  roots: readonly string[],
): Promise<X509Certificate> {
  const chain = await verifiedChain(what, at, roots);
  const anchors = roots.map((pem) => new X509Certificate(pem));
  // As the camera builds it: a trusted root before whatever else the server sends along.
  const tried: X509Certificate[] = [];
  let certificate = chain[0];
  while (certificate !== undefined && !tried.includes(certificate)) {
    const child = certificate;
    const anchor = anchors.find((root) => signed(root, child) && isValid(root));
    if (anchor !== undefined) return anchor;
    tried.push(child);
    certificate = chain.find((one) => !tried.includes(one) && signed(one, child));
  }
  throw unvouched(what, at, "no root found");
}

function signed(issuer: X509Certificate, certificate: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

function isValid(certificate: X509Certificate): boolean {
  const now_ms = Date.now();
  return Date.parse(certificate.validFrom) <= now_ms && now_ms < Date.parse(certificate.validTo);
}

/** Certificates of a server whose chain, host name and dates are good; its own first. */
function verifiedChain(
  what: "store" | "broker",
  at: Origin,
  roots: readonly string[],
): Promise<X509Certificate[]> {
  return new Promise((resolve, reject) => {
    const name = isIP(at.host) === 0 ? { servername: at.host } : {};
    const socket = connect({ ...at, ...name, ca: [...roots], timeout: CONNECT_MS });
    socket.once("secureConnect", () => {
      resolve(chainOf(socket));
      socket.destroy();
    });
    socket.once("timeout", () => socket.destroy(new Error("timeout")));
    socket.once("error", (error) => {
      const why = errorCode(error) ?? reasonOf(error);
      reject(socket.authorizationError ? unvouched(what, at, why) : unreachable(what, at, why));
    });
  });
}

function chainOf(socket: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = [];
  let next = socket.getPeerCertificate(true);
  while (next?.raw && !chain.some(({ raw }) => raw.equals(next.raw))) {
    chain.push(new X509Certificate(next.raw));
    next = next.issuerCertificate;
  }
  return chain;
}

function unvouched(what: string, { host }: Origin, why: string): Problem {
  return new Problem(
    `the certificate of the ${what} ${host} is not good by the public authorities (${why}); correct the address, or give "${what}.ca_pem", the PEM of the authority that signs it.`,
  );
}

function unreachable(what: string, { host, port }: Origin, why: string): Problem {
  return new Problem(
    `the ${what} ${host}:${port} cannot be reached (${why}); check that it runs and try again.`,
  );
}

/** "" where the subject names none. */
function organisationOf(certificate: X509Certificate): string {
  return subject(certificate, "O");
}

function nameOf(certificate: X509Certificate): string {
  return subject(certificate, "CN") || certificate.fingerprint256;
}

/** Attributes of one kind, as Node prints subjects: one a line, special characters escaped. */
function subject(certificate: X509Certificate, kind: string): string {
  return certificate.subject
    .split("\n")
    .filter((line) => line.startsWith(`${kind}=`))
    .map((line) => line.slice(kind.length + 1).replace(/\\(.)/g, "$1"))
    .join(", ");
}
