/** Fuzzing of the provisioning file: a whole file or sentences, never an exception. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseOrigin } from "../../agent/identity/origin.ts";
import { parseProvisioning } from "../../agent/identity/provisioning.ts";
import { isTenant } from "../../agent/seal/names.ts";
import { fuzz } from "./fuzzing.ts";

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

test("every file is taken whole or refused with sentences that are fit for a log", async () => {
  let [taken, refused] = [0, 0];
  await fuzz("provisioning", (input) => {
    const parsed = parseProvisioning(input, (bytes) => decoder.decode(bytes));
    if ("mistakes" in parsed) {
      refused += 1;
      assert.ok(parsed.mistakes.length > 0);
      for (const sentence of parsed.mistakes) {
        assert.match(sentence, /^["T][ -~]+\.$/, JSON.stringify(sentence));
        assert.ok(sentence.length < 250);
      }
      return;
    }
    taken += 1;
    const { camera, tenant, token, rootKey, seed, access } = parsed;
    assert.equal(camera.length, 16);
    assert.ok(isTenant(tenant));
    for (const bytes of [token, rootKey, seed]) assert.equal(bytes.length, 32);
    assert.ok(parseOrigin(access.store.endpoint, "https", 443));
    assert.ok(parseOrigin(access.broker.url, "mqtts", 8883));
    for (const text of [access.store.accessKeyId, access.store.secretAccessKey]) {
      assert.match(text, /^[!-~]{1,256}$/);
    }
  });
  assert.ok(taken > 1 && refused > 1, `${taken} taken, ${refused} refused`);
});
