import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import protobuf from "protobufjs";

/** Numbers that later versions are promised: a field of this version under one would be read as something else by them. */
const PROMISED: { readonly [message: string]: readonly number[] } = {
  StreamStatus: [12, 13, 14, 15],
  Range: [4],
};

test("the field numbers that later versions of a status take are kept free", async () => {
  const path = new URL("../../../agent/proto/record.proto", import.meta.url);
  const { root } = protobuf.parse(await readFile(path, "utf8"), { keepCase: true });
  for (const [name, numbers] of Object.entries(PROMISED)) {
    const message = root.lookupType(`ocellus.v1.${name}`);
    for (const number of numbers) {
      assert.ok(message.isReservedId(number), `${name}, field ${number}`);
      assert.equal(message.fieldsById[number], undefined);
    }
  }
});
