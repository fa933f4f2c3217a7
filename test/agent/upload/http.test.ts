import assert from "node:assert/strict";
import { test } from "node:test";
import { type HttpAnswer, HttpClient, type HttpFailure } from "../../../agent/upload/http.ts";
import { createDouble } from "../double/double.ts";
import type { ServerScript, ServerSide } from "../double/network.ts";

const bytes = (text: string) => new Uint8Array(Buffer.from(text, "latin1"));
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** A client, and a server that answers each request (as text) with what `answer` returns; `null` leaves it silent. */
function rig(
  answer: (request: string, peer: ServerSide) => string | null,
  script: ServerScript = {},
) {
  const double = createDouble();
  const requests: string[] = [];
  const peers: ServerSide[] = [];
  double.network.serve("store.test", 443, {
    ...script,
    accept(peer) {
      peers.push(peer);
      let text = "";
      peer.onData = (data) => {
        text += Buffer.from(data).toString("latin1");
        const length = /content-length: (\d+)/.exec(text)?.[1] ?? "0";
        if (text.indexOf("\r\n\r\n") + 4 + Number(length) > text.length) return;
        requests.push(text);
        const said = answer(text, peer);
        text = "";
        if (said !== null) peer.write(bytes(said));
      };
    },
  });
  const handshakes: boolean[] = [];
  const client = new HttpClient(
    double.native,
    { host: "store.test", port: 443, caPem: "CA" },
    { connected: ({ resumed }) => handshakes.push(resumed) },
  );
  const send = async (path = "/", body: Uint8Array | null = null, deadlineMs = 30_000) => {
    let result: HttpAnswer | HttpFailure | null = null;
    const request = {
      method: "PUT" as const,
      path,
      headers: [["host", "store.test"] as const],
      body,
    };
    void client.request(request, deadlineMs).then((got) => {
      result = got;
    });
    await double.clock.settle();
    return () => result;
  };
  /** Sends, lets time pass until there is a result, and gives it. */
  const finish = async (...args: Parameters<typeof send>) => {
    const result = await send(...args);
    await double.clock.until(() => result() !== null, 400_000, 1_000);
    const got = result();
    if (got === null) throw new Error("no result");
    return got;
  };
  return { double, client, requests, peers, handshakes, send, finish };
}

function failure(result: HttpAnswer | HttpFailure): HttpFailure {
  if (!("failed" in result)) throw new Error(`answered ${result.status}`);
  return result;
}

test("a request goes out as it was given, with the length of its body", async () => {
  const { finish, requests } = rig(() => OK);
  const result = await finish("/a?b=c", bytes("body"));
  assert.ok("status" in result && result.status === 200);
  assert.equal(
    requests[0],
    "PUT /a?b=c HTTP/1.1\r\nhost: store.test\r\ncontent-length: 4\r\n\r\nbody",
  );
});

test("a request without a body says no length", async () => {
  const { finish, requests } = rig(() => OK);
  await finish();
  assert.equal(requests[0], "PUT / HTTP/1.1\r\nhost: store.test\r\n\r\n");
});

test("one connection serves many requests, one after the other", async () => {
  const { finish, requests, handshakes, client } = rig(() => OK);
  for (let i = 0; i < 5; i++) await finish(`/${i}`);
  assert.equal(requests.length, 5);
  assert.deepEqual(handshakes, [false]);
  const { in: received, out } = client.wireBytes;
  assert.equal(received, 5 * OK.length);
  assert.equal(out, requests.join("").length);
});

test("bytes of past connections stay counted", async () => {
  const { finish, requests, client } = rig(() =>
    OK.replace("OK\r\n", "OK\r\nConnection: close\r\n"),
  );
  await finish();
  await finish();
  assert.equal(client.wireBytes.out, requests.join("").length);
});

test("a connection that the server wants closed is not used again, and the next is resumed", async () => {
  const { finish, handshakes } = rig(() => OK.replace("OK\r\n", "OK\r\nConnection: close\r\n"));
  await finish();
  await finish();
  assert.deepEqual(handshakes, [false, true]);
});

test("two requests at a time are a defect", async () => {
  const { send } = rig(() => null);
  await send();
  await assert.rejects(send(), /under way/);
});

test("times of request and answer are told", async () => {
  const { double, send, peers } = rig(() => null);
  const beganUs = double.clock.nowUs();
  const result = await send();
  await double.clock.advance(700);
  peers[0]?.write(bytes(OK));
  await double.clock.settle();
  const answer = result();
  assert.ok(answer !== null && "status" in answer);
  assert.equal(answer.sentUs, beganUs);
  assert.equal(answer.receivedUs, beganUs + 700_000);
});

for (const error of ["dns", "refused", "tls-certificate-expired", "tls-certificate-name"] as const)
  test(`a connection that fails with ${error}: nothing went out`, async () => {
    const { finish } = rig(() => OK, { fails: error });
    assert.deepEqual(await finish(), {
      failed: error,
      text: `store.test: ${error}`,
      uncertain: false,
      stale: false,
    });
  });

test("a server that cannot be reached costs twenty seconds at most", async () => {
  const { double, finish } = rig(() => OK, { fails: "silence" });
  const beganUs = double.clock.nowUs();
  const { failed, uncertain } = failure(await finish("/", null, 300_000));
  assert.deepEqual({ failed, uncertain }, { failed: "timeout", uncertain: false });
  assert.ok(double.clock.nowUs() - beganUs <= 21e6);
});

test("a deadline that passes drops the connection, and what became of the request is unknown", async () => {
  const { double, finish, handshakes } = rig(() => null);
  const { failed, uncertain, stale } = failure(await finish("/", bytes("x"), 5_000));
  assert.deepEqual({ failed, uncertain, stale }, { failed: "slow", uncertain: true, stale: false });
  assert.equal(double.network.open.size, 0);
  assert.equal(handshakes.length, 1);
});

test("an answer before the deadline leaves no timer", async () => {
  const { double, finish } = rig(() => OK);
  await finish();
  assert.equal(double.clock.timers, 0);
});

test("a connection closed under a first request is no stale one, and the end is unknown", async () => {
  const { finish } = rig((_, peer) => {
    peer.end();
    return null;
  });
  const { failed, uncertain, stale } = failure(await finish());
  assert.deepEqual(
    { failed, uncertain, stale },
    { failed: "closed", uncertain: true, stale: false },
  );
});

test("a kept connection that was closed under the next request is stale", async () => {
  for (const how of ["end", "reset"] as const) {
    let served = 0;
    const { finish } = rig((_, peer) => {
      if (served++ === 0) return OK;
      if (how === "end") peer.end();
      else peer.fail("reset");
      return null;
    });
    await finish();
    const { stale, uncertain } = failure(await finish());
    assert.deepEqual({ stale, uncertain }, { stale: true, uncertain: true }, how);
  }
});

test("a kept connection that broke off in its answer is not stale", async () => {
  let served = 0;
  const { finish } = rig((_, peer) => {
    if (served++ === 0) return OK;
    peer.write(bytes("HTTP/1.1 200 OK\r\nContent-Len"));
    peer.end();
    return null;
  });
  await finish();
  const { failed, stale } = failure(await finish());
  assert.deepEqual({ failed, stale }, { failed: "closed", stale: false });
});

test("a connection that the server closes while idle is replaced without a failure", async () => {
  const { double, finish, peers, handshakes } = rig(() => OK);
  await finish();
  peers[0]?.end();
  await double.clock.settle();
  assert.ok("status" in (await finish()));
  assert.equal(handshakes.length, 2);
});

test("a server that speaks out of turn is dropped", async () => {
  const { double, finish, peers } = rig(() => OK);
  await finish();
  peers[0]?.write(bytes(OK));
  await double.clock.settle();
  assert.equal(double.network.open.size, 0);
});

test("an answer before the body was sent is an answer, and ends the connection", async () => {
  const { double, send, peers } = rig(() => null);
  double.network.serve("store.test", 443, {
    accept(peer) {
      peers.push(peer);
      peer.reading = false;
      peer.write(bytes("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"));
    },
  });
  const result = await send("/", bytes("a body"));
  const answer = result();
  assert.ok(answer !== null && "status" in answer && answer.status === 403);
  assert.equal(double.network.open.size, 0);
});

test("a success before the body was sent is none: nobody can have stored it", async () => {
  const { double, send, peers } = rig(() => null);
  double.network.serve("store.test", 443, {
    accept(peer) {
      peers.push(peer);
      peer.reading = false;
      peer.write(bytes(OK));
    },
  });
  const result = await send("/", bytes("a body"));
  const got = result();
  assert.ok(got !== null);
  const { failed, uncertain, stale } = failure(got);
  assert.deepEqual(
    { failed, uncertain, stale },
    { failed: "early", uncertain: true, stale: false },
  );
  assert.equal(double.network.open.size, 0);
});

for (const [said, failed] of [
  ["HELLO\r\n\r\n", "malformed"],
  [`HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n${"x".repeat(70_000)}`, "too-large"],
] as const)
  test(`an answer that is ${failed} drops the connection`, async () => {
    const { double, finish } = rig(() => said);
    assert.equal(failure(await finish()).failed, failed);
    assert.equal(double.network.open.size, 0);
  });

test("closing fails the request under way, and the next one connects again", async () => {
  let answers = false;
  const { client, double, send, finish } = rig(() => (answers ? OK : null));
  const result = await send();
  client.close();
  await double.clock.settle();
  const got = result();
  assert.ok(got !== null && failure(got).failed === "stopped");
  answers = true;
  assert.ok("status" in (await finish()));
});

test("a request too large to queue is a defect", async () => {
  const { send } = rig(() => OK);
  await assert.rejects(send("/", new Uint8Array(65_536)), RangeError);
});
