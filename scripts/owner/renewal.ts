/** How access fares that a camera has taken: what its signed status says of it. */
import { ocellus } from "#proto";
import { isRefused } from "../../agent/seal/refusal.ts";
import type { PairedCamera } from "./owner.ts";
import type { CameraState, Talk } from "./talk.ts";

const { ACCESS_PROVEN, ACCESS_REJECTED } = ocellus.v1.AccessTrialState;

/** `proven`: broker and store have both worked with it. Else why it is rejected, one sentence. */
export type AccessOutcome =
  | { readonly is: "proven" }
  | { readonly is: "rejected"; readonly why: string };

/**
 * Waits until the camera says how the access does to which it replied just now.
 * @returns null where it says neither within `within_ms`.
 */
export function watchAccess(
  talk: Talk,
  camera: PairedCamera,
  reply: ocellus.v1.Reply,
  within_ms: number,
): Promise<AccessOutcome | null> {
  const { status } = talk.state(camera);
  const boot = status === null || isRefused(status) ? 0 : status.boot;
  const look = (state: CameraState) => outcome(state, boot, reply.monotonicUs);
  return talk.watch(camera, look, within_ms);
}

/** An earlier status is about earlier access. */
function outcome({ status }: CameraState, boot: number, after_us: number): AccessOutcome | null {
  if (status === null || isRefused(status)) return null;
  const isLater =
    status.boot > boot || (status.boot === boot && status.open.monotonicUs > after_us);
  const access = status.secret?.access;
  if (!isLater || !access) return null;
  if (access.state === ACCESS_PROVEN) return { is: "proven" };
  return access.state === ACCESS_REJECTED ? { is: "rejected", why: access.reason ?? "" } : null;
}
