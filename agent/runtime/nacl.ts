/** tweetnacl looks for a browser's or Node's generator; here it gets the machine's. */
import nacl from "tweetnacl";
import type { Native } from "./native.d.ts";

/** Once, before anything random is asked of tweetnacl. */
export function seedNacl(native: Pick<Native, "random">): void {
  nacl.setPRNG((target, length) => {
    target.set(native.random(length));
  });
}
