/** What is read from a serial console, where the kernel speaks into whatever else is said. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Console } from "../../scripts/emulator/console.ts";

/** A shell that echoes what is typed and answers in these pieces, with the marks that the command asked for. */
function shell(...pieces: readonly string[]): Console {
  const console: Console = new Console((typed) => {
    console.take(typed.replace(/\n$/, "\r\n"));
    const mark = /"begin"-([0-9a-f]+);/.exec(typed)?.[1] ?? "";
    for (const piece of pieces) console.take(piece.replaceAll("MARK", mark));
  });
  return console;
}

test("a command's output and exit status, without what was echoed", async () => {
  const answer = await shell("begin-MARK\r\none\r\ntwo\r\nend-MARK:7\r\n# ").run("false");
  assert.deepEqual(answer, { text: "one\ntwo\n", status: 7 });
});

test("the kernel's lines are left out, wherever they cut what is said", async () => {
  const answer = await shell(
    "beg[    1.000000] usb: new\r\nin-MARK\r\non",
    "[   12.345678] agent info x\r",
    "\ne\r\nen",
    "d-MARK:0\r\n",
  ).run("true");
  assert.deepEqual(answer, { text: "one\n", status: 0 });
});

test("once the kernel is quiet, lines like its own are output", async () => {
  const console = shell("begin-MARK\r\n[    1.000000] said before\r\nend-MARK:0\r\n");
  await console.quieten();
  assert.equal((await console.run("cat log")).text, "[    1.000000] said before\n");
});

test("what was waited for before is not found again", async () => {
  const console = new Console(() => {});
  console.take("boot one\r\nboot two\r\n");
  assert.equal((await console.see(/boot (\w+)/))[1], "one");
  assert.equal((await console.see(/boot (\w+)/))[1], "two");
  await assert.rejects(console.see(/boot (\w+)/, 50), {
    name: "Problem",
    message:
      /^\/boot .*the camera's console did not say it; the console's end:\nboot one\nboot two\n$/,
  });
});

test("the end of the machine ends a wait", async () => {
  const console = new Console(() => {});
  const waiting = console.see(/never/);
  console.end("QEMU ended: SIGKILL");
  await assert.rejects(waiting, { name: "Problem", message: /QEMU ended: SIGKILL/ });
});
