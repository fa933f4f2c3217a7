/**
 * Waits for a camera's claim, answers it, and waits until the camera says that it is paired.
 *
 * Every step is on disk before the next: a command that was interrupted is finished by running it again.
 */

import { ocellus } from "#proto";
import { topicName } from "../../agent/seal/names.ts";
import { isRefused } from "../../agent/seal/refusal.ts";
import { asTyped } from "../build/invoked.mjs";
import { Problem } from "../build/problem.mjs";
import { connectBroker } from "./broker.ts";
import { adopt, checkClaim } from "./claim.ts";
import { Inbox } from "./inbox.ts";
import { hasList } from "./lists.ts";
import {
  accessOf,
  type ExpectedCamera,
  type Owner,
  type PairedCamera,
  sameCamera,
  withCamera,
} from "./owner.ts";
import { sendList } from "./revoke.ts";
import { openStatus, type Status } from "./status.ts";
import { openingKeys, trustCamera } from "./trust.ts";

/** What the waiting asks of its caller. */
export interface Pairing {
  /**
   * Makes another owner of the newest that is kept, and keeps that durably while no other command does so. What is signed
   * for the camera is made in here: it must not name the recipients of before.
   */
  change<T>(change: (owner: Owner) => [Owner, T]): Promise<T>;
  /** Says how it goes. */
  tell(sentence: string): void;
}

/** A camera that was paired. */
export interface Paired {
  readonly camera: PairedCamera;
  /** Null: it has the newest recipients' list in force. Else one sentence that says what to do. */
  readonly trouble: string | null;
}

/** An owner who is on no disk, for callers that keep what they made themselves. */
export class HeldOwner {
  owner: Owner;

  constructor(owner: Owner) {
    this.owner = owner;
  }

  readonly change = async <T>(change: (owner: Owner) => [Owner, T]): Promise<T> => {
    const [owner, result] = change(this.owner);
    this.owner = owner;
    return result;
  };
}

/** A camera that was answered should be paired within this; else it is answered again. */
const ANSWER_MS = 5_000;

/**
 * Pairs an expected camera, and gives it the newest recipients' list where that changed while it was answered.
 * @param expected one that `change` knows.
 * @param within_ms Throws Problem where it takes longer.
 * @returns the paired camera, kept already.
 */
export async function pairCamera(
  owner: Owner,
  expected: ExpectedCamera,
  within_ms: number,
  pairing: Pairing,
): Promise<Paired> {
  const { camera, status, now } = await adopted(owner, expected, within_ms, pairing);
  // Whoever rotates from here on finds it paired, and sends his list himself.
  if (hasList(status.open, now.list)) return { camera, trouble: null };
  pairing.tell("the recipients' list has changed meanwhile; sending the newest");
  const [sent] = await sendList({ ...now, cameras: [camera] });
  return { camera, trouble: sent?.trouble ?? null };
}

interface Adopted {
  readonly camera: PairedCamera;
  /** What says so. */
  readonly status: Status;
  /** The owner as kept, with this camera paired. */
  readonly now: Owner;
}

async function adopted(
  owner: Owner,
  expected: ExpectedCamera,
  within_ms: number,
  { change, tell }: Pairing,
): Promise<Adopted> {
  const topic = topicName(owner.tenant, expected.id, "status");
  const inbox = new Inbox();
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
        const now = await change((kept) => {
          stillExpected(kept, camera);
          const changed = withCamera(kept, paired.camera);
          return [changed, changed];
        });
        return { ...paired, now };
      }
      const claimed = checkClaim(owner, camera, payload);
      if ("why" in claimed) {
        if (claimed.why !== said) tell(`a camera answers, but ${claimed.why}`);
        said = claimed.why;
      } else if (Date.now() - answered_ms > ANSWER_MS) {
        // Kept first: once the camera has it, only this record proves its keys.
        const [answered, sent] = await change((kept) => {
          const current = stillExpected(kept, camera);
          const { paired, sent } = adopt(kept, current, claimed, Date.now() * 1000);
          const answer = { record: paired.record, signature: paired.signature };
          const changed: ExpectedCamera = { ...current, answer };
          return [withCamera(kept, changed), [changed, sent] as const];
        });
        camera = answered;
        await broker.publish(sent.topic, sent.payload, Math.max(0, deadline - Date.now()));
        answered_ms = Date.now();
        tell("the claim is good; waiting for the camera to take its record");
      }
    }
  } finally {
    await broker.close();
  }
  throw new Problem(
    `camera "${expected.name}" did not claim in time; see that it runs with its provisioning file, then run \`${asTyped(`pair ${expected.name} --finish`)}\`.`,
  );
}

/** The camera as it is kept now. Throws Problem where another command has dealt with it meanwhile. */
export function stillExpected(owner: Owner, { name, id }: ExpectedCamera): ExpectedCamera {
  const kept = owner.cameras.find((one) => sameCamera(one, { id }));
  if (kept?.state === "expected") return kept;
  throw new Problem(
    `another command has paired camera "${name}" or given it up meanwhile; see \`${asTyped("keys show")}\`.`,
  );
}

/** The camera as paired, where a status signed by the answered keys says so; otherwise null. */
function pairedBy(
  owner: Owner,
  expected: ExpectedCamera,
  payload: Uint8Array,
): Pick<Adopted, "camera" | "status"> | null {
  if (!expected.answer) return null;
  const { name, id, answer } = expected;
  const camera: PairedCamera = { name, id, state: "paired", ...answer };
  const status = openStatus(trustCamera(owner, camera), openingKeys(owner), payload);
  if (isRefused(status) || status.open.pairing !== ocellus.v1.Pairing.PAIRING_PAIRED) return null;
  return { camera, status };
}
