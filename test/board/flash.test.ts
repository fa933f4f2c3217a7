/** Flash maps and memory of boards that boot by themselves: what would brick or waste one is refused in a sentence. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Chip, type Firmware, readBoard, readFirmware } from "../../scripts/board/board.mjs";
import { findPartition } from "../../scripts/board/flash.mjs";
import { checkout } from "../../scripts/build/ensure.mjs";
import { treeWith } from "./tree.ts";

/** The emulated camera's data under another name, after a change. */
function boardWith(change: (firmware: Firmware) => void): string {
  const text = readFileSync(join(checkout, "buildroot/board/qemu/malta/board.json"), "utf8");
  const board = { ...JSON.parse(text), vendor: "acme", model: "one" };
  change(board.firmware);
  return JSON.stringify(board);
}

const partition = (firmware: Firmware, name: string) => findPartition(firmware, name).partition;

function chip({ chips }: Firmware, index: number): Chip {
  const found = chips[index];
  if (found === undefined) throw new Error(`no chip ${index}`);
  return found;
}

/** Puts a partition on another chip. */
function move(firmware: Firmware, name: string, to: number, offset_bytes: string): void {
  const { chip: from, partition: moved } = findPartition(firmware, name);
  from.partitions = from.partitions.filter((each) => each !== moved);
  chip(firmware, to).partitions.push({ ...moved, offset_bytes });
}

test("the emulated camera's flash is in order, and a board without firmware says so", (t) => {
  const root = treeWith(
    t,
    boardWith(() => undefined),
  );
  assert.equal(readFirmware(root, "acme/one").slots.read_bytes, 3_686_400);
  assert.throws(() => readFirmware(checkout, "host/process"), {
    message: "board host/process has no firmware; there is one for: qemu/malta.",
  });
});

const BAD: Record<string, { change: (firmware: Firmware) => void; says: RegExp }> = {
  "partitions that overlap": {
    change: (firmware) => {
      partition(firmware, "journal-b").offset_bytes = "0x00120000";
    },
    says: /: partitions journal-a and journal-b overlap\.$/,
  },
  "partitions that share an erase block": {
    change: (firmware) => {
      partition(firmware, "journal-a").size_bytes = "0x00008000";
      partition(firmware, "journal-b").offset_bytes = "0x00128000";
    },
    says: /: partitions journal-a and journal-b share an erase block\.$/,
  },
  "a partition that ends within an erase block": {
    change: (firmware) => {
      partition(firmware, "journal-b").size_bytes = "0x00008000";
    },
    says: /: partition journal-b does not begin and end with an erase block of 65536 bytes\.$/,
  },
  "a partition that leaves the chip": {
    change: (firmware) => {
      partition(firmware, "config").offset_bytes = "0x00310000";
    },
    says: /: partition config leaves its chip\.$/,
  },
  "an empty partition": {
    change: (firmware) => {
      partition(firmware, "journal-a").size_bytes = "0x00000000";
    },
    says: /: partition journal-a is empty\.$/,
  },
  "config of seven erase blocks": {
    change: (firmware) => {
      partition(firmware, "config").size_bytes = "0x00070000";
    },
    says: /: partition config has fewer than 8 erase blocks\.$/,
  },
  "a slot shorter than what is read of it": {
    change: (firmware) => {
      partition(firmware, "slot-b").size_bytes = "0x00380000";
    },
    says: /: partition slot-b is shorter than the 3686400 bytes that U-Boot reads of a slot\.$/,
  },
  "one partition for both blocks of the journal": {
    change: (firmware) => {
      firmware.journal.b = "journal-a";
    },
    says: /: both blocks of the journal are one partition\.$/,
  },
  "a journal block that is missing": {
    change: (firmware) => {
      firmware.journal.b = "journal-c";
    },
    says: /: partition journal-c is missing\.$/,
  },
  "a journal block of two erase blocks": {
    change: (firmware) => {
      partition(firmware, "journal-b").offset_bytes = "0x00300000";
      partition(firmware, "journal-b").size_bytes = "0x00020000";
    },
    says: /: partition journal-b is not one erase block\.$/,
  },
  "a journal that is a slot": {
    change: (firmware) => {
      firmware.journal.b = "slot-b";
    },
    says: /: partition slot-b is the journal's and something else's\.$/,
  },
  "a journal in config": {
    change: (firmware) => {
      firmware.journal.a = "config";
    },
    says: /: partition config is the journal's and something else's\.$/,
  },
  "a journal on the disk": {
    change: ({ chips, journal }) => {
      const [, disk] = chips;
      const added = { offset_bytes: "0x00f00000", size_bytes: "0x00010000" };
      disk?.partitions.push({ name: "spare", ...added });
      journal.b = "spare";
    },
    says: /: partition spare lies where U-Boot writes nothing\.$/,
  },
  "a journal that Linux does not write": {
    change: (firmware) => {
      partition(firmware, "journal-a").read_only = true;
    },
    says: /: partition journal-a cannot be written by Linux\.$/,
  },
  "erase blocks too small for the journal's records": {
    change: (firmware) => {
      for (const chip of firmware.chips) chip.erase_bytes = "0x00000200";
      partition(firmware, "journal-a").size_bytes = "0x00000200";
    },
    says: /: an erase block of 1e000000\.flash is shorter than the 1024 bytes of the journal's records\.$/,
  },
  "one partition for both slots": {
    change: (firmware) => {
      firmware.slots.b = "slot-a";
    },
    says: /: both slots are one partition\.$/,
  },
  "a partition that is missing": {
    change: (firmware) => {
      partition(firmware, "env-redundant").name = "spare";
    },
    says: /: partition env-redundant is missing\.$/,
  },
  "a partition that is there twice": {
    change: (firmware) => {
      partition(firmware, "slot-b").name = "slot-a";
    },
    says: /: partition slot-a is there twice\.$/,
  },
  "an environment longer than its partition": {
    change: (firmware) => {
      firmware.environment_bytes = "0x00010001";
    },
    says: /: the environment is longer than partition env\.$/,
  },
  "a chip of parts of erase blocks": {
    change: ({ chips }) => {
      for (const chip of chips) chip.size_bytes = "0x00408000";
    },
    says: /: 1e000000\.flash is no whole number of erase blocks\.$/,
  },
  "ramoops in the memory of Linux": {
    change: ({ memory }) => {
      memory.ramoops.physical_address = "0x03ff0000";
    },
    says: /: ramoops lies in the memory of Linux, below mem_bytes\.$/,
  },
  "a slot that is read over ramoops": {
    change: ({ memory }) => {
      memory.read_address = "0x83f00000";
    },
    says: /: a slot would be read over ramoops\.$/,
  },
  "a slot that is read to where the kernel goes": {
    change: ({ memory }) => {
      memory.read_address = "0x80200000";
    },
    says: /: a slot would be read to where the kernel of 4194304 bytes is unpacked\.$/,
  },
  "ramoops whose parts do not fit": {
    change: ({ memory }) => {
      memory.ramoops.console_bytes = "0x00020000";
    },
    says: /: the parts of ramoops are longer than its region\.$/,
  },
  "ramoops with a part that is no power of two": {
    change: ({ memory }) => {
      memory.ramoops.record_bytes = "0x00003000";
    },
    says: /: record_bytes of ramoops is no power of two\.$/,
  },
  "ramoops whose region is no power of two": {
    change: ({ memory }) => {
      memory.ramoops.size_bytes = "0x00030000";
    },
    says: /: size_bytes of ramoops is no power of two\.$/,
  },
  "ramoops without a record": {
    change: ({ memory }) => {
      memory.ramoops.record_bytes = "0x00000000";
    },
    says: /: record_bytes of ramoops is no power of two\.$/,
  },
  "ramoops that leaves nothing for what Linux takes besides": {
    change: ({ memory }) => {
      memory.ramoops.size_bytes = "0x00010000";
      memory.ramoops.record_bytes = "0x00008000";
    },
    says: /: the parts of ramoops are longer than its region\.$/,
  },
  "no least memory": {
    change: ({ memory }) => {
      memory.mem_least_bytes = "0x00000000";
    },
    says: /: a kernel of 4194304 bytes at load_address does not lie within mem_least_bytes\.$/,
  },
  "a least memory above the memory": {
    change: ({ memory }) => {
      memory.mem_least_bytes = "0x04000400";
    },
    says: /: mem_least_bytes is more than mem_bytes\.$/,
  },
  "memory that mem= cannot say": {
    change: ({ memory }) => {
      memory.mem_least_bytes = "0x02600001";
    },
    says: /: a size of memory is no whole number of KiB\.$/,
  },
  "a kernel above the memory": {
    change: ({ memory }) => {
      memory.load_address = "0x84100000";
      memory.read_address = "0x85000000";
    },
    says: /: a kernel of 4194304 bytes at load_address does not lie within mem_least_bytes\.$/,
  },
  "a kernel at a physical address": {
    change: ({ memory }) => {
      memory.load_address = "0x00100000";
    },
    says: /: load_address is no address of memory through the cache\.$/,
  },
  "the environment on a disk": {
    change: (firmware) => move(firmware, "env", 1, "0x00e00000"),
    says: /: partition env does not lie on a cfi chip\.$/,
  },
  "the environment's second copy on a disk": {
    change: (firmware) => move(firmware, "env-redundant", 1, "0x00e00000"),
    says: /: partition env-redundant does not lie on a cfi chip\.$/,
  },
  "U-Boot on a disk": {
    change: (firmware) => move(firmware, "u-boot", 1, "0x00e00000"),
    says: /: partition u-boot does not lie on a cfi chip\.$/,
  },
  "the environment on two chips": {
    change: (firmware) => {
      firmware.chips.push({ ...chip(firmware, 0), mtd_name: "other", partitions: [] });
      move(firmware, "env-redundant", 2, "0x00000000");
    },
    says: /: partitions env and env-redundant lie on two chips\.$/,
  },
  "config on a disk": {
    change: (firmware) => move(firmware, "config", 1, "0x00e00000"),
    says: /: partition config does not lie on a cfi chip\.$/,
  },
  "a slot that is no disk's": {
    change: (firmware) => {
      chip(firmware, 0).size_bytes = "0x01000000";
      move(firmware, "slot-b", 0, "0x00400000");
    },
    says: /: partition slot-b does not lie on a disk\.$/,
  },
  "slots on two disks": {
    change: (firmware) => {
      const other = { mtd_name: "other", device: "/dev/sdd", partitions: [] };
      firmware.chips.push({ ...chip(firmware, 1), ...other });
      move(firmware, "slot-b", 2, "0x00000000");
    },
    says: /: the slots lie on two disks\.$/,
  },
  "a U-Boot that Linux can write": {
    change: (firmware) => {
      delete partition(firmware, "u-boot").read_only;
    },
    says: /: partition u-boot is not read_only\.$/,
  },
  "a config that Linux cannot write": {
    change: (firmware) => {
      partition(firmware, "config").read_only = true;
    },
    says: /: partition config is read_only\.$/,
  },
  "a slot that Linux cannot write": {
    change: (firmware) => {
      partition(firmware, "slot-b").read_only = true;
    },
    says: /: partition slot-b is read_only\.$/,
  },
  "two chips of one name": {
    change: (firmware) => {
      chip(firmware, 1).mtd_name = chip(firmware, 0).mtd_name;
    },
    says: /: two chips are called 1e000000\.flash\.$/,
  },
  "a clip on the slots' disk": {
    change: (firmware) => {
      firmware.clip_device = "/dev/sda";
    },
    says: /: \/dev\/sda stands for two disks\.$/,
  },
  "a card that is the clip": {
    change: (firmware) => {
      firmware.card_device = firmware.clip_device;
    },
    says: /: \/dev\/sdb stands for two disks\.$/,
  },
  "an offset that is no hexadecimal text": {
    change: (firmware) => {
      partition(firmware, "env").offset_bytes = "1048576";
    },
    says: /partitions\/2\/offset_bytes: must match pattern/,
  },
  "a disk with a physical address": {
    change: ({ chips }) => {
      for (const chip of chips) chip.physical_address = "0x1e000000";
    },
    says: /firmware\/chips\/1/,
  },
};

for (const [what, { change, says }] of Object.entries(BAD))
  test(`a board with ${what} is refused`, (t) => {
    const root = treeWith(t, boardWith(change));
    assert.throws(() => readBoard(root, "acme/one"), { name: "Problem", message: says });
  });
