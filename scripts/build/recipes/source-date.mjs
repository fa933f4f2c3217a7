/** Times that go into builds: those of the source, so that the same source gives the same bytes. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * @param {string} source unpacked Debian source package
 * @returns {number} seconds since 1970 of its newest entry in the changelog
 */
export function sourceDate_s(source) {
  const text = readFileSync(join(source, "debian/changelog"), "utf8");
  const date = /^ -- .*> {2}(.+)$/m.exec(text)?.[1] ?? "";
  const at_ms = Date.parse(date);
  if (Number.isNaN(at_ms)) throw new Error(`${source} has no dated changelog`);
  return Math.floor(at_ms / 1000);
}
