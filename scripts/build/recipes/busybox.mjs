/**
 * `busybox-release` and `busybox-dev`: bin/busybox for the camera's processor, static, and busybox.links, the names it answers
 * to; busybox_unstripped, the same with symbols, to look into.
 * The development image's has a shell and tools besides.
 */
import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { configureOnTop, fragmentOf } from "./kconfig.mjs";
import { sourceDate_s } from "./source-date.mjs";
import { JOBS, mapWork, mipsel } from "./variants.mjs";

/** @import { Recipe } from "../recipe.mjs" */

const SOURCE = "source-busybox";

/**
 * @param {"release" | "dev"} variant
 * @returns {Recipe}
 */
export function busybox(variant) {
  const fragments = ["buildroot/board/common/busybox.config"];
  if (variant === "dev") fragments.push("buildroot/board/common/busybox-dev.config");
  return {
    name: `busybox-${variant}`,
    text: fileURLToPath(import.meta.url),
    needs: [SOURCE, ...mipsel.needs],
    files: fragments,
    tools: [...mipsel.tools, "gcc", "make"],
    async build({ root, work, out, need, step }) {
      await step("cp", ["-a", `${need(SOURCE)}/.`, work]);
      // What it says of its age is its source's.
      const date = `SOURCE_DATE_EPOCH=${sourceDate_s(work)}`;
      const make = ["CROSS_COMPILE=mipsel-linux-gnu-", `CC=${mipsel.cc(need)}`, date, JOBS];
      // Its DHCP client is root, and reads what anyone on the network sends.
      const flags = [...mipsel.cflags, "-Os", "-fstack-protector-strong", mapWork(work)].join(" ");
      const made = {
        from: "scripts/build/recipes/busybox.mjs",
        text: `CONFIG_EXTRA_CFLAGS="${flags}"`,
      };
      const texts = fragments.map((file) => fragmentOf(root, file));
      // Its configuration tool is too old for a file of what is wanted.
      await step("make", [...make, "allnoconfig"]);
      const call = { make, target: "oldconfig" };
      await configureOnTop(work, ".config", [...texts, made], call, step);
      await step("make", [...make, "busybox", "busybox.links"]);
      mkdirSync(join(out, "bin"));
      cpSync(join(work, "busybox"), join(out, "bin/busybox"));
      cpSync(join(work, "busybox_unstripped"), join(out, "busybox_unstripped"));
      cpSync(join(work, "busybox.links"), join(out, "busybox.links"));
      cpSync(join(work, ".config"), join(out, "config"));
    },
  };
}
