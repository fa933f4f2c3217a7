/** TLS: versions, ciphers, verification of certificates, and whose time they are judged by. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import type { Native, NativeError } from "../../agent/runtime/native.d.ts";
import { makeAuthority } from "../../scripts/cloud/ca.ts";
import { type CameraOptions, everywhere, run, type Tools, variants } from "./support/camera.ts";
import { echo, type Server, serve } from "./support/server.ts";

const DAY_MS = 86_400_000;
const nowS = () => Math.floor(Date.now() / 1000);

interface Attempt {
  to: Server["to"];
  /** For setTlsTime; absent: as the camera starts. */
  time?: [seconds: number, known: boolean];
}

interface Outcome {
  version?: string;
  cipher?: string;
  resumed?: boolean;
  /** What came back for "ping". */
  answer?: string;
  error?: NativeError | null;
}

/** Connects once for each attempt, one after the other; says "ping", waits for the answer, closes. */
function attemptAll(native: Native, attempts: Attempt[], { out }: Tools) {
  const outcomes: Outcome[] = [];
  const next = () => {
    const attempt = attempts[outcomes.length];
    if (!attempt) {
      out("outcomes", outcomes);
      native.exit(0);
    }
    const outcome: Outcome = {};
    const over = () => {
      outcomes.push(outcome);
      connection.close();
      native.setTimer(0, next);
    };
    if (attempt.time) native.setTlsTime(...attempt.time);
    const connection = native.connect(attempt.to, {
      open(info) {
        Object.assign(outcome, info);
        connection.write(native.utf8Encode("ping"));
      },
      data(bytes) {
        outcome.answer = (outcome.answer ?? "") + native.utf8Decode(bytes);
        // Tickets of TLS 1.3 come after the handshake, and may come after the first data.
        if (outcome.answer === "ping") native.setTimer(100, over);
      },
      drain: () => undefined,
      closed(error) {
        outcome.error = error;
        over();
      },
    });
  };
  next();
}

type Context = Parameters<typeof run>[0];

async function outcomes(
  t: Context,
  variant: CameraOptions<unknown>["variant"],
  attempts: Attempt[],
): Promise<Outcome[]> {
  const camera = await run(t, { variant, given: attempts }, attemptAll);
  return camera.result<Outcome[]>("outcomes");
}

/** Cheap enough for the camera's own code under emulation too. */
for (const variant of everywhere) {
  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    const only = { minVersion: version, maxVersion: version } as const;

    test(`${version}: an exchange with a good server, by name and by address (${variant})`, async (t) => {
      const { to } = await serve(t, only, echo);
      const both = [{ to }, { to: { ...to, host: "127.0.0.1" } }];
      for (const outcome of await outcomes(t, variant, both)) {
        assert.equal(outcome.answer, "ping", JSON.stringify(outcome));
        assert.equal(outcome.version, version);
        assert.equal(outcome.resumed, false);
        assert.match(outcome.cipher ?? "", /CHACHA20-POLY1305/);
      }
    });

    test(`${version}: a session is resumed, but not with other authorities (${variant})`, async (t) => {
      const { to } = await serve(t, only, echo);
      const other = { ...to, caPem: `${to.caPem}\n` };
      const named = { ...to, host: "127.0.0.1" };
      const results = await outcomes(t, variant, [
        ...[{ to }, { to }, { to }, { to: other }, { to: other }, { to: named }, { to }],
      ]);
      const resumed = [false, true, true, false, true, false, true];
      assert.deepEqual(
        results.map((outcome) => outcome.resumed),
        resumed,
      );
      for (const outcome of results) assert.equal(outcome.answer, "ping");
    });

    test(`${version}: a certificate for other names is refused (${variant})`, async (t) => {
      const cases = [
        { names: ["elsewhere.test"], host: "localhost" },
        { names: ["elsewhere.test", "127.0.0.2"], host: "127.0.0.1" },
        { names: ["localhost"], host: "127.0.0.1" },
        { names: ["127.0.0.1"], host: "localhost" },
        { names: ["sub.localhost", "*.localhost"], host: "localhost" },
      ];
      for (const { names, host } of cases) {
        const { to } = await serve(t, { ...only, certificate: { names } }, echo);
        const [outcome] = await outcomes(t, variant, [{ to: { ...to, host } }]);
        assert.equal(outcome?.error?.error, "tls-certificate-name", names.join());
      }
    });
  }
}

for (const variant of variants) {
  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    const only = { minVersion: version, maxVersion: version } as const;

    test(`${version}: AES-GCM where the server has nothing else, remembered (${variant})`, async (t) => {
      let handshakes = 0;
      const ciphers =
        version === "TLSv1.3" ? "TLS_AES_128_GCM_SHA256" : "ECDHE-ECDSA-AES128-GCM-SHA256";
      const { to, server } = await serve(t, { ...only, ciphers }, echo);
      server.on("tlsClientError", () => handshakes++);
      const [first, second] = await outcomes(t, variant, [{ to }, { to }]);
      assert.equal(first?.answer, "ping", JSON.stringify(first));
      assert.match(first?.cipher ?? "", /AES-128-GCM/);
      assert.equal(second?.answer, "ping");
      assert.equal(handshakes, 1, "handshakes that were refused");
    });

    test(`${version}: a session is not resumed once its certificate has ended (${variant})`, async (t) => {
      const { to } = await serve(t, only, echo);
      const end = nowS() + 400 * 86_400;
      const results = await outcomes(t, variant, [
        { to, time: [nowS(), true] },
        { to },
        { to, time: [end, true] },
        { to, time: [nowS(), true] },
        { to },
      ]);
      assert.deepEqual(
        results.map((outcome) => outcome.resumed ?? outcome.error?.error),
        [false, true, "tls-certificate-expired", false, true],
      );
    });

    test(`${version}: a session is forgotten when its time no longer stands (${variant})`, async (t) => {
      const { to } = await serve(t, only, echo);
      const at = (offset_s: number, known: boolean): Attempt => ({
        to,
        time: [nowS() + offset_s, known],
      });
      const results = await outcomes(t, variant, [
        ...[at(-9000, false), { to }, at(0, false), at(0, true), at(60, true), at(3000, true)],
        ...[at(9000, true), at(5000, true), at(2000, true), at(2000, false), { to }],
      ]);
      assert.deepEqual(
        results.map((outcome) => outcome.resumed),
        [false, true, false, false, true, true, false, false, true, false, true],
      );
    });

    test(`${version}: a server that forgot its tickets gets a full handshake (${variant})`, async (t) => {
      // By the time of the first data the tickets of this connection are on their way.
      const { to, server } = await serve(t, only, (socket) => {
        socket.once("data", () => server.setTicketKeys(randomBytes(48)));
        echo(socket);
      });
      const results = await outcomes(t, variant, [{ to }, { to }]);
      for (const outcome of results) {
        assert.equal(outcome.resumed, false);
        assert.equal(outcome.answer, "ping");
      }
    });

    test(`${version}: a certificate from an unknown authority is untrusted (${variant})`, async (t) => {
      const { to } = await serve(t, { ...only, by: await makeAuthority("host tests") }, echo);
      const { caPem } = await serve(t, only, echo);
      const [outcome] = await outcomes(t, variant, [{ to: { ...to, caPem } }]);
      assert.equal(outcome?.error?.error, "tls-certificate-untrusted");
    });

    test(`${version}: an expired certificate is refused by known time and by the floor (${variant})`, async (t) => {
      const certificate = {
        notBefore_ms: Date.now() - DAY_MS,
        notAfter_ms: Date.now() - DAY_MS / 4,
      };
      const { to } = await serve(t, { ...only, certificate }, echo);
      const results = await outcomes(t, variant, [
        { to, time: [nowS(), true] },
        { to, time: [nowS(), false] },
        { to, time: [nowS() - 43_200, false] },
        { to, time: [nowS() - 43_200, true] },
      ]);
      const expired = "tls-certificate-expired";
      assert.deepEqual(
        results.map((outcome) => outcome.error?.error ?? outcome.answer),
        [expired, expired, "ping", "ping"],
      );
    });

    test(`${version}: notBefore counts only when the time is known (${variant})`, async (t) => {
      const certificate = {
        notBefore_ms: Date.now() + DAY_MS,
        notAfter_ms: Date.now() + 20 * DAY_MS,
      };
      const { to } = await serve(t, { ...only, certificate }, echo);
      const results = await outcomes(t, variant, [
        { to },
        { to, time: [nowS(), false] },
        { to, time: [nowS(), true] },
        { to, time: [nowS() + 2 * 86_400, true] },
      ]);
      assert.deepEqual(
        results.map((outcome) => outcome.error?.error ?? outcome.answer),
        ["ping", "ping", "tls-certificate-not-yet-valid", "ping"],
      );
    });
  }

  test(`the time goes on by itself (${variant})`, async (t) => {
    const certificate = { notAfter_ms: Date.now() + 10 * DAY_MS };
    const { to } = await serve(t, { certificate }, echo);
    const end = Math.floor(certificate.notAfter_ms / 1000);
    // Each attempt takes 100 ms or more, so the certificate ends on the way.
    const attempts: Attempt[] = Array.from({ length: 30 }, () => ({ to: { ...to } }));
    attempts[0] = { to, time: [end - 1, true] };
    const results = await outcomes(t, variant, attempts);
    assert.equal(results[0]?.answer, "ping");
    assert.equal(results.at(-1)?.error?.error, "tls-certificate-expired");
  });

  test(`an older protocol, a peer that is not TLS: tls-protocol (${variant})`, async (t) => {
    const { to } = await serve(
      t,
      { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "ALL:@SECLEVEL=0" },
      echo,
    );
    const [outcome] = await outcomes(t, variant, [{ to }]);
    assert.equal(outcome?.error?.error, "tls-protocol");
  });

  test(`authorities that cannot be parsed: untrusted (${variant})`, async (t) => {
    const { to } = await serve(t, {}, echo);
    const texts = ["", "no PEM", to.caPem.slice(0, 200), to.caPem.replace(/\n[A-Za-z]/, "\n!")];
    const attempts = texts.map((caPem) => ({ to: { ...to, caPem } }));
    for (const outcome of await outcomes(t, variant, attempts))
      assert.equal(outcome.error?.error, "tls-certificate-untrusted");
  });

  test(`one readable certificate among others is enough (${variant})`, async (t) => {
    const { to } = await serve(t, {}, echo);
    const other = (await makeAuthority("another")).certPem;
    const caPem = `# comment\n${other}${other.replace(/\nM.../, "\nAAAA")}\n${to.caPem}`;
    const [outcome] = await outcomes(t, variant, [{ to: { ...to, caPem } }]);
    assert.equal(outcome?.answer, "ping", JSON.stringify(outcome));
  });
}
