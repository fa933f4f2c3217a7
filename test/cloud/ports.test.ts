/** Ports for servers that cannot take any free one by themselves: nobody else gets them meanwhile. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { freePort, holdPort } from "../../scripts/cloud/ports.ts";

const ANY = "127.0.0.1";

test("they lie below those of outgoing connections, and none is given twice", async () => {
  const range = await readFile("/proc/sys/net/ipv4/ip_local_port_range", "utf8");
  const ports = await Promise.all(Array.from({ length: 50 }, () => freePort(ANY)));
  for (const port of ports) assert.ok(port > 1024 && port < Number.parseInt(range, 10), `${port}`);
  assert.equal(new Set(ports).size, ports.length);
});

test("one that a server listens on, or that is given already, is passed over", async () => {
  const [taken, given] = [await freePort(ANY), await freePort(ANY)];
  const server = createServer().listen(taken, ANY);
  await once(server, "listening");
  const candidates = [taken, given];
  const port = await freePort(ANY, (lowest) => candidates.shift() ?? lowest + 1);
  assert.deepEqual(candidates, []);
  assert.ok(port !== taken && port !== given);
  server.close();
});

test("a process holds its ports against others for as long as it lives", async (t) => {
  const module = fileURLToPath(new URL("../../scripts/cloud/ports.ts", import.meta.url));
  const text = `import { freePort } from ${JSON.stringify(module)};
    console.log(await freePort("${ANY}")); setInterval(() => {}, 1e6);`;
  const other = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", text], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => other.kill("SIGKILL"));
  const [line] = await once(other.stdout, "data");
  const port = Number(line);
  assert.equal(await holdPort(port), false);
  other.kill("SIGKILL");
  await once(other, "close");
  assert.equal(await holdPort(port), true);
});
