/** QEMU as a process: what it may do, and what is told of its end to those who wait for it or type. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { clipFrom } from "../../scripts/camera/footage.ts";
import { TestedQemu } from "../../scripts/camera/tested-qemu.ts";
import { findProcesses } from "../cli/support/processes.ts";
import { scratch } from "../host/support/camera.ts";
import { Machine } from "./support/machine.ts";

test("QEMU runs in its sandbox, and one that is killed ends a wait; what is typed to it is lost and no more", async (t) => {
  const machine = await Machine.start(t);
  await machine.see(/U-Boot 2025\.01 /);
  // Seccomp with a filter (proc(5)), on which nothing that it is to deny comes to pass.
  assert.match(readFileSync(`/proc/${machine.pid}/status`, "utf8"), /^Seccomp:\t2$/m);
  const waiting = machine.see(/never said/);
  process.kill(machine.pid, "SIGKILL");
  // Dead before this process can hear of it: the pipe is broken when it is written to.
  const dead = () => /\) Z /.test(readFileSync(`/proc/${machine.pid}/stat`, "utf8"));
  while (!dead() || readdirSync(`/proc/${machine.pid}/task`).length > 1);
  machine.type("lost\n");
  await assert.rejects(waiting, { name: "Problem", message: /: QEMU ended: SIGKILL/ });
  machine.type("lost\n");
});

test("the self-test is told when QEMU ends, or it is to stop, while it looks into the camera", async (t) => {
  const directory = scratch(t);
  const camera = await TestedQemu.create({ directory, board: "qemu/malta" }, () => {});
  t.after(() => camera.stop());
  const play = { ...(await clipFrom(undefined, directory, () => {})), loops: 1 };
  await camera.startToRecord(play);
  const stop = new AbortController();
  // The shell is not there yet, so both wait for it.
  const stopped = camera.measure(stop.signal);
  stop.abort();
  await assert.rejects(stopped, { name: "Problem", message: /: stopped; / });
  await camera.stop();
  await camera.startToRecord(play);
  const killed = camera.measure(new AbortController().signal);
  const [qemu] = (await findProcesses(directory, process.pid)).filter(({ command }) =>
    /qemu-system-mipsel /.test(command),
  );
  process.kill(qemu?.pid ?? assert.fail("no QEMU"), "SIGKILL");
  await assert.rejects(killed, { name: "Problem", message: /: QEMU ended \(SIGKILL\); / });
  assert.throws(() => camera.check(), { name: "Problem", message: /^QEMU ended unasked/ });
});
