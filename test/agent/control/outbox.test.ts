import assert from "node:assert/strict";
import { test } from "node:test";
import { Outbox, SEGMENTS_MAX } from "../../../agent/control/outbox.ts";

const message = (name: string) => ({ topic: name, payload: new Uint8Array(1) });

function takeAll(outbox: Outbox): string[] {
  const names: string[] = [];
  for (let next = outbox.next(); next !== null; next = outbox.next()) {
    names.push(next.topic);
    outbox.acknowledged(next);
  }
  return names;
}

test("replies go before segment records, each in order", () => {
  const outbox = new Outbox();
  outbox.segment(message("s1"));
  outbox.reply(message("r1"));
  outbox.segment(message("s2"));
  outbox.reply(message("r2"));
  assert.deepEqual(takeAll(outbox), ["r1", "r2", "s1", "s2"]);
  assert.equal(outbox.size, 0);
});

test("what was on the way when the connection was lost goes again, the very same message", () => {
  const outbox = new Outbox();
  const one = message("s1");
  outbox.segment(one);
  assert.equal(outbox.next(), one);
  assert.equal(outbox.next(), null);
  outbox.connectionLost();
  assert.equal(outbox.next(), one);
  outbox.acknowledged(one);
  assert.equal(outbox.size, 0);
});

test("the oldest give way, are counted once, and free their place on the way", () => {
  const outbox = new Outbox();
  for (let i = 0; i < 8; i++) outbox.segment(message(`s${i}`));
  for (let i = 0; i < 8; i++) assert.equal(outbox.next()?.topic, `s${i}`);
  assert.equal(outbox.next(), null);
  for (let i = 8; i < SEGMENTS_MAX + 10; i++) outbox.segment(message(`s${i}`));
  assert.equal(outbox.size, SEGMENTS_MAX);
  assert.equal(outbox.takeOverflow(), 10);
  assert.equal(outbox.takeOverflow(), 0);
  assert.equal(outbox.next()?.topic, "s10", "all eight on the way had given way");
  for (let i = 0; i < 20; i++) outbox.reply(message(`r${i}`));
  assert.equal(outbox.takeOverflow(), 4);
  assert.equal(outbox.size, SEGMENTS_MAX + 16);
});
