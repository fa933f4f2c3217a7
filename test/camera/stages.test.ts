/** What is told of an emulated camera, by what its console says. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Stages } from "../../scripts/camera/stages.ts";

/** Tells a camera's story; a number lets so many milliseconds pass, "!" begins an event. @returns what was told. */
function told(story: readonly (string | number)[]): string[] {
  const lines: string[] = [];
  let now_ms = 5_000;
  const stages = new Stages(
    (line) => lines.push(line),
    () => now_ms,
  );
  stages.powerOn();
  for (const one of story) {
    if (typeof one === "number") now_ms += one;
    else if (one.startsWith("!")) stages.event({ event: one.slice(1), data: {} });
    else if (one.startsWith("segment ")) stages.segment(Number(one.slice(8)));
    else stages.line(one);
  }
  return lines;
}

const BOOT = [
  "U-Boot 2025.01 (Jun 24 2026 - 09:07:15 +0000)",
  900,
  "[    0.000000] Linux version 6.1.192 (ocellus@build) (mipsel-linux-gnu-gcc (Debian 12.2.0-14) 12.2.0)",
  1_000,
  "[    0.549448] supervise this start's reason: power",
  // The shell of a development image may have said something before it on the line.
  "# [    0.563363] supervise agent started: power",
];

test("each stage is told once, with the seconds since power-on", () => {
  const story = [
    ...[300, ...BOOT, 500],
    "[    1.814613] agent info Provisioned. Waiting for the owner to adopt this camera.",
    "[    1.864613] agent info Connected to the broker.",
    "[    1.914613] agent info Adopted: this camera is paired and records.",
    "[    1.957642] agent info capture: all is well.",
    ...[4_000, "segment 1", "segment 1"],
    "[   71.864613] agent info Connected to the broker.",
    "[   71.957642] agent info capture: all is well.",
  ];
  assert.deepEqual(told(story), [
    "  0.0 s  power on",
    "  0.3 s  U-Boot 2025.01",
    "  1.2 s  Linux 6.1.192",
    "  2.2 s  agent started",
    "  2.7 s  provisioned from its card",
    "  2.7 s  connected to the broker",
    "  2.7 s  paired",
    "  2.7 s  recording",
    "  6.7 s  first sealed segment in the store",
  ]);
});

test("a reset is told at once, then why; its stages are counted from it", () => {
  const story = [
    ...[...BOOT, 8_000, "segment 7", 60_000, "!WATCHDOG", "!RESET"],
    ...[...BOOT.slice(0, 4), "[    0.549448] supervise this start's reason: watchdog reset"],
    "[    0.563363] supervise agent started: watchdog reset",
    ...[4_000, "segment 8"],
  ];
  assert.deepEqual(told(story).slice(4), [
    "  9.9 s  first sealed segment in the store",
    "the hardware watchdog was not fed and resets the camera",
    "  0.0 s  the camera restarts",
    "  0.0 s  U-Boot 2025.01",
    "  0.9 s  Linux 6.1.192",
    "why it restarted: watchdog reset",
    "  1.9 s  agent started",
    "  5.9 s  first sealed segment in the store",
  ]);
});

test("a panic, a process that ends, one that hangs, and what the agent calls an error are told in words", () => {
  const story = [
    "[   12.000000] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000009",
    "[   12.000000] supervise agent is stopped: hung: no sign of life for 20 s",
    "[   12.000000] supervise agent is killed: it does not end",
    "[   12.000000] supervise agent ended: SIGKILL; it starts again in 500 ms",
    "[   12.000000] supervise encoder ended: exit status 2; it starts again in 1000 ms",
    "[   12.000000] supervise encoder is stopped: hung: the agent gets no pictures",
    "[   12.000000] supervise agent ended: exit status 76",
    '[   12.000000] agent error The state file "access" cannot be used.',
    "[   12.000000] agent warning capture: No pictures: the encoder says that its footage is over.",
  ];
  assert.deepEqual(told(story).slice(1), [
    "the kernel panics: Attempted to kill init! exitcode=0x00000009",
    "the agent is stopped: hung: no sign of life for 20 s",
    "the agent is killed: it does not end",
    "the agent ended: SIGKILL; it starts again in 500 ms",
    "the encoder ended: exit status 2; it starts again in 1000 ms",
    "the encoder is stopped: hung: the agent gets no pictures",
    "the agent has the camera restarted",
    'the agent: The state file "access" cannot be used.',
  ]);
});
