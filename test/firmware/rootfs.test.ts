/** What stands in the images: the release has no shell, no login and nobody with a password; sizes are within their bounds. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { cacheRoot } from "../../scripts/build/cache.mjs";
import { checkout, ensure } from "../../scripts/build/ensure.mjs";

interface Image {
  readonly directory: string;
  readonly archive: Buffer;
  /** `ls -l` of all files, by path. */
  readonly files: ReadonlyMap<string, string>;
}

const images = new Map<string, Image>();
before(async () => {
  for (const variant of ["release", "dev"]) {
    const directory = await ensure(`firmware-qemu-malta-${variant}`);
    const archive = readFileSync(join(directory, "rootfs.cpio"));
    const args = ["--list", "--verbose", "--numeric-uid-gid", "--quiet"];
    const listed = execFileSync("cpio", args, { input: archive, encoding: "utf8" });
    const files = new Map(
      listed
        .trim()
        .split("\n")
        .map((row) => [row.split(" -> ")[0]?.split(" ").at(-1) ?? "", row]),
    );
    images.set(variant, { directory, archive, files });
  }
});

function image(variant: "release" | "dev"): Image {
  const found = images.get(variant);
  if (found === undefined) throw new Error(`no ${variant}`);
  return found;
}

const content = ({ archive }: Image, path: string) =>
  execFileSync("cpio", ["--extract", "--to-stdout", "--quiet", path], {
    input: archive,
    encoding: "latin1",
  });

const SHELLS = /bin\/(sh|ash|hush|bash|dash|getty|login|sulogin|su|telnetd|passwd)$/;

test("the release image has no shell, no getty and no login; the development image has a shell on the serial line", () => {
  const shells = (variant: "release" | "dev") =>
    [...image(variant).files.keys()].filter((path) => SHELLS.test(path));
  assert.deepEqual(shells("release"), []);
  assert.deepEqual(shells("dev"), ["bin/ash", "bin/sh"]);
  // By busybox's own list of names, of which only links could be missing.
  assert.doesNotMatch(content(image("release"), "bin/busybox"), /\0(ash|sh|getty|login)\0/);
  assert.match(content(image("dev"), "bin/busybox"), /\0ash\0/);
  assert.doesNotMatch(content(image("release"), "etc/inittab"), /^[^#].*(bin\/sh|getty|askfirst)/m);
  assert.match(content(image("dev"), "etc/inittab"), /^ttyS0::respawn:-\/bin\/sh$/m);
});

test("nobody has a password, and there is no file for one", () => {
  for (const variant of ["release", "dev"] as const) {
    for (const line of content(image(variant), "etc/passwd").trim().split("\n"))
      assert.match(line, /^\w+:\*:.*:\/bin\/false$/);
    assert.ok(!image(variant).files.has("etc/shadow"));
  }
});

test("names of the board are filled in, and no line of init needs a shell", () => {
  for (const path of ["etc/inittab", "etc/fstab"]) {
    const lines = content(image("release"), path)
      .split("\n")
      .filter((line) => !line.startsWith("#"));
    assert.ok(lines.length > 3);
    for (const line of lines) {
      assert.doesNotMatch(line, /@/);
      // busybox's init hands a line with one of these to a shell, which is not there.
      if (path === "etc/inittab") assert.doesNotMatch(line, /[~`!$^&*()=|\\{}[\];"'<>?]/);
    }
  }
  assert.match(content(image("release"), "etc/inittab"), /--queue-bytes 8388608 /);
});

test("programs are there, of root, and nothing in the image is another user's or writable for others", () => {
  const { files } = image("release");
  for (const path of [
    "bin/ocellus-camera",
    "bin/ocellus-canned",
    "sbin/ocellus-config",
    "sbin/ocellus-dhcp",
    "sbin/ocellus-supervise",
  ])
    assert.match(files.get(path) ?? "", /^-rwxr-xr-x +1 0 +0 /, path);
  // In the way of an agent whose config could not be mounted.
  assert.match(files.get("config/state") ?? "", /^-rw-r--r-- +1 0 +0 /);
  for (const [path, row] of files) assert.match(row, /^(l\S+|.{8}-.) +\d+ 0 +0 /, path);
  assert.match(files.get("dev/console") ?? "", /^crw------- +1 0 +0 +5, +1 /);
});

test("the release image is within the most a slot may have, and the kernel's placeholder is gone from it", () => {
  const { directory } = image("release");
  const sizes = JSON.parse(readFileSync(join(directory, "sizes.json"), "utf8"));
  const slot = readFileSync(join(directory, "slot.uimage"));
  assert.equal(sizes.slot_bytes, slot.length);
  assert.ok(slot.length <= 3_686_400);
  const kernel = execFileSync("xz", ["--format=lzma", "--decompress", "--stdout"], {
    input: slot.subarray(64),
    maxBuffer: 64 << 20,
  });
  assert.equal(kernel.indexOf("ocellus: room for the initramfs"), -1);
  assert.ok(kernel.includes(image("release").archive));
});

test("nothing in the images names the place where they were built", () => {
  for (const variant of ["release", "dev"] as const) {
    const { directory, archive } = image(variant);
    const slot = readFileSync(join(directory, "slot.uimage"));
    const kernel = execFileSync("xz", ["--format=lzma", "--decompress", "--stdout"], {
      input: slot.subarray(64),
      maxBuffer: 64 << 20,
    });
    const flash = readFileSync(join(directory, "flash.bin"));
    for (const [what, bytes] of Object.entries({ archive, kernel, flash }))
      for (const place of [cacheRoot(), checkout])
        assert.ok(!bytes.includes(place), `${variant}: ${what} names ${place}`);
  }
});
