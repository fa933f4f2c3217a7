/** The cameras' kernel is 3.10: nothing may rest on a system call that came later. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { run, scratch } from "./support/camera.ts";

test("without the system calls that came after Linux 3.10 all goes on as usual", async (t) => {
  const old = join(scratch(t), "linux310");
  execFileSync("gcc", ["-o", old, join(import.meta.dirname, "linux310.c")]);
  const camera = await run(t, { variant: "host", under: [old] }, (native, _given, { out, hex }) => {
    native.setDeviceSeed(new Uint8Array(32).fill(1));
    const epoch = native.openEpoch([native.boxKeypair().publicKey]);
    if ("error" in epoch) throw new Error(epoch.text);
    const record = native.sealRecord(
      epoch,
      { stream: 0, boot: 1, epoch: 1, seq: 1 },
      new Uint8Array(9),
    );
    epoch.close();
    const drawn = [native.random(32), native.random(32), record.commitment].map(hex);
    const { port, host } = { port: 1, host: "invalid." };
    const to = { host, port, caPem: "", timeoutMs: 5000 };
    const connection = native.connect(to, {
      open: () => undefined,
      data: () => undefined,
      drain: () => undefined,
      closed(error) {
        out("result", { drawn, error: error?.error, reason: native.usage().rssBytes > 0 });
        connection.close();
        native.exit(0);
      },
    });
  });
  const { drawn, ...rest } = camera.result<{ drawn: string[] }>("result");
  assert.equal(new Set(drawn).size, 3);
  assert.deepEqual(rest, { error: "tls-certificate-untrusted", reason: true });
});
