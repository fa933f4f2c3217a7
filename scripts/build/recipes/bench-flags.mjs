/** What the benchmark's recipes share: the camera's variant and how our own C is compiled. */
import { variants } from "./variants.mjs";

const found = variants.find((variant) => variant.name === "mipsel");
if (found === undefined) throw new Error("there is no variant mipsel");

/** The camera's processor: everything that is counted is built this way. */
export const mipsel = found;

/** For C of ours. */
export const OWN = ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-Wshadow", "-Wconversion"];
