/**
 * Waits for a camera's claim, answers it, and waits until the camera says that it is paired.
 *
 * Every step is on disk before the next: a command that was interrupted is finished by running it again.
 */
import { ocellus } from "#proto";
import { topicName } from "../../agent/seal/names.ts";
import { isRefused } from "../../agent/seal/refusal.ts";
import { Problem } from "../build/problem.mjs";
import { connectBroker } from "./broker.ts";
import { adopt, checkClaim } from "./claim.ts";
import {
  accessOf,
  type Camera,
  type ExpectedCamera,
  type Owner,
  type PairedCamera,
} from "./owner.ts";
import { openStatus } from "./status.ts";
import { openingKeys, trustCamera } from "./trust.ts";

/** What the waiting asks of its caller. */
export interface Pairing {
  /** Keeps the camera as it is now, durably. */
  keep(camera: Camera): Promise<void>;
  /** Says how it goes. */
  tell(sentence: string): void;
}

/** A camera that was answered should be paired within this; else it is answered again. */
const ANSWER_MS = 5_000;

/**
 * Pairs an expected camera.
 * @param within_ms Throws Problem where it takes longer.
 * @returns the paired camera, kept already.
 */
export async function pairCamera(
  owner: Owner,
  expected: ExpectedCamera,
  within_ms: number,
  { keep, tell }: Pairing,
): Promise<PairedCamera> {
  const topic = topicName(owner.tenant, expected.id, "status");
  const inbox: Uint8Array[] = [];
  let wake = () => {};
  const broker = await connectBroker(
    accessOf(owner).broker,
    (_topic, payload) => {
      inbox.push(payload);
      wake();
    },
    true,
  );
  const deadline = Date.now() + within_ms;
  let camera = expected;
  let answered_ms = 0;
  let said = "";
  try {
    await broker.subscribe(topic);
    tell("waiting for the camera's claim");
    while (Date.now() < deadline) {
      const payload = inbox.shift();
      if (!payload) {
        await new Promise<void>((resolve) => {
          wake = resolve;
          setTimeout(resolve, 500).unref();
        });
        continue;
      }
      const paired = pairedBy(owner, camera, payload);
      if (paired) {
        await keep(paired);
        return paired;
      }
      const claimed = checkClaim(owner, camera, payload);
      if ("why" in claimed) {
        if (claimed.why !== said) tell(`a camera answers, but ${claimed.why}`);
        said = claimed.why;
      } else if (Date.now() - answered_ms > ANSWER_MS) {
        const { paired: answer, sent } = adopt(owner, camera, claimed, Date.now() * 1000);
        camera = { ...camera, answer: { record: answer.record, signature: answer.signature } };
        // Kept first: once the camera has it, only this record proves its keys.
        await keep(camera);
        await broker.publish(sent.topic, sent.payload);
        answered_ms = Date.now();
        tell("the claim is good; waiting for the camera to take its record");
      }
    }
  } finally {
    await broker.close();
  }
  throw new Problem(
    `camera "${expected.name}" did not claim in time; see that it runs with its provisioning file, then run \`ocellus pair ${expected.name} --finish\`.`,
  );
}

/** The camera as paired, where a status signed by the answered keys says so; otherwise null. */
function pairedBy(owner: Owner, camera: ExpectedCamera, payload: Uint8Array): PairedCamera | null {
  if (!camera.answer) return null;
  const { name, id, answer } = camera;
  const paired: PairedCamera = { name, id, state: "paired", ...answer };
  const status = openStatus(trustCamera(owner, paired), openingKeys(owner), payload);
  if (isRefused(status)) return null;
  return status.open.pairing === ocellus.v1.Pairing.PAIRING_PAIRED ? paired : null;
}
