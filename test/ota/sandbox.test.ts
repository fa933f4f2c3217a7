/** The boot script in U-Boot's sandbox build: every state of the table, what is left over in an environment, and the judge itself. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Sandbox } from "../../ota/sim/sandbox.ts";
import type { SlotContent } from "../../ota/sim/slots.ts";
import { readFirmware } from "../../scripts/board/board.mjs";
import { environment } from "../../scripts/board/bootloader.mjs";
import { checkout } from "../../scripts/build/ensure.mjs";
import { decisions } from "./support/decisions.ts";
import { consumedAt, judged } from "./support/judged.ts";
import { pattern, record } from "./support/records.ts";

const sandbox = await Sandbox.start();
after(() => sandbox.stop());

for (const decision of decisions)
  test(`${decision.what}`, async () => {
    const boot = await judged(sandbox, decision);
    for (const block of ["a", "b"] as const) {
      const left = Buffer.from(decision.state.journal[block]);
      if (decision.consumed?.block === block)
        left.writeUInt32LE(pattern("attempt"), consumedAt(decision.consumed));
      assert.deepEqual(Buffer.from(boot.journal[block]), left);
    }
  });

test("the names of the states are all different", () => {
  assert.equal(new Set(decisions.map(({ what }) => what)).size, decisions.length);
});

const firmware = readFirmware(checkout, "qemu/malta");

test("Linux is told the slot, and of a trial its generation and attempt, after its other arguments", async () => {
  const journal = { a: record(0xbeef, "b", { armed: true, attempts: [true] }), b: Buffer.alloc(0) };
  const boot = await sandbox.boot({ journal, slots: { a: "valid", b: "valid" } });
  const others = environment(firmware).get("linux_arguments");
  const trial = "ocellus.slot=b ocellus.trial=beef ocellus.attempt=2";
  assert.equal(boot.arguments, `${others} mem=64M ${trial}`);
});

test("the fallback's arguments say nothing of the trial", async () => {
  const journal = { a: record(1, "b", { armed: true }), b: Buffer.alloc(0) };
  const boot = await sandbox.boot({ journal, slots: { a: "valid", b: "data bad" } });
  assert.match(boot.arguments, /ocellus\.slot=a *$/);
});

test("three attempts are consumed one after the other, and then the primary starts", async () => {
  let journal = { a: record(1, "b", { armed: true }), b: Buffer.alloc(0) };
  const started: unknown[] = [];
  for (const _ of [1, 2, 3, 4]) {
    const boot = await sandbox.boot({ journal, slots: { a: "valid", b: "valid" } });
    if (boot.ended.outcome === "started") started.push(boot.ended.trial?.attempt ?? "primary");
    journal = { a: Buffer.from(boot.journal.a), b: Buffer.from(boot.journal.b) };
  }
  assert.deepEqual(started, [1, 2, 3, "primary"]);
});

test("whatever else a stored environment holds, every decision is the same", async (t) => {
  // Names that the script uses, of the shell and of bootm.
  const names = ["verify", "n", "trial", "trial_arguments", "confirmed", "newest", "newest_at"];
  const more = ["newest_slot", "primary", "slot", "owner", "at", "field", "top", "generation"];
  const rest = [
    "armed",
    "failed",
    "lost",
    "offset",
    "attempt_at",
    "flash",
    "bootargs",
    "autostart",
  ];
  for (const value of ["n", "b", "7fffffff", "81000000; reset", ""]) {
    const left = [...names, ...more, ...rest].map((name) => [name, value] as const);
    const variables = new Map([...left, ...environment(firmware)]);
    const dirty = await Sandbox.start({ firmware, variables });
    t.after(() => dirty.stop());
    for (const decision of decisions) await judged(dirty, decision);
  }
});

const SAYS: Record<Exclude<SlotContent, "unreadable">, RegExp> = {
  valid: /Verifying Checksum \.\.\. OK.*started slot b/s,
  erased: /Wrong Image Type for bootm command/,
  "header bad": /Bad Header Checksum/,
  "data bad": /Verifying Checksum \.\.\. Bad Data CRC/,
  undecompressable: /Verifying Checksum \.\.\. OK.*Must RESET board to recover/s,
  "other architecture": /Unsupported Architecture 0x2/,
  "no kernel": /Wrong Image Type for bootm command/,
};

for (const [content, says] of Object.entries(SAYS))
  test(`bootm says what it says on a board, of a slot: ${content}`, async () => {
    const journal = { a: record(1, "b", { confirmed: true }), b: Buffer.alloc(0) };
    const slot = Object.keys(SAYS).find((each): each is keyof typeof SAYS => each === content);
    assert.ok(slot);
    const boot = await sandbox.boot({ journal, slots: { a: "valid", b: slot } });
    assert.match(boot.said, says);
  });

test("a state that was judged is not judged again, whatever is beyond its records", async () => {
  const slots = { a: "valid", b: "valid" } as const;
  const a = record(77, "b", { confirmed: true });
  const before = sandbox.judged;
  for (const b of [
    Buffer.alloc(0),
    Buffer.alloc(1024, 0xff),
    Buffer.alloc(65_536, 0xff).fill(0, 1024),
  ])
    await sandbox.boot({ journal: { a, b }, slots });
  assert.equal(sandbox.judged, before + 1);
});

/** A boot with another script than the board's, over a record in block a. */
async function bootWith(bootcmd: string) {
  const variables = new Map([...environment(firmware), ["bootcmd", bootcmd]]);
  const other = await Sandbox.start({ firmware, variables });
  const journal = { a: record(1, "b", { armed: true }), b: Buffer.alloc(0) };
  try {
    return other.boot({ journal, slots: { a: "valid", b: "valid" } });
  } finally {
    await other.stop();
  }
}

test("a script that ends, or that does not, is told", async () => {
  const { ended } = await bootWith("setenv x");
  assert.deepEqual(ended, { outcome: "stopped", by: "prompt" });
  const loop = await bootWith("while itest 0 == 0; do setenv x; done");
  assert.deepEqual(loop.ended, { outcome: "stopped", by: "loop" });
});

test("a script that turns a 0 into a 1, writes elsewhere, or starts one slot as the other is refused", async () => {
  await assert.rejects(bootWith("mw.l be120000 ffffffff; reset"), /set bits of the flash/);
  await assert.rejects(bootWith("mw.l be100000 0; reset"), /outside of the journal/);
  const other = "ide read 81000000 2000 1c20; setenv bootargs ocellus.slot=a; bootm 81000000";
  await assert.rejects(bootWith(other), /slot b was started as slot a/);
});

test("cp to the flash does as the driver of a chip does: it clears bits, and refuses to set one", async () => {
  const cp = (word: string) => `mw.l 81000000 ${word}; cp.l 81000000 be120024 1`;
  const boot = await bootWith(`${cp("fffffff0")} && ${cp("0f")} || reset`);
  assert.deepEqual(boot.ended, { outcome: "reset", during: "script" });
  const cleared = { before: 0xffff_ffff, after: 0xffff_fff0 };
  assert.deepEqual(boot.writes, [{ block: "a", offset_bytes: 0x24, ...cleared }]);
  assert.match(boot.said, /done\s+Copy to Flash\.\.\. Flash not Erased/);
});
