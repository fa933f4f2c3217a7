import assert from "node:assert/strict";
import { test } from "node:test";
import { Inbox } from "../../scripts/owner/inbox.ts";

test("an inbox that is flooded holds the newest, in order", () => {
  const inbox = new Inbox();
  for (let i = 0; i < Inbox.MAX + 3; i++) inbox.push(Uint8Array.of(i));
  for (let i = 3; i < Inbox.MAX + 3; i++) assert.deepEqual(inbox.shift(), Uint8Array.of(i));
  assert.equal(inbox.shift(), undefined);
});
