import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { expiry_ms, parseLifecycle } from "../../scripts/cloud/store/lifecycle.ts";
import { send } from "./conformance/raw.ts";
import { until, withCloud } from "./support.ts";

const rules = (...bodies: string[]) =>
  `<LifecycleConfiguration>${bodies.map((body) => `<Rule>${body}</Rule>`).join("")}</LifecycleConfiguration>`;
const EXPIRE = "<Expiration><Days>3</Days></Expiration>";

describe("life-cycle rules", { timeout: 120_000 }, () => {
  it("an object expires at the midnight UTC after its days are over", () => {
    const put_ms = Date.UTC(2026, 0, 1, 10, 30);
    assert.equal(expiry_ms(put_ms, 3), Date.UTC(2026, 0, 5));
    assert.equal(expiry_ms(Date.UTC(2026, 0, 1), 1), Date.UTC(2026, 0, 3));
  });

  it("both ways of writing a prefix are read", () => {
    const status = "<Status>Enabled</Status>";
    const [plain] = parseLifecycle(rules(`<Prefix>a&amp;b/</Prefix>${status}${EXPIRE}`));
    assert.deepEqual(plain, { id: "rule-1", prefix: "a&b/", enabled: true, days: 3 });
    const [filtered] = parseLifecycle(
      rules(`<ID>x</ID>\n<Filter>\n <Prefix>a/</Prefix>\n</Filter>${status}${EXPIRE}`),
    );
    assert.deepEqual(filtered, { id: "x", prefix: "a/", enabled: true, days: 3 });
    const [all] = parseLifecycle(rules(`<Filter/>${status}${EXPIRE}`));
    assert.equal(all?.prefix, "");
  });

  it("what would not be kept is refused", () => {
    const status = "<Status>Enabled</Status><Filter><Prefix/></Filter>";
    for (const [code, text] of [
      ["MalformedXML", rules()],
      ["MalformedXML", "<Other/>"],
      ["MalformedXML", "<LifecycleConfiguration>"],
      ["MalformedXML", `<!DOCTYPE a [<!ENTITY e "x">]>${rules(status + EXPIRE)}`],
      ["MalformedXML", rules(`<Status>On</Status>${EXPIRE}`)],
      ["InvalidArgument", rules(status)],
      ["InvalidArgument", rules(`${status}<Expiration><Days>0</Days></Expiration>`)],
      ["InvalidArgument", rules(`<ID>a</ID>${status}${EXPIRE}`, `<ID>a</ID>${status}${EXPIRE}`)],
      ["NotImplemented", rules(`${status}<Expiration><Date>2030-01-01</Date></Expiration>`)],
      ["NotImplemented", rules(`${status}${EXPIRE}<Transition><Days>1</Days></Transition>`)],
      [
        "NotImplemented",
        rules(`<Status>Enabled</Status><Filter><Tag><Key>k</Key></Tag></Filter>${EXPIRE}`),
      ],
    ] as const) {
      assert.throws(() => parseLifecycle(text), { code }, text);
    }
  });

  it("rules are executed without anybody asking", async () => {
    let now_ms = Date.UTC(2026, 5, 1);
    await withCloud({ now_ms: () => now_ms, sweepEvery_ms: 50 }, async (cloud) => {
      const { store } = await cloud.owner();
      const path = `/${store.bucket}/v1/home/old`;
      const ask = (method: string, target: string, body = "", query = {}) =>
        send(store, { method, path: target, query, body, date: new Date(now_ms) });
      await ask("PUT", path, "x");
      const body = rules(`<Status>Enabled</Status><Filter/>${EXPIRE}`);
      await ask("PUT", `/${store.bucket}`, body, { lifecycle: "" });
      assert.equal((await ask("GET", path)).status, 200);
      now_ms += 5 * 86_400_000;
      await until(async () => (await ask("GET", path)).status === 404);
    });
  });

  it("a sweep tells what it deleted", async () => {
    let now_ms = Date.UTC(2026, 5, 1, 12);
    await withCloud({ now_ms: () => now_ms }, async (cloud) => {
      const { store } = await cloud.owner();
      const owner = (method: string, key: string, body = "", query = {}) =>
        send(store, {
          ...{ method, path: `/${store.bucket}${key}`, query, body },
          date: new Date(now_ms),
        });
      await owner("PUT", "/v1/home/a/1", "x");
      await owner("PUT", "/v1/home/b/1", "x");
      const body = rules(
        `<Status>Enabled</Status><Filter><Prefix>v1/home/a/</Prefix></Filter>${EXPIRE}`,
      );
      assert.equal((await owner("PUT", "", body, { lifecycle: "" })).status, 200);
      now_ms = Date.UTC(2026, 5, 4, 23, 59, 59);
      assert.deepEqual(await cloud.store.sweep(), []);
      now_ms = Date.UTC(2026, 5, 5);
      assert.deepEqual(await cloud.store.sweep(), ["ocellus-home/v1/home/a/1"]);
      assert.deepEqual(await cloud.store.sweep(), []);
      assert.equal((await owner("GET", "/v1/home/b/1")).text, "x");
    });
  });
});
