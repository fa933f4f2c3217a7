/** Two whole builds of one state of the sources: test/firmware/two-builds.test.ts has kernel, bootloader and libraries from the first. */
import { ensure } from "../../scripts/build/ensure.mjs";
import { buildElsewhere, digests } from "../firmware/support/elsewhere.ts";
import type { Proof } from "./proof.ts";

const IMAGES = ["firmware-qemu-malta-release", "firmware-qemu-malta-dev"];
/** Unpacked, as they came from Debian and by their pinned checksums. */
const TAKEN = /^source-/;

export const twoBuilds: Proof = {
  name: "two-builds",
  shows: "two builds give the same images, the second from an empty cache in another place",
  minutes: 15,
  async run(directory) {
    let files = 0;
    const others: string[] = [];
    const elsewhere = await buildElsewhere(directory, IMAGES, (name) => TAKEN.test(name));
    for (const [index, image] of IMAGES.entries()) {
      const first = digests(await ensure(image));
      const second = digests(elsewhere[index] ?? "");
      files += Object.keys(first).length;
      const names = new Set([...Object.keys(first), ...Object.keys(second)]);
      for (const name of names) if (first[name] !== second[name]) others.push(`${image}/${name}`);
    }
    return {
      fault: others.length === 0 ? null : `these differ: ${others.join(", ")}.`,
      measured: `${files} files of ${IMAGES.join(" and ")}`,
    };
  },
};
