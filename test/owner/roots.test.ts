/** The public authorities of a store and a broker, found at real TLS servers with authorities of our own in their place. */
import assert from "node:assert/strict";
import { createServer } from "node:https";
import { type AddressInfo, createServer as createPlainServer } from "node:net";
import { before, type TestContext, test } from "node:test";
import { createServer as createTlsServer } from "node:tls";
import { checkAccess } from "../../agent/identity/access.ts";
import {
  issueServerCertificate,
  type KeyedCertificate,
  makeAuthority,
} from "../../scripts/cloud/ca.ts";
import type { Access } from "../../scripts/owner/access.ts";
import { type RootsOptions, rootsFiller } from "../../scripts/owner/roots.ts";
import { openStore } from "../../scripts/owner/store.ts";

const names = ["localhost"];
let family: KeyedCertificate[];
let stranger: KeyedCertificate;
let alone: KeyedCertificate;
/** Of a root with an intermediate authority. */
let deep: { root: KeyedCertificate; middle: KeyedCertificate };
let publicRoots: string[];

before(async () => {
  const organization = "Trust, Inc.";
  const make = (name: string) => makeAuthority(name, { organization });
  family = await Promise.all(["R1", "R2", "R3"].map(make));
  stranger = await makeAuthority("S1", { organization: "Trust" });
  alone = await makeAuthority("nobody's");
  const root = await makeAuthority("D1", { organization: "Deep", below: 1 });
  deep = { root, middle: await makeAuthority("between", { organization: "Deep", by: root }) };
  publicRoots = [alone, stranger, ...family, deep.root].map(({ certPem }) => certPem);
});

/** Gives a TLS server that is closed with the test. @returns its port. */
async function serve(t: TestContext, shown: KeyedCertificate, also = ""): Promise<number> {
  const server = createTlsServer({ cert: shown.certPem + also, key: shown.keyPem });
  server.on("secureConnection", (socket) => socket.on("error", () => {}));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  t.after(() => server.close());
  return portOf(server.address());
}

function portOf(address: AddressInfo | string | null): number {
  assert.ok(address !== null && typeof address === "object");
  return address.port;
}

function access(storePort: number, brokerPort: number, over: { caPem?: string } = {}): Access {
  return {
    store: {
      endpoint: `https://localhost:${storePort}`,
      ...{ region: "r", bucket: "bucket", accessKeyId: "a", secretAccessKey: "s" },
      ...{ caPem: "", pathStyle: true, sessionToken: "", ...over },
    },
    broker: {
      url: `mqtts://localhost:${brokerPort}`,
      ...{ username: "u", password: "p", caPem: "", ...over },
    },
  };
}

/** Fills, and says what was told. */
async function fill(given: Access, options: Partial<RootsOptions> = {}) {
  const told: string[] = [];
  const tell = (line: string) => void told.push(line);
  const filled = await rootsFiller({ tell, roots: publicRoots, ...options })(given);
  return { filled, told };
}

const certificates = (pem: string) =>
  pem.match(/-----BEGIN[^-]+-----[^-]+-----END CERTIFICATE-----/g) ?? [];
const texts = (...authorities: KeyedCertificate[]) =>
  authorities.map(({ certPem }) => certPem.trim()).sort();

test("all roots of the organisation that vouches for the server are taken, its own first, and no others", async (t) => {
  const [, second] = family;
  assert.ok(second);
  const store = await serve(t, await issueServerCertificate(second, { names }));
  const broker = await serve(t, await issueServerCertificate(stranger, { names }));
  const { filled, told } = await fill(access(store, broker));
  const found = certificates(filled.store.caPem);
  assert.equal(found[0], second.certPem.trim());
  assert.deepEqual([...found].sort(), texts(...family));
  assert.deepEqual(certificates(filled.broker.caPem), texts(stranger));
  assert.deepEqual(told, [
    "store localhost: no ca_pem, so it takes all 3 public roots of Trust, Inc.",
    "broker localhost: no ca_pem, so it takes the public root it is signed by: S1",
  ]);
  assert.ok(!("mistake" in checkAccess(filled)), "a camera takes it");
});

test("a root without an organisation comes alone", async (t) => {
  const port = await serve(t, await issueServerCertificate(alone, { names }));
  const { filled, told } = await fill(access(port, port));
  assert.deepEqual(certificates(filled.store.caPem), texts(alone));
  assert.equal(filled.broker.caPem, filled.store.caPem);
  assert.equal(told.length, 1, "one server is asked once");
});

test("the root behind an intermediate authority is found, sent along or not", async (t) => {
  const shown = await issueServerCertificate(deep.middle, { names });
  for (const also of [deep.middle.certPem, deep.middle.certPem + deep.root.certPem]) {
    const port = await serve(t, shown, also);
    const { filled } = await fill(access(port, port));
    assert.deepEqual(certificates(filled.store.caPem), texts(deep.root));
  }
});

test("where there is no room for all, the one that counts is there", async (t) => {
  const [, , third] = family;
  assert.ok(third);
  const port = await serve(t, await issueServerCertificate(third, { names }));
  const length = third.certPem.length * 2 + 100;
  const { filled, told } = await fill(access(port, port), { length });
  assert.ok(filled.store.caPem.length <= length);
  assert.equal(certificates(filled.store.caPem)[0], third.certPem.trim());
  assert.match(
    told[0] ?? "",
    /2 of the 3 public roots of Trust, Inc\.: there is no room for more$/,
  );
});

test("what was given is left alone, and nobody is asked", async () => {
  const given = access(1, 1, { caPem: "given" });
  const { filled, told } = await fill(given);
  assert.deepEqual(filled, given);
  assert.deepEqual(told, []);
});

test("what no public authority vouches for is a problem that says what to give", async (t) => {
  const other = await makeAuthority("not public");
  const [first] = family;
  assert.ok(first);
  const hour = 3_600_000;
  const wrong = [
    await issueServerCertificate(other, { names }),
    await issueServerCertificate(first, { names: ["elsewhere.example"] }),
    await issueServerCertificate(first, {
      ...{ names, notBefore_ms: Date.now() - 2 * hour, notAfter_ms: Date.now() - hour },
    }),
  ];
  for (const shown of wrong) {
    const port = await serve(t, shown);
    const said =
      /certificate of the store localhost is not good by the public authorities \([A-Z_]+\).*give "store\.ca_pem"/;
    await assert.rejects(fill(access(port, port)), { name: "Problem", message: said });
  }
  const good = await serve(t, await issueServerCertificate(first, { names }));
  const bad = await serve(t, await issueServerCertificate(other, { names }));
  await assert.rejects(fill(access(good, bad)), /give "broker\.ca_pem"/);
});

test("a server that is away, or is none of TLS, is out of reach", async (t) => {
  const plain = createServer();
  await new Promise<void>((resolve) => plain.listen(0, "127.0.0.1", () => resolve()));
  const port = portOf(plain.address());
  await new Promise((resolve) => plain.close(resolve));
  await assert.rejects(fill(access(port, port)), {
    name: "Problem",
    message: /the store localhost:\d+ cannot be reached \(ECONNREFUSED\)/,
  });
  const deaf = createPlainServer((socket) => socket.end("no TLS here\n"));
  await new Promise<void>((resolve) => deaf.listen(0, "127.0.0.1", () => resolve()));
  t.after(() => deaf.close());
  const at = portOf(deaf.address());
  await assert.rejects(fill(access(at, at)), /cannot be reached/);
});

test("the owner's own connections trust what was found, and nothing else", async (t) => {
  const [first] = family;
  assert.ok(first);
  const shown = await issueServerCertificate(first, { names });
  const server = createServer({ cert: shown.certPem, key: shown.keyPem }, (_request, response) => {
    response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const port = portOf(server.address());
  const { filled } = await fill(access(port, port));
  for (const [caPem, trusted] of [
    [filled.store.caPem, true],
    [stranger.certPem, false],
  ] as const) {
    const store = openStore({ ...filled.store, caPem });
    const asked = store.get("anything");
    if (trusted) assert.equal(await asked, null);
    else await assert.rejects(asked, /cannot be reached \(UNABLE_TO/);
    store.close();
  }
});
