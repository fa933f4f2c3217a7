/** A camera that left its owner's hands: what is kept of it, and that it can be taken back. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { findCamera, findKnown, findPaired, type Owner } from "../../scripts/owner/owner.ts";
import { retireCamera, unretireCamera } from "../../scripts/owner/retire.ts";
import { fullOwner } from "./support/owners.ts";

/** The owner after a round in which the camera was retired and taken back. */
function andBack(owner: Owner, name: string): Owner {
  const [retired, camera] = retireCamera(owner, findCamera(owner, name), null, 5);
  assert.ok(camera);
  assert.deepEqual(findKnown(retired, name), camera);
  assert.equal(retired.cameras.length, owner.cameras.length);
  return unretireCamera(retired, camera);
}

test("a paired or answered camera keeps its record while it is retired, and is as before when taken back", () => {
  const owner = fullOwner();
  for (const name of ["door", "gate"]) {
    assert.deepEqual(findCamera(andBack(owner, name), name), findCamera(owner, name));
  }
});

test("a retired camera is known for its footage, and for no command", () => {
  const owner = fullOwner();
  const [retired] = retireCamera(owner, findCamera(owner, "door"), 3, 5);
  const { record, signature } = findPaired(owner, "door");
  const known = findKnown(retired, "door");
  assert.deepEqual([known.state, known.record, known.signature], ["retired", record, signature]);
  assert.throws(
    () => findPaired(retired, "door"),
    /is retired; `npx --no ocellus pair door --unretire`/,
  );
});

test("when it left is what is said, else now, and is not moved by saying nothing", () => {
  const owner = fullOwner();
  const since = (from: Owner, since_us: number | null, now_us: number) => {
    const [changed, camera] = retireCamera(from, findCamera(from, "door"), since_us, now_us);
    return [changed, camera?.retired_us] as const;
  };
  assert.equal(since(owner, null, 5)[1], 5);
  const [retired, retired_us] = since(owner, 3, 5);
  assert.equal(retired_us, 3);
  assert.equal(since(retired, null, 9)[1], 3);
  assert.equal(since(retired, 2, 9)[1], 2);
});

test("a camera that was never answered is forgotten", () => {
  const owner = fullOwner();
  const [changed, camera] = retireCamera(owner, findCamera(owner, "porch"), null, 5);
  assert.equal(camera, null);
  assert.throws(() => findCamera(changed, "porch"), /no camera "porch"/);
  assert.equal(changed.cameras.length, owner.cameras.length - 1);
});
