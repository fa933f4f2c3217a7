/**
 * What a user would run instead of ocellus, for the camera's processor: Debian's own mipsel programs,
 * unpacked below root/ and run with `qemu-mipsel -L root`. Debian 12 is the last release that has
 * that processor. They come by apt from the machine's mirror, under its signature check, with lists
 * and configuration of our own; the machine's apt is not touched.
 */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { machineArchives } from "../../setup/apt.mjs";

/** @import { Recipe } from "../recipe.mjs" */

const SUITE = "bookworm";
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
const PROGRAMS = ["ffmpeg", "openssl", "curl", "dropbear-bin"];

const LIBRARIES = "usr/lib/mipsel-linux-gnu";
/** Large, and loaded by graphics drivers only. */
const UNUSED = ["usr/share", `${LIBRARIES}/dri`, `${LIBRARIES}/vdpau`];
const UNUSED_LIBRARIES = /^lib(LLVM|z3)/;

/** @type {Recipe} */
export const benchPrograms = {
  name: "bench-programs",
  text: fileURLToPath(import.meta.url),
  async build({ work, out, step }) {
    const { main } = await machineArchives();
    const archives = join(work, "cache/archives");
    mkdirSync(join(work, "lists/partial"), { recursive: true });
    mkdirSync(join(archives, "partial"), { recursive: true });
    writeFileSync(join(work, "status"), "");
    writeFileSync(
      join(work, "sources.list"),
      `deb [arch=mipsel signed-by=${KEYRING}] ${main} ${SUITE} main\n`,
    );
    const settings = {
      "APT::Architecture": "mipsel",
      "APT::Architectures": "mipsel",
      "APT::Install-Recommends": "false",
      "APT::Sandbox::User": "root",
      "APT::Update::Error-Mode": "any",
      "Dir::State": work,
      "Dir::State::lists": join(work, "lists"),
      "Dir::State::status": join(work, "status"),
      "Dir::Cache": join(work, "cache"),
      "Dir::Etc::sourcelist": join(work, "sources.list"),
      "Dir::Etc::sourceparts": "/dev/null",
    };
    const options = Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
    await step("apt-get", [...options, "update"]);
    await step("apt-get", [...options, "--yes", "--download-only", "install", ...PROGRAMS]);
    const root = join(out, "root");
    for (const file of readdirSync(archives).filter((name) => name.endsWith(".deb"))) {
      await step("dpkg-deb", ["--extract", join(archives, file), root]);
    }
    for (const file of readdirSync(join(root, LIBRARIES)).filter((n) => UNUSED_LIBRARIES.test(n))) {
      rmSync(join(root, LIBRARIES, file));
    }
    for (const path of UNUSED) rmSync(join(root, path), { recursive: true, force: true });
  },
};
