/** Boards are data: each is what the schema says, and a wrong one is named with its place. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { boardNames, readBoard } from "../../scripts/board/board.mjs";
import { checkout } from "../../scripts/build/ensure.mjs";
import { treeWith } from "./tree.ts";

const GOOD = {
  vendor: "acme",
  model: "one",
  description: "A camera of the tests.",
  encoder: "canned",
  queue_bytes: 262_144,
};

test("every board of the tree is read, and the host processes are one", () => {
  const names = boardNames(checkout);
  assert.ok(names.includes("host/process"));
  for (const name of names) assert.equal(typeof readBoard(checkout, name).queue_bytes, "number");
});

test("a board of the right shape is taken as it stands", (t) => {
  assert.deepEqual(readBoard(treeWith(t, JSON.stringify(GOOD)), "acme/one"), GOOD);
});

for (const [what, board, says] of [
  ["an unknown field", { ...GOOD, gpio: 1 }, /board\.json: "gpio" is no field/],
  ["a missing field", { ...GOOD, encoder: undefined }, /required property 'encoder'/],
  ["a queue too small", { ...GOOD, queue_bytes: 262_143 }, /queue_bytes: must be >= 262144/],
  ["a queue of text", { ...GOOD, queue_bytes: "8M" }, /queue_bytes: must be integer/],
  ["an encoder that does not exist", { ...GOOD, encoder: "magic" }, /encoder: must be equal/],
  ["another's name", { ...GOOD, model: "two" }, /says that it is acme\/two/],
] as const) {
  test(`a board with ${what} is refused with its place`, (t) => {
    const root = treeWith(t, JSON.stringify(board));
    assert.throws(() => readBoard(root, "acme/one"), { name: "Problem", message: says });
  });
}

test("a board file that is no JSON, and a board that is none, are told in a sentence", (t) => {
  const root = treeWith(t, "{");
  assert.throws(() => readBoard(root, "acme/one"), { name: "Problem", message: /is no JSON/ });
  assert.throws(() => readBoard(root, "acme/two"), {
    name: "Problem",
    message: 'there is no board "acme/two"; there are: acme/one.',
  });
});

test("the schema's bounds of the queue are those of the agent", () => {
  const schema = JSON.parse(
    readFileSync(join(checkout, "buildroot/board/board.schema.json"), "utf8"),
  );
  const options = readFileSync(join(checkout, "native/host/options.c"), "utf8");
  const bound = (name: string) => {
    const [, base, shift] =
      new RegExp(`#define ${name} \\((\\d+)u << (\\d+)\\)`).exec(options) ?? [];
    return Number(base) * 2 ** Number(shift);
  };
  const { minimum, maximum } = schema.properties.queue_bytes;
  assert.equal(minimum, bound("QUEUE_BYTES_MIN"));
  assert.equal(maximum, bound("QUEUE_BYTES_MAX"));
});
