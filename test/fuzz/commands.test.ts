/** Fuzzing of what arrives on the `cmd` topic: envelopes from anybody, and plaintexts from somebody who may sign. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ocellus } from "#proto";
import { perform } from "../../agent/control/actions.ts";
import { readAction } from "../../agent/control/commands.ts";
import { CounterFile } from "../../agent/identity/counters.ts";
import { same } from "../../agent/identity/encoding.ts";
import { AccessTrial } from "../../agent/identity/trial.ts";
import { type Ordered, ordersFor } from "../../agent/orders.ts";
import { decodeMessage } from "../../agent/seal/decode.ts";
import { isRefused } from "../../agent/seal/refusal.ts";
import { DEFAULT_SETTINGS } from "../../agent/settings/settings.ts";
import { createDouble } from "../agent/double/double.ts";
import { FuzzWorld } from "./command-world.ts";
import { corpusOf, fuzz } from "./fuzzing.ts";

const NOW = 1_000_000_000;

test("an envelope is judged without an exception, and accepted only with body and signature as the owner made them", async () => {
  const world = new FuzzWorld();
  const genuine = corpusOf("command").map((bytes) => ocellus.v1.Envelope.decode(bytes));
  let accepted = 0;
  await fuzz("command", (input, isMutated) => {
    const verdict = world.gate().judge(input, NOW);
    if (!isMutated) assert.notEqual(verdict.is, "ignored");
    if (verdict.is !== "accepted") return;
    accepted += 1;
    const envelope = decodeMessage(ocellus.v1.Envelope, input);
    assert.ok(!isRefused(envelope));
    assert.ok(
      genuine.some(
        ({ body, signature }) => same(body, envelope.body) && same(signature, envelope.signature),
      ),
    );
  });
  assert.ok(accepted > 0);
});

test("whatever a signer puts into a command, the camera answers and keeps nothing it should not", async () => {
  const world = new FuzzWorld();
  const to = { signer: new Uint8Array(8), seq: 1 };
  const read = { refused: 0, unknown: 0, done: 0, failed: 0 };
  await fuzz("command-plain", (plain) => {
    const action = readAction(plain);
    if (action === null) read.unknown += 1;
    else if (isRefused(action)) read.refused += 1;
    else {
      const { effects, camera } = running(world, createDouble().native);
      const reply = perform(to, action, effects);
      const bytes = ocellus.v1.Reply.encode(reply).finish();
      assert.ok(bytes.length <= 16_384, "a reply must fit a record");
      if (reply.result === ocellus.v1.Result.RESULT_OK) read.done += 1;
      else {
        read.failed += 1;
        assert.match(reply.text ?? "", /^\S.*\.$/);
      }
      const { segmentS, statusMaxSilenceS } = camera.settings;
      assert.ok(segmentS >= 4 && segmentS <= 30);
      assert.ok(statusMaxSilenceS >= 10 && statusMaxSilenceS <= 3600);
    }
  });
  for (const [way, times] of Object.entries(read)) assert.ok(times > 0, `never ${way}`);
});

/** Orders over a camera that only remembers. */
function running(world: FuzzWorld, native: ReturnType<typeof createDouble>["native"]) {
  const { owner, box } = world;
  const nowhere = {
    store: {
      endpoint: "https://store.test",
      region: "r",
      bucket: "bucket",
      accessKeyId: "a",
      secretAccessKey: "s",
      caPem: "",
      pathStyle: true,
      sessionToken: "",
    },
    broker: { url: "mqtts://broker.test", username: "u", password: "p", caPem: "" },
  };
  const camera = {
    identity: {
      camera: owner.camera,
      tenant: owner.tenant,
      rootKey: owner.root.publicKey,
      signing: owner.device,
      box,
      token: owner.token.slice(),
      deviceSeed: owner.seed,
    },
    counters: new CounterFile(native, { boot: 3, timeFloorUs: 0, recipientsVersion: 1 }),
    trial: new AccessTrial({ current: nowhere, previous: null, proven: true }),
    settings: DEFAULT_SETTINGS,
    applySettings(settings) {
      camera.settings = settings;
    },
    adopted: () => {},
    applyRecipients: (list) => assert.ok(list.version > 1),
    applyAccess: (kept) => assert.notEqual(kept.proven, true),
    reboot: () => {},
  } satisfies Ordered & { settings: Ordered["settings"] };
  return { camera, effects: ordersFor(native, camera) };
}
