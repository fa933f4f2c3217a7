/**
 * A process of its own that changes an owner's state as every command does.
 *
 *   add-camera.ts HOME NAME MILLISECONDS
 *
 * Prints "in" once it is alone, waits, adds an expected camera of that name, and prints "done".
 */
import { setTimeout as sleep } from "node:timers/promises";
import { random } from "../../../scripts/owner/crypto.ts";
import { changeOwner } from "../../../scripts/owner/keystore.ts";
import { withCamera } from "../../../scripts/owner/owner.ts";

const [home = "", name = "", milliseconds = "0"] = process.argv.slice(2);
const askPassphrase = async () => new Uint8Array();

await changeOwner({ home, askPassphrase }, async (owner) => {
  console.log("in");
  await sleep(Number(milliseconds));
  const camera = { name, id: random(16), state: "expected", token: random(32) } as const;
  return [withCamera(owner, camera), undefined];
});
console.log("done");
