/**
 * What a store really refuses a camera, found out with the camera's own credentials before it gets them; and whether a broker
 * lets somebody in.
 */
import type { BrokerAccess } from "../../agent/identity/access.ts";
import { toHex } from "../../agent/identity/encoding.ts";
import { cameraPrefix } from "../../agent/seal/names.ts";
import { Problem } from "../build/problem.mjs";
import { connectBroker } from "./broker.ts";
import { random } from "./crypto.ts";
import type { Store } from "./store.ts";

/** One sentence for each right that a thief of the camera's credentials would have too many. */
export type Warning = string;

/**
 * Puts a small object twice, once more without the condition, and one under another camera's prefix.
 * Throws Problem where even the first put fails: the camera could store nothing.
 * @param asCamera opened with the camera's access, which the caller closes.
 * @param asOwner removes what was put.
 */
export async function probeStore(
  asCamera: Store,
  asOwner: Store,
  tenant: string,
  camera: Uint8Array,
): Promise<Warning[]> {
  const warnings: Warning[] = [];
  const own = `${cameraPrefix(tenant, camera)}probe/${toHex(random(8))}`;
  const foreign = `${cameraPrefix(tenant, random(16))}probe/${toHex(random(8))}`;
  const put: string[] = [];
  const bytes = new TextEncoder().encode("ocellus pair was here\n");
  try {
    await asCamera.putNew(own, bytes);
    put.push(own);
    if ((await asCamera.putNew(own, bytes)) === "put") {
      warnings.push(
        "the store ignores If-None-Match: whoever has the camera's credentials can overwrite its footage.",
      );
    } else if ((await asCamera.put(own, bytes)) === "put") {
      warnings.push(
        "the store lets the camera's credentials overwrite footage by leaving out If-None-Match; forbid that in the bucket's policy, or switch versioning on.",
      );
    }
    if ((await asCamera.put(foreign, bytes)) === "put") {
      put.push(foreign);
      warnings.push(
        "the camera's credentials can write outside its own prefix; restrict them in the bucket's policy.",
      );
    }
    return warnings;
  } finally {
    for (const name of put) await asOwner.remove(name).catch(() => undefined);
  }
}

/**
 * Connects to a broker with somebody's access, and disconnects. Throws Problem that says whose access fails, and whether for
 * the authority, the host name, the credentials, or because the broker is out of reach.
 */
export async function probeBroker(whose: "camera" | "owner", access: BrokerAccess): Promise<void> {
  try {
    const broker = await connectBroker(access, () => undefined);
    await broker.close();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    throw new Problem(`with the ${whose}'s access, ${error.message}`);
  }
}
