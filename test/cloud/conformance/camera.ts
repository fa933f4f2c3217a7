/** What a camera may and may not do, for any store and any way of being a camera. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { it } from "node:test";
import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketCorsCommand,
  GetBucketLifecycleConfigurationCommand,
  ListObjectsV2Command,
} from "@aws-sdk/client-s3";
import type { StoreAccess } from "../../../agent/identity/access.ts";
import type { CameraDriver, CameraSession, Outcome } from "./driver.ts";
import { outcomeOf, sdkClient, sdkDriver } from "./sdk.ts";
import type { Target } from "./target.ts";

const CONDITIONAL = { ifNoneMatch: true };
const PLAIN = { ifNoneMatch: false };

/** Registers the camera's tests; `target` is asked when they run. */
export function cameraSuite(target: () => Target, driver: CameraDriver): void {
  const as = async <T>(
    access: StoreAccess,
    use: (session: CameraSession) => Promise<T>,
    options: { clockOffset_ms?: number } = {},
  ): Promise<T> => {
    const session = await driver.open(access, options);
    try {
      return await use(session);
    } finally {
      await session.close();
    }
  };
  const camera = (): StoreAccess => target().cameras[0].access;
  /** A fresh key under the first camera's prefix. */
  const ownKey = (): string =>
    `v1/${target().tenant}/${target().cameras[0].id}/0/all/0000000001/${randomBytes(8).toString("hex")}`;

  it("a new object is stored, byte for byte", async () => {
    for (const size_bytes of [0, 1, 65_536, 1_500_000]) {
      const key = ownKey();
      const bytes = randomBytes(size_bytes);
      const put = await as(camera(), (session) => session.put(key, bytes, CONDITIONAL));
      assert.deepEqual(put, { status: 200, code: undefined });
      assert.deepEqual(await fetchAsOwner(target(), key), bytes);
    }
  });

  it("a key is signed as it is sent, whatever stands in it", async () => {
    for (const odd of ["a b", "a+b", "a%20b", "ä€😀", "=;,:$!()'*~", "a@b#c?d"]) {
      const key = `${ownKey()}-${odd}`;
      const put = await as(camera(), (session) => session.put(key, Buffer.from(odd), CONDITIONAL));
      assert.deepEqual(put, { status: 200, code: undefined }, odd);
      assert.equal((await fetchAsOwner(target(), key)).toString(), odd);
    }
  });

  it("a second put of a key answers 412 and changes nothing", async () => {
    const key = ownKey();
    await as(camera(), async (session) => {
      assert.equal((await session.put(key, Buffer.from("first"), CONDITIONAL)).status, 200);
      const second = await session.put(key, Buffer.from("second"), CONDITIONAL);
      assert.deepEqual(second, { status: 412, code: "PreconditionFailed" });
      const same = await session.put(key, Buffer.from("first"), CONDITIONAL);
      assert.deepEqual(same, { status: 412, code: "PreconditionFailed" });
    });
    assert.equal((await fetchAsOwner(target(), key)).toString(), "first");
  });

  it("of concurrent puts of a key exactly one wins, and its bytes stay", async () => {
    for (let round = 0; round < 3; round++) {
      const key = ownKey();
      const bodies = Array.from({ length: 8 }, () => randomBytes(100_000));
      const outcomes = await Promise.all(
        bodies.map((bytes) => as(camera(), (session) => session.put(key, bytes, CONDITIONAL))),
      );
      const winners = bodies.filter((_, index) => outcomes[index]?.status === 200);
      assert.equal(winners.length, 1, JSON.stringify(outcomes));
      for (const { status, code } of outcomes.filter((outcome) => outcome.status !== 200)) {
        assert.ok(
          (status === 412 && code === "PreconditionFailed") ||
            (status === 409 && code === "ConditionalRequestConflict"),
          `${status} ${code}`,
        );
      }
      assert.deepEqual(await fetchAsOwner(target(), key), winners[0]);
    }
  });

  if (driver.canOmitIfNoneMatch) {
    it("a put that does not ask for 'only if absent' cannot replace what is there", async () => {
      const key = ownKey();
      await as(camera(), async (session) => {
        assert.equal((await session.put(key, Buffer.from("first"), CONDITIONAL)).status, 200);
        const second = await session.put(key, Buffer.from("second"), PLAIN);
        if (target().differences.has("no-put-condition")) {
          assert.deepEqual(second, { status: 200, code: undefined });
          return;
        }
        assert.deepEqual(second, { status: 403, code: "AccessDenied" });
        assert.equal((await fetchAsOwner(target(), key)).toString(), "first");
      });
    });
  }

  it("a camera puts under its own prefix only", async () => {
    const { tenant, cameras } = target();
    const [own, other] = cameras;
    const foreign = [
      `v1/${tenant}/${other.id}/0/all/0000000001/x`,
      `v1/${tenant}/${own.id}`,
      `v1/${tenant}/${own.id}x/y`,
      `v1/${tenant}/update/x`,
      `v1/elsewhere/${own.id}/x`,
      "v1/x",
      "x",
      `v1/${tenant}/${other.id}/../${own.id}/x`,
      `../${own.id}/x`,
    ];
    await as(camera(), async (session) => {
      for (const key of foreign) {
        const outcome = await session.put(key, Buffer.from("x"), CONDITIONAL);
        assert.deepEqual(outcome, { status: 403, code: "AccessDenied" }, key);
      }
    });
  });

  it("a camera reads updates, and neither its own footage nor another's", async () => {
    const { tenant, cameras, owner } = target();
    const update = `v1/${tenant}/update/${randomBytes(8).toString("hex")}`;
    const footage = ownKey();
    await putAsOwner(owner, update, Buffer.from("image"));
    await as(camera(), (session) => session.put(footage, Buffer.from("own"), CONDITIONAL));
    await as(camera(), async (session) => {
      const read = async (key: string) => {
        const { body, ...outcome } = await session.get(key);
        return { ...outcome, text: Buffer.from(body).toString() };
      };
      const { status, text } = await read(update);
      assert.deepEqual([status === 206 ? 200 : status, text], [200, "image"]);
      const refused = { status: 403, code: "AccessDenied", text: "" };
      assert.deepEqual(await read(footage), refused);
      assert.deepEqual(await read(`v1/${tenant}/${cameras[1].id}/x`), refused);
      // Absent, but who may not list is not told so.
      assert.deepEqual(await read(`${update}-absent`), refused);
    });
  });

  it("a camera neither lists nor deletes nor sees the bucket's rules", async () => {
    const key = ownKey();
    await as(camera(), (session) => session.put(key, Buffer.from("kept"), CONDITIONAL));
    const client = sdkClient(camera());
    const { bucket: Bucket } = camera();
    try {
      const refused = { status: 403, code: "AccessDenied" };
      for (const call of [
        () => client.send(new ListObjectsV2Command({ Bucket })),
        () => client.send(new ListObjectsV2Command({ Bucket, Prefix: key.slice(0, -4) })),
        () => client.send(new DeleteObjectCommand({ Bucket, Key: key })),
        () => client.send(new GetBucketLifecycleConfigurationCommand({ Bucket })),
        () => client.send(new GetBucketCorsCommand({ Bucket })),
      ]) {
        assert.deepEqual(await outcomeOf(call()), refused);
      }
      const many = client.send(
        new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: key }] } }),
      );
      if (target().differences.has("no-multi-delete")) {
        assert.equal((await outcomeOf(many)).status, 403);
      } else {
        const { Deleted = [], Errors = [] } = await many;
        assert.deepEqual([Deleted, Errors.map(({ Code }) => Code)], [[], ["AccessDenied"]]);
      }
    } finally {
      client.destroy();
    }
    assert.equal((await fetchAsOwner(target(), key)).toString(), "kept");
  });

  it("a bucket that does not exist answers NoSuchBucket", async () => {
    const outcome = await as({ ...camera(), bucket: "ocellus-nowhere" }, (session) =>
      session.put(ownKey(), Buffer.from("x"), CONDITIONAL),
    );
    assert.deepEqual(outcome, { status: 404, code: "NoSuchBucket" });
  });

  it("a wrong secret, an unknown key and a wrong clock are each told by their code", async () => {
    const put = (access: StoreAccess, clockOffset_ms = 0): Promise<Outcome> =>
      as(access, (session) => session.put(ownKey(), Buffer.from("x"), CONDITIONAL), {
        clockOffset_ms,
      });
    const { secretAccessKey } = camera();
    const wrong = `${secretAccessKey.slice(0, -1)}${secretAccessKey.endsWith("A") ? "B" : "A"}`;
    assert.deepEqual(await put({ ...camera(), secretAccessKey: wrong }), {
      status: 403,
      code: "SignatureDoesNotMatch",
    });
    assert.deepEqual(await put({ ...camera(), accessKeyId: "OCABSENTABSENTABSENT" }), {
      status: 403,
      code: "InvalidAccessKeyId",
    });
    const minute_ms = 60_000;
    for (const clockOffset_ms of [-20 * minute_ms, 20 * minute_ms]) {
      assert.deepEqual(await put(camera(), clockOffset_ms), {
        status: 403,
        code: "RequestTimeTooSkewed",
      });
    }
    assert.equal((await put(camera(), 10 * minute_ms)).status, 200);
    assert.equal((await put(camera(), -10 * minute_ms)).status, 200);
  });
}

async function fetchAsOwner(target: Target, key: string): Promise<Buffer> {
  const session = await sdkDriver.open(target.owner);
  try {
    const fetched = await session.get(key);
    assert.deepEqual([fetched.status, fetched.code], [200, undefined]);
    return Buffer.from(fetched.body);
  } finally {
    await session.close();
  }
}

async function putAsOwner(owner: StoreAccess, key: string, bytes: Uint8Array): Promise<void> {
  const session = await sdkDriver.open(owner);
  const { status } = await session.put(key, bytes, PLAIN);
  await session.close();
  assert.equal(status, 200);
}
