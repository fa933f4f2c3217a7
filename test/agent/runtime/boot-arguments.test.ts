import assert from "node:assert/strict";
import { test } from "node:test";
import { ocellus } from "#proto";
import { statusView } from "../../../agent/control/view.ts";
import { bootArguments } from "../../../agent/runtime/boot-arguments.ts";
import { DEFAULT_SETTINGS } from "../../../agent/settings/settings.ts";
import { createDouble } from "../double/double.ts";

const { SLOT_A, SLOT_B, SLOT_UNKNOWN } = ocellus.v1.Slot;

test("the bootloader's words are found among the kernel's own", () => {
  const found = (line: string) => Object.fromEntries(bootArguments(line));
  const line = "console=ttyS0 panic=5 mem=64M ocellus.slot=a ocellus.trial=1f ocellus.attempt=2";
  assert.deepEqual(found(line), { slot: "a", trial: "1f", attempt: "2" });
  assert.deepEqual(found(`${line}\n`), found(line));
  assert.deepEqual(found(""), {});
  assert.deepEqual(found("slot=a xocellus.slot=a ocellus.slot ocellusXslot=b"), {});
  assert.deepEqual(found("ocellus.slot= ocellus.x=a=b"), { slot: "", x: "a=b" });
  assert.deepEqual(found("ocellus.slot=a ocellus.slot=b"), { slot: "b" });
  assert.deepEqual(found('dyndbg="x ocellus.slot=b" ocellus.slot=a'), { slot: "a" });
  assert.deepEqual(found("ocellus.slot=a -- ocellus.slot=b"), { slot: "a" });
  assert.deepEqual(found("ocellus.__proto__=b ocellus.slot=a").slot, "a");
});

test("status says which image runs, from which slot", () => {
  const open = (options: { image?: string; commandLine?: string }) => {
    const { native } = createDouble({ options });
    const camera = {
      ...{ pairing: 0, claim: null, recipientsVersion: 0, recipientsHash: new Uint8Array() },
      ...{ settings: DEFAULT_SETTINGS, pipeline: null },
    };
    const around = {
      ...{ nowUs: 1, connection: 1, control: {}, access: {} },
      ...{ options: native.options, usage: native.usage() },
    };
    const { image, slot } = statusView(camera, around).open;
    return { image, slot };
  };
  const image = "ocellus 0.1.0+0123abcd";
  assert.deepEqual(open({}), { image: "", slot: SLOT_UNKNOWN });
  assert.deepEqual(open({ image, commandLine: "ocellus.slot=a" }), { image, slot: SLOT_A });
  assert.deepEqual(open({ image, commandLine: "ocellus.slot=b" }), { image, slot: SLOT_B });
  assert.deepEqual(open({ commandLine: "ocellus.slot=c" }), { image: "", slot: SLOT_UNKNOWN });
  assert.equal(open({ image: "x".repeat(4_096) }).image?.length, 64);
});
