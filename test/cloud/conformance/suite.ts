/**
 * The conformance suite: the same expectations, from AWS's documents, of any store a camera may meet.
 * A further store is a further `Target`; another way of being a camera is a further `CameraDriver`.
 */
import { after, before, describe } from "node:test";
import { cameraSuite } from "./camera.ts";
import type { CameraDriver } from "./driver.ts";
import { ownerSuite } from "./owner.ts";
import { signatureSuite } from "./signature.ts";
import { DIFFERENCES, type Target } from "./target.ts";

/** Registers the whole suite for a store that `start` brings up. */
export function conformance(
  name: string,
  start: () => Promise<Target>,
  drivers: readonly CameraDriver[],
): void {
  describe(name, { timeout: 240_000 }, () => {
    let started: Target | undefined;
    const target = (): Target => {
      if (!started) throw new Error(`${name} is not up`);
      return started;
    };
    before(async () => {
      started = await start();
      for (const difference of started.differences) {
        console.log(`${name} differs: ${difference}: ${DIFFERENCES[difference]}`);
      }
    });
    after(() => started?.stop());
    for (const driver of drivers) {
      describe(`camera, played by ${driver.name}`, () => cameraSuite(target, driver));
    }
    describe("owner", () => ownerSuite(target));
    describe("signatures", () => signatureSuite(target));
  });
}
