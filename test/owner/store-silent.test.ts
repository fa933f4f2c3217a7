/** A store that stops talking is given up and told in a sentence; nobody waits for ever. */
import assert from "node:assert/strict";
import { createServer as createHttps, type Server as HttpsServer } from "node:https";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { before, test } from "node:test";
import {
  issueServerCertificate,
  type KeyedCertificate,
  makeAuthority,
} from "../../scripts/cloud/ca.ts";
import { openStore, type Store } from "../../scripts/owner/store.ts";

/** Long enough for a handshake on a busy machine: whoever takes longer is given up by the same sentence. */
const PATIENCE = { answer_ms: 1_000, idle_ms: 1_000 };
let authority: KeyedCertificate;
let certificate: { cert: string; key: string };

before(async () => {
  authority = await makeAuthority("silent");
  const { certPem, keyPem } = await issueServerCertificate(authority, { names: ["localhost"] });
  certificate = { cert: certPem, key: keyPem };
});

/** Every kind of request, each with a store of its own. */
async function allGivenUp(server: Server | HttpsServer): Promise<void> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port }: Pick<AddressInfo, "port"> = Object(server.address());
  const access = {
    endpoint: `https://localhost:${port}`,
    ...{ region: "us-east-1", bucket: "bucket", pathStyle: true, sessionToken: "" },
    ...{ accessKeyId: "id", secretAccessKey: "secret", caPem: authority.certPem },
  };
  const store = openStore(access, PATIENCE);
  const works: readonly ((store: Store) => Promise<unknown>)[] = [
    (one) => one.list("v1/"),
    (one) => one.folders("v1/"),
    (one) => one.get("v1/object", 0, 99),
    (one) => one.put("v1/object", new Uint8Array(1)),
  ];
  const message =
    /^the store https:\S+ did not answer in time; check that it runs and try again\.$/;
  try {
    await Promise.all(
      works.map((work) => assert.rejects(work(store), { name: "Problem", message })),
    );
  } finally {
    store.close();
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}

test("one that accepts connections and says nothing", { timeout: 60_000 }, async () => {
  await allGivenUp(createServer());
});

test("one that takes requests and says nothing", { timeout: 60_000 }, async () => {
  await allGivenUp(createHttps(certificate, () => undefined));
});

test("one that begins its answers and says no more", { timeout: 60_000 }, async () => {
  const server = createHttps(certificate, (_request, response) => {
    response.writeHead(200, { "content-type": "application/xml", "content-length": "100" });
    response.write("<");
  });
  await allGivenUp(server);
});
