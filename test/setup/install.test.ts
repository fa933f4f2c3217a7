/**
 * install.sh, which runs as root: what it does to the machine and leaves on it. Here it runs with a
 * policy-rc.d elsewhere and with stand-ins for apt and systemd that write down how they were called.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmodSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { makeScratch } from "./support/scratch.ts";

const INSTALL = fileURLToPath(new URL("../../scripts/setup/install.sh", import.meta.url));
/** What the script writes into a policy of its own. */
const MARK = "# written by the set-up of ocellus while it installs packages; safe to remove";

interface Machine {
  /** Shell text of apt-get; `$1` is its command. Default: a package comes with a service. */
  apt?: string;
  /** Contents of policy-rc.d beforehand; without it there is none. */
  policy?: string;
}

interface Outcome {
  status: number;
  /** Calls of the stand-ins, in order, without options. */
  calls: string[];
  /** policy-rc.d as apt saw it during the installation. */
  during: string | undefined;
  /** policy-rc.d afterwards. */
  after: string | undefined;
}

async function install(t: TestContext, machine: Machine): Promise<Outcome> {
  const scratch = makeScratch(t);
  const place = (name: string) => join(scratch.root, name);
  const read = (name: string) =>
    existsSync(place(name)) ? readFileSync(place(name), "utf8") : undefined;
  const tool = (name: string, text: string) => {
    scratch.write(`bin/${name}`, `#!/bin/sh\ncd "${scratch.root}"\n${text}\n`);
    chmodSync(place(`bin/${name}`), 0o755);
  };
  const note = (name: string) => `echo "${name} $*" >>calls`;
  scratch.write("enabled", "old.service enabled enabled\n");
  tool(
    "apt-get",
    `echo "apt-get $1" >>calls; cp policy during 2>/dev/null\n` +
      (machine.apt ?? 'echo "new.service enabled enabled" >>enabled'),
  );
  tool("systemctl", `case $1 in list-unit-files) cat enabled ;; *) ${note("systemctl")} ;; esac`);
  tool("update-rc.d", note("update-rc.d"));
  tool("dpkg", "");
  if (machine.policy !== undefined) scratch.write("policy", machine.policy);
  const env = {
    PATH: `${place("bin")}:/usr/bin:/bin`,
    OCELLUS_POLICY_RC_D: place("policy"),
  };
  const status = await new Promise<number>((resolve) => {
    execFile("sh", [INSTALL, "some-package"], { env }, (error) =>
      resolve(error === null ? 0 : Number(error.code)),
    );
  });
  const calls = (read("calls") ?? "").trimEnd().split("\n");
  return { status, calls, during: read("during"), after: read("policy") };
}

test("nothing is started during an installation, and what it enabled is disabled", async (t) => {
  const { status, calls, during, after } = await install(t, {});
  assert.equal(status, 0);
  assert.deepEqual(calls, ["apt-get install", "systemctl disable --quiet new.service"]);
  assert.match(during ?? "", /^exit 101$/m);
  assert.equal(after, undefined);
});

test("the machine's own policy stays as it is", async (t) => {
  const policy = "#!/bin/sh\nexit 0\n";
  const { during, after } = await install(t, { policy });
  assert.equal(during, policy);
  assert.equal(after, policy);
});

test("a policy that a killed set-up left behind goes", async (t) => {
  const { after } = await install(t, { policy: `#!/bin/sh\n${MARK}\nexit 101\n` });
  assert.equal(after, undefined);
});

test("the lists are fetched only if it does not go without, and then it is tried once more", async (t) => {
  const apt = "case $1 in update) touch lists ;; *) [ -e lists ] ;; esac";
  const { status, calls } = await install(t, { apt });
  assert.equal(status, 0);
  assert.deepEqual(calls, ["apt-get install", "apt-get update", "apt-get install"]);
});

test("a failed installation is a failure, and it too leaves nothing enabled or behind", async (t) => {
  const apt = 'echo "half.service enabled enabled" >enabled; exit 100';
  const { status, calls, after } = await install(t, { apt });
  assert.equal(status, 100);
  assert.equal(calls.at(-1), "systemctl disable --quiet half.service");
  assert.equal(after, undefined);
});
