/** The provisioning file: found whenever it comes, with the rights the camera has then, and held no longer than needed. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { errorCode } from "../../scripts/build/problem.mjs";
import { AGENT } from "../../scripts/camera/accounts.ts";
import { type Camera, isRoot, scratch, start, type Variant, variants } from "./support/camera.ts";

/** A camera that says each change of what it reads. Once it reads "once" it stops; at "close" it closes the file. */
async function reader(t: TestContext, variant: Variant, file: string): Promise<Camera> {
  return start(t, { variant, args: ["--provision", file] }, (native) => {
    let before = "";
    const look = () => {
      const bytes = native.readProvisioning();
      const text = bytes instanceof Uint8Array ? native.utf8Decode(bytes) : (bytes?.text ?? "none");
      if (text !== before) native.log("info", `read: ${text}.`);
      before = text;
      if (text === "close") {
        native.closeProvisioning();
        native.log("info", `closed: ${native.readProvisioning()}.`);
      }
      if (text !== "once") native.setTimer(5, look);
    };
    look();
  });
}

/** Puts a file in place in one step, readable for the camera or for root alone. */
function put(file: string, text: string, forCamera = true): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  if (isRoot && forCamera) chownSync(`${file}.new`, AGENT.uid, AGENT.gid);
  renameSync(`${file}.new`, file);
}

/** Paths of what a process holds open; only root may look. */
function openFiles(camera: Camera): string[] {
  const directory = `/proc/${camera.child.pid}/fd`;
  return readdirSync(directory).flatMap((fd) => {
    try {
      return [readlinkSync(join(directory, fd))];
    } catch (error) {
      if (errorCode(error) === "ENOENT") return []; // closed since it was listed
      throw error;
    }
  });
}

for (const variant of variants) {
  test(`a file that comes after the start is read, replaced, removed, and read again (${variant})`, async (t) => {
    const file = join(scratch(t), "provision.json");
    const camera = await reader(t, variant, file);
    await camera.said(/read: none/);
    put(file, "first");
    await camera.said(/read: first/);
    put(file, "second");
    await camera.said(/read: second/);
    rmSync(file);
    await camera.said(/read: second.*read: none/s);
    put(file, "third");
    await camera.said(/read: third/);
  });

  test(`on a medium that is mounted later it is found by its path (${variant})`, async (t) => {
    const medium = join(scratch(t), "medium");
    const camera = await reader(t, variant, join(medium, "provision.json"));
    await camera.said(/read: none/);
    mkdirSync(medium);
    put(join(medium, "provision.json"), "first");
    await camera.said(/read: first/);
  });

  test(`after closeProvisioning there is none, whatever lies there (${variant})`, async (t) => {
    const file = join(scratch(t), "provision.json");
    put(file, "close");
    const camera = await reader(t, variant, file);
    await camera.said(/read: close.*closed: null.*read: none/s);
    put(file, "second");
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.doesNotMatch(camera.log, /second/);
  });

  if (!isRoot) continue;

  test(`what root alone may read is read if it lay there at the start, and not if it came later (${variant})`, async (t) => {
    const file = join(scratch(t), "provision.json");
    put(file, "first", false);
    const camera = await reader(t, variant, file);
    await camera.said(/read: first/);
    assert.ok(openFiles(camera).includes(file));
    writeFileSync(file, "written over");
    await camera.said(/read: written over/);
    put(file, "second", false);
    await camera.said(
      new RegExp(`read: cannot read the provisioning file: let user id ${AGENT.uid} `),
    );
    assert.deepEqual(
      openFiles(camera).filter((path) => path.startsWith(file)),
      [],
    );
    chownSync(file, AGENT.uid, AGENT.gid);
    await camera.said(/read: second/);
  });

  test(`a directory that only root may enter is no hindrance to what lay there at the start (${variant})`, async (t) => {
    const directory = join(scratch(t), "private");
    const file = join(directory, "provision.json");
    mkdirSync(directory, { mode: 0o700 });
    put(file, "first", false);
    const camera = await reader(t, variant, file);
    await camera.said(/read: first/);
    put(file, "second", false);
    await camera.said(/read: cannot read/);
    chmodSync(directory, 0o711);
    chownSync(file, AGENT.uid, AGENT.gid);
    await camera.said(/read: second/);
  });

  test(`the file is not held open when its user may read it, nor after closeProvisioning (${variant})`, async (t) => {
    const file = join(scratch(t), "provision.json");
    put(file, "once");
    const camera = await reader(t, variant, file);
    await camera.said(/read: once/);
    assert.ok(!openFiles(camera).includes(file));
    const other = join(scratch(t), "provision.json");
    put(other, "close", false);
    const closing = await reader(t, variant, other);
    await closing.said(/closed: null/);
    assert.ok(!openFiles(closing).includes(other));
  });

  test(`root opens no file that has another name or is none (${variant})`, async (t) => {
    const directory = scratch(t);
    const [file, secret] = [join(directory, "provision.json"), join(directory, "secret")];
    const plant = [
      () => linkSync(secret, file),
      () => symlinkSync(secret, file),
      () => mkdirSync(file),
      () => execFileSync("mkfifo", ["-m", "600", file]),
    ];
    writeFileSync(secret, "root's", { mode: 0o600 });
    for (const [i, planted] of plant.entries()) {
      planted();
      const camera = await reader(t, variant, file);
      await camera.said(/read: cannot read the provisioning file/);
      const isLink = i === 1;
      const word =
        /provision.json is not opened as root: it is no plain file with one name; put a copy in its place/;
      if (!isLink) assert.match(camera.log, word);
      assert.deepEqual(
        openFiles(camera).filter((path) => path === file || path === secret),
        [],
      );
      assert.doesNotMatch(camera.log, /root's/);
      await camera.stop();
      rmSync(file, { recursive: true });
    }
  });
}
