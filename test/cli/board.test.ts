/** What `ocellus run` shows, without a camera. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ocellus } from "#proto";
import { boardRows, startBoard } from "../../scripts/cli/board.ts";
import type { CameraState } from "../../scripts/owner/talk.ts";

/** What stands on a terminal after these bytes, as far as the board moves its cursor: up, erase, next line. */
function screenAfter(bytes: string): string[] {
  const lines: string[] = [];
  let at = 0;
  // Escape sequences and text between them.
  const [first = "", ...rest] = bytes.split("\u001b[");
  for (const part of [`K${first}`, ...rest]) {
    const [, up, erase, text] = /^(?:(\d+)A|([JK]))(.*)$/s.exec(part) ?? assert.fail(part);
    if (up) at -= Number(up);
    else if (erase === "J") lines.splice(at);
    else lines[at] = "";
    for (const line of (text ?? "").match(/[^\n]+\n?|\n/g) ?? []) {
      lines[at] = (lines[at] ?? "") + line.replace("\n", "");
      if (line.endsWith("\n")) at += 1;
    }
  }
  return lines;
}

test("a message stays above the lines, and none of them is left behind", () => {
  let bytes = "";
  const board = startBoard({ isTTY: true, columns: 80, write: (text) => (bytes += text) });
  const rows = (stages: string): [string, string][] => [
    ["camera", "connected"],
    ["stages", stages],
  ];
  board.show(rows("all well"));
  board.tell("the agent ended (killed by SIGKILL); it is started again");
  board.show(rows("no status yet"));
  board.show(rows("all well"));
  board.tell("the agent ended (exit status 70); it is started again");
  board.show(rows("all well"));
  assert.deepEqual(screenAfter(bytes), [
    "  the agent ended (killed by SIGKILL); it is started again",
    "  the agent ended (exit status 70); it is started again",
    "  camera  connected",
    "  stages  all well",
  ]);
});

test("what the broker kept of an earlier start is not shown for this one; nor is the epoch for a time", () => {
  const { StageName, StageState } = ocellus.v1;
  const stage = { name: StageName.STAGE_CONTROL, state: StageState.STAGE_TROUBLE };
  const secret = ocellus.v1.StatusPrivate.decode(
    ocellus.v1.StatusPrivate.encode({
      stages: [{ ...stage, reason: "The camera was told to stop." }],
    }).finish(),
  );
  const open = ocellus.v1.StatusPublic.decode(new Uint8Array());
  const trusted = {
    ...{ name: "camera", camera: new Uint8Array(16), tenant: "home" },
    ...{ signingKey: new Uint8Array(32), boxKey: new Uint8Array(32) },
  };
  const status = { boot: 1, seq: 9, open, secret, foreign: false };
  const state: CameraState = { trusted, status, connected: false, clock: null };
  const shown = (isStarting: boolean) =>
    boardRows(state, { segments: 2, bytes: 2048, newest_us: null }, isStarting)
      .map((row) => row.join(" "))
      .join("\n");
  assert.match(shown(false), /^camera not connected\n.*told to stop/s);
  assert.match(shown(true), /^camera starting\nstored 2 segments, .*, time not known yet\n/);
  assert.doesNotMatch(shown(true), /stop|1970/);
});
