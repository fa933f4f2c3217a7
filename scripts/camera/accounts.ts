/**
 * Whom a camera's processes run as on a developer's machine.
 *
 * Where we are root: each as a user of its own, by number alone, from a range that nobody hands out: 60706 to 61183 lies
 * above regular users and systemd's homes, containers and greeters, and below its users that come and go (61184 to 65519);
 * systemd's list of ranges has it as unused (systemd.io/UIDS-GIDS, "Summary"), and in Debian's 60000 to 64999, which its
 * base-passwd hands out one by one, nothing there is taken. It fits into the 65,536 numbers of a container too. So nothing else runs as
 * these: the encoder, which reads what a vendor's library makes of light, can neither read the agent's keys nor signal it,
 * and other servers of the machine neither. All cameras of a machine share the two: they are kept from the machine, not
 * from each other.
 *
 * Where we are not root there is one user, the developer's own: both processes run as it, and nothing keeps them, or
 * anything else of that user, from the camera's keys. It is a camera to develop with.
 */
import type { Account } from "../cloud/system.ts";

export const AGENT: Account = { uid: 61_101, gid: 61_101 };
export const ENCODER: Account = { uid: 61_102, gid: 61_102 };

/** `--user` of the agent. */
export const AGENT_USER = `${AGENT.uid}:${AGENT.gid}`;

/** Whether processes can be given users of their own. */
export function canSeparate(): boolean {
  return process.getuid?.() === 0;
}
