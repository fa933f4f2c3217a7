/** QMP's lines: answers find their commands, events come in between, and an end is told. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createConnection, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Qmp, type QmpEvent } from "../../scripts/emulator/qmp.ts";

/** A QEMU that has each command answered by `answer`, but that for its capabilities. */
async function connect(
  t: TestContext,
  answer: (socket: Socket, id: number) => void,
): Promise<{ qmp: Qmp; events: QmpEvent[] }> {
  const directory = mkdtempSync(join(tmpdir(), "ocellus-qmp-"));
  const path = join(directory, "qmp");
  const server = createServer((socket) => {
    socket.write('{"QMP": {"version": {}, "capabilities": []}}\r\n');
    socket.on("data", (bytes) => {
      for (const line of bytes.toString().trim().split("\n")) {
        const { execute, id } = JSON.parse(line);
        if (execute === "qmp_capabilities") socket.write(`{"return": {}, "id": ${id}}\r\n`);
        else answer(socket, id);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const events: QmpEvent[] = [];
  const qmp = await Qmp.open(createConnection(path), (event) => events.push(event));
  t.after(() => {
    qmp.close();
    server.close();
    rmSync(directory, { recursive: true, force: true });
  });
  return { qmp, events };
}

test("answers find their commands in any order, cut anywhere, with events in between", async (t) => {
  const ids: number[] = [];
  const { qmp, events } = await connect(t, (socket, id) => {
    ids.push(id);
    if (ids.length < 2) return;
    const [first, second] = ids;
    socket.write(`{"return": "second", "id": ${second}}\r\n{"event": "RE`);
    socket.write(
      `SET", "data": {"guest": true}, "timestamp": {}}\r\n{"return": "first", "id": ${first}}\r\n`,
    );
  });
  assert.deepEqual(await Promise.all([qmp.ask("one"), qmp.ask("two")]), ["first", "second"]);
  assert.deepEqual(events, [{ event: "RESET", data: { guest: true } }]);
});

test("a refusal has QEMU's words", async (t) => {
  const { qmp } = await connect(t, (socket, id) =>
    socket.write(`{"error": {"class": "GenericError", "desc": "no such link"}, "id": ${id}}\r\n`),
  );
  await assert.rejects(qmp.ask("set_link", { name: "x" }), {
    name: "Problem",
    message: "QEMU refuses: no such link",
  });
});

test("what waits is told that QEMU has ended, and what comes later too", async (t) => {
  const { qmp } = await connect(t, (socket) => socket.destroy());
  const ended = { name: "Problem", message: "QEMU has ended." };
  await assert.rejects(qmp.ask("quit"), ended);
  await assert.rejects(qmp.ask("quit"), ended);
});

test("a last line that is cut, or that is none of QMP's, ends it as QEMU's end does", async (t) => {
  for (const line of [
    '{"return": {}, "i',
    '{"event": "RES\r\n',
    "qemu: terminating on signal 15\r\n",
  ]) {
    const { qmp } = await connect(t, (socket) => {
      if (line.endsWith("\n")) socket.write(line);
      else socket.end(line);
    });
    await assert.rejects(qmp.ask("quit"), { name: "Problem", message: "QEMU has ended." }, line);
  }
});
