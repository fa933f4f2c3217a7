/** What root writes for a camera goes where it is meant to go, whatever names others have put in the way. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ensure } from "../../scripts/build/ensure.mjs";
import { AGENT, ENCODER } from "../../scripts/camera/accounts.ts";
import { HostCamera } from "../../scripts/camera/host.ts";
import { takeOver } from "../../scripts/camera/layout.ts";
import { isRoot, scratch } from "./support/camera.ts";

/** Something of root's that no camera may change. */
function makeVictim(t: TestContext): { directory: string; file: string; assertUntouched(): void } {
  const directory = join(scratch(t), "victim");
  const file = join(directory, "file");
  mkdirSync(directory, { mode: 0o755 });
  writeFileSync(file, "root's", { mode: 0o600 });
  return {
    directory,
    file,
    assertUntouched() {
      assert.deepEqual(readdirSync(directory), ["file"]);
      assert.equal(readFileSync(file, "utf8"), "root's");
      const [inside, itself] = [statSync(file), statSync(directory)];
      assert.deepEqual([inside.uid, inside.mode & 0o777], [process.getuid?.(), 0o600]);
      assert.deepEqual([itself.uid, itself.mode & 0o777], [process.getuid?.(), 0o755]);
    },
  };
}

for (const name of ["", "bin", "encoder", "state"]) {
  test(`a symbolic link in place of the camera's directory "${name}" is refused`, async (t) => {
    const directory = join(scratch(t), "camera");
    const victim = makeVictim(t);
    if (name !== "") mkdirSync(directory);
    symlinkSync(victim.directory, join(directory, name));
    await assert.rejects(HostCamera.create({ directory, variant: "host" }), {
      name: "Problem",
      message: `${join(directory, name)} is no directory of its own; remove it, then run this again.`,
    });
    victim.assertUntouched();
  });
}

test("links in place of the camera's files give way, and are not written through", async (t) => {
  const directory = join(scratch(t), "camera");
  const victim = makeVictim(t);
  mkdirSync(join(directory, "bin"), { recursive: true });
  const names = ["bin/ocellus-camera", "bin/agent.bin", "clip.h264", "provision.json"];
  for (const name of names) {
    for (const end of ["", ".new"]) symlinkSync(victim.file, join(directory, `${name}${end}`));
  }
  const host = await HostCamera.create({ directory, variant: "host" });
  t.after(() => host.stop());
  await host.provision("{}");
  await host.startEncoder({
    ...{ clip: join(await ensure("clip-default"), "clip.h264"), args: [], loops: 0 },
  });
  victim.assertUntouched();
  for (const name of names) {
    assert.ok(lstatSync(join(directory, name)).isFile(), name);
    assert.throws(() => lstatSync(join(directory, `${name}.new`)), /ENOENT/);
  }
});

if (isRoot) {
  test("the encoder cannot make root write elsewhere by planting links where its clip goes", async (t) => {
    const directory = join(scratch(t), "camera");
    const victim = makeVictim(t);
    const host = await HostCamera.create({ directory, variant: "host" });
    t.after(() => host.stop());
    const clip = join(await ensure("clip-default"), "clip.h264");
    const as = ["--reuid", `${ENCODER.uid}`, "--regid", `${ENCODER.gid}`, "--clear-groups"];
    const plant = `while :; do ln -s ${victim.file} encoder/clip.h264; done`;
    const planter = spawn("setpriv", [...as, "sh", "-c", plant], {
      cwd: directory,
      stdio: "ignore",
    });
    try {
      for (let i = 0; i < 20; i++) {
        await host.startEncoder({ clip, args: [], loops: 0 });
        await host.stopEncoder();
        victim.assertUntouched();
      }
    } finally {
      planter.kill("SIGKILL");
      await once(planter, "close");
    }
    assert.equal(statSync(join(directory, "clip.h264")).uid, 0);
  });

  test("of what lies in a state directory only plain files with one name are given away", async (t) => {
    const directory = scratch(t);
    const victim = makeVictim(t);
    writeFileSync(join(directory, "seed"), "");
    linkSync(victim.file, join(directory, "linked"));
    symlinkSync(victim.file, join(directory, "symbolic"));
    execFileSync("mkfifo", [join(directory, "fifo")]);
    chownSync(join(directory, "seed"), 65_534, 65_534);
    await takeOver(directory, AGENT);
    victim.assertUntouched();
    assert.equal(statSync(join(directory, "seed")).uid, AGENT.uid);
    for (const name of ["symbolic", "fifo"]) assert.equal(lstatSync(join(directory, name)).uid, 0);
  });
} else {
  console.log(
    "Not root: nothing can be given to other users, so what they could plant is not tested.",
  );
}
