import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { StoreAccess } from "../../agent/identity/access.ts";
import { type Cloud, startCloud } from "../../scripts/cloud/cloud.ts";
import type { Fault, RequestInfo } from "../../scripts/cloud/store/faults.ts";
import { send, sign } from "./conformance/raw.ts";
import { makeDirectory, removeDirectory } from "./support.ts";

describe("faults a test may set", { timeout: 120_000 }, () => {
  let state: string;
  let cloud: Cloud;
  let owner: StoreAccess;
  before(async () => {
    state = await makeDirectory();
    cloud = await startCloud({ state });
    owner = (await cloud.owner()).store;
  });
  after(async () => {
    await cloud.stop();
    await removeDirectory(state);
  });

  const path = () => `/${owner.bucket}/v1/home/${randomBytes(8).toString("hex")}`;
  const put = (path: string, body: Uint8Array | string = "body") =>
    send(owner, { method: "PUT", path, body, headers: { "if-none-match": "*" } });
  const get = (path: string) => send(owner, { method: "GET", path });
  const during = async <T>(
    fault: Fault | ((request: RequestInfo) => Fault | undefined),
    use: () => Promise<T>,
  ): Promise<T> => {
    cloud.store.faults = typeof fault === "function" ? fault : () => fault;
    try {
      return await use();
    } finally {
      cloud.store.faults = undefined;
    }
  };
  const last = () => cloud.store.log.entries.at(-1);

  it("an answer of any status and code, and nothing is stored", async () => {
    for (const [status, code] of [
      [403, "AccessDenied"],
      [404, "NoSuchBucket"],
      [409, "ConditionalRequestConflict"],
      [412, "PreconditionFailed"],
      [500, "InternalError"],
      [503, "SlowDown"],
    ] as const) {
      const object = path();
      const reply = await during({ reply: { status, code } }, () => put(object));
      assert.deepEqual([reply.status, reply.code], [status, code]);
      assert.ok(reply.headers.date);
      assert.deepEqual([last()?.status, last()?.code, last()?.bodyIn_bytes], [status, code, 4]);
      assert.equal((await get(object)).status, 404);
    }
  });

  it("a page of a captive portal, whatever was asked", async () => {
    const page = {
      status: 200,
      body: "<html>Log in</html>",
      headers: { "content-type": "text/html" },
    };
    const reply = await during({ reply: page }, () => put(path()));
    assert.deepEqual(
      [reply.status, reply.text, reply.headers["content-type"]],
      [200, "<html>Log in</html>", "text/html"],
    );
  });

  it("an answer before the body was read", async () => {
    const reply = { status: 503, code: "SlowDown", early: true };
    assert.equal((await during({ reply }, () => put(path(), randomBytes(300_000)))).status, 503);
    assert.equal(last()?.bodyIn_bytes, 0);
  });

  it("only the attempts a test means", async () => {
    const object = path();
    const fault = ({ attempt, method }: RequestInfo): Fault | undefined =>
      method === "PUT" && attempt <= 2
        ? { reply: { status: 500, code: "InternalError" } }
        : undefined;
    await during(fault, async () => {
      assert.equal((await put(object)).status, 500);
      assert.equal((await put(object)).status, 500);
      assert.equal((await put(object)).status, 200);
    });
  });

  it("a delay, and a body read slowly", async () => {
    const delayed_ms = await timed(() => during({ delay_ms: 300 }, () => put(path())));
    assert.ok(delayed_ms >= 290, `${delayed_ms} ms`);
    const slow = { readRate_bytes_s: 400_000 };
    const slow_ms = await timed(() => during(slow, () => put(path(), randomBytes(200_000))));
    assert.ok(slow_ms >= 450, `${slow_ms} ms`);
  });

  it("a connection cut at once or within the body: nothing is stored", async () => {
    for (const cutRequestAt_bytes of [0, 1000, 150_000]) {
      const object = path();
      await assert.rejects(
        during({ cutRequestAt_bytes }, () => put(object, randomBytes(300_000))),
        /ECONNRESET|EPIPE|socket hang up/,
      );
      assert.equal((await get(object)).status, 404);
    }
  });

  it("a lost answer: stored, but the client cannot know", async () => {
    const object = path();
    await assert.rejects(
      during({ loseReply: true }, () => put(object, "stored")),
      /socket hang up/,
    );
    assert.deepEqual([last()?.status, last()?.answered], [0, false]);
    assert.equal((await get(object)).text, "stored");
    assert.equal((await put(object, "stored")).status, 412);
    await assert.rejects(
      during({ loseReply: true }, () => get(object)),
      /socket hang up/,
    );
  });

  it("a reply cut short, and one with other bytes than were stored", async () => {
    const object = path();
    const bytes = randomBytes(200_000);
    await put(object, bytes);
    await assert.rejects(
      during({ cutReplyAt_bytes: 100_000 }, () => get(object)),
      /aborted|hang up/,
    );
    assert.deepEqual([last()?.status, last()?.answered], [200, false]);
    await put(`${object}-text`, "abcdef");
    const alterReply = (piece: Buffer, offset: number) =>
      offset === 0 ? Buffer.concat([Buffer.from("X"), piece.subarray(1)]) : piece;
    const altered = await during({ alterReply }, () => get(`${object}-text`));
    assert.equal(altered.text, "Xbcdef");
    assert.equal((await get(`${object}-text`)).text, "abcdef");
  });

  it("the store down, and up again at the same address", async () => {
    const object = path();
    await put(object, "here");
    await cloud.store.stop();
    await assert.rejects(get(object), /ECONNREFUSED/);
    await cloud.store.start();
    assert.equal((await get(object)).text, "here");
  });

  it("nothing is written any more once the store is down, and what only waits is given up", async () => {
    const slow = { readRate_bytes_s: 20_000 };
    for (const fault of [{ delay_ms: 60_000 }, slow]) {
      const parts = async () => (await readdir(join(state, "store"), { recursive: true })).sort();
      const before = await parts();
      const puts = Array.from({ length: 20 }, () =>
        assert.rejects(during(fault, () => put(path(), randomBytes(100_000)))),
      );
      await sleep(100);
      const took_ms = await timed(() => cloud.store.stop());
      assert.ok(took_ms < 30_000, `stopping took ${took_ms} ms`);
      assert.deepEqual(await parts(), before, "what was half written is cleared away");
      await Promise.all(puts);
      await cloud.store.start();
    }
  });

  it("no request can set one", async () => {
    const headers = await sign(owner, { method: "PUT", path: path() });
    assert.equal(cloud.store.faults, undefined);
    for (const name of ["x-amz-fault", "x-amz-meta-fault"]) {
      const reply = await send(owner, {
        ...{ method: "PUT", path: path(), headers: { [name]: "500" } },
      });
      assert.equal(reply.status, name === "x-amz-fault" ? 501 : 200);
    }
    assert.ok(headers.authorization);
    assert.equal(cloud.store.faults, undefined);
  });
});

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start_ms = performance.now();
  await work();
  return performance.now() - start_ms;
}
