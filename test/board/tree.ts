/** A checkout with nothing but one board, for tests. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { checkout } from "../../scripts/build/ensure.mjs";

/** A tree with the real schema and one board, acme/one, whose file is `text`. */
export function treeWith(t: TestContext, text: string): string {
  const root = mkdtempSync(join(tmpdir(), "ocellus-board-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const folder = join(root, "buildroot/board");
  mkdirSync(join(folder, "acme/one"), { recursive: true });
  cpSync(join(checkout, "buildroot/board/board.schema.json"), join(folder, "board.schema.json"));
  writeFileSync(join(folder, "acme/one/board.json"), text);
  return root;
}
