/** The camera's client id: its own at every start, and nobody else's to find out. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { clientIdOf } from "../../../agent/control/client-id.ts";
import { toHex } from "../../../agent/identity/encoding.ts";
import { files } from "../../../agent/identity/files.ts";
import { CameraRig } from "../main/rig.ts";

const { crypto } = new CameraRig().double;
const bytes = (fill: number, length: number) => new Uint8Array(length).fill(fill);

test("every broker takes it, and it is one for each camera id and each seed", () => {
  const ids = [
    { camera: bytes(0, 16), deviceSeed: bytes(0, 32) },
    { camera: bytes(0, 16), deviceSeed: bytes(1, 32) },
    { camera: Uint8Array.of(...bytes(0, 15), 1), deviceSeed: bytes(0, 32) },
  ].map((identity) => clientIdOf(crypto.sha256, identity));
  for (const id of ids) assert.match(id, /^[0-9a-zA-Z]{1,23}$/);
  assert.equal(new Set(ids).size, ids.length);
  // printf 'ocellus/v1/mqtt-client\0' followed by 48 zero bytes, through sha256sum.
  assert.equal(ids[0], "ada899a27dd6cc5c9c8e35");
});

test("a camera keeps it over a restart, shows nothing of its id by it, and does not log it", async () => {
  const rig = new CameraRig();
  await rig.pair();
  await rig.advance(5_000);
  const again = await rig.reboot("quickjs");
  await again.until(() => again.broker.connects.length > 0);
  const used = new Set([...rig.broker.connects, ...again.broker.connects].map((c) => c.clientId));
  assert.equal(used.size, 1);
  const [id = ""] = used;
  const camera = toHex(rig.owner.camera);
  const parts = (text: string) =>
    Array.from({ length: text.length - 5 }, (_, i) => text.slice(i, i + 6));
  assert.deepEqual(
    parts(id).filter((part) => camera.includes(part)),
    [],
  );
  for (const { log } of [rig.double, again.double]) assert.ok(!log.includes(id));
  const said = [...rig.broker.published, ...again.broker.published];
  for (const { payload } of said) assert.ok(!Buffer.from(payload).includes(id));
  const identity = files.identity.load(again.double.native);
  assert.ok(identity.is === "ok");
  assert.equal(id, clientIdOf(crypto.sha256, identity.value));
  again.end();
});
