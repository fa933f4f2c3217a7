/**
 * Cameras that are no longer the owner's: stolen, broken, sold. Their record stays, since it proves the footage that they made;
 * nothing waits for them any more.
 */
import { type Camera, type Owner, type RetiredCamera, sameCamera, withCamera } from "./owner.ts";

/**
 * The owner with the camera retired, and the camera; null for one that was never answered: nothing of it can ever be opened,
 * so it is forgotten.
 * @param since_us when it left the owner's hands; null: now, or what was said before.
 */
export function retireCamera(
  owner: Owner,
  camera: Camera,
  since_us: number | null,
  now_us: number,
): [Owner, RetiredCamera | null] {
  const { name, id } = camera;
  if (camera.state === "retired") {
    const changed = { ...camera, retired_us: since_us ?? camera.retired_us };
    return [withCamera(owner, changed), changed];
  }
  const signed = camera.state === "paired" ? camera : camera.answer;
  if (!signed) {
    return [{ ...owner, cameras: owner.cameras.filter((one) => !sameCamera(one, camera)) }, null];
  }
  const retired: RetiredCamera = {
    ...{ name, id, state: "retired", retired_us: since_us ?? now_us },
    ...{ record: signed.record, signature: signed.signature },
    ...(camera.state === "expected" ? { token: camera.token } : {}),
  };
  return [withCamera(owner, retired), retired];
}

/** The owner with the camera as it was before it was retired, but for the paths of its provisioning files. */
export function unretireCamera(owner: Owner, camera: RetiredCamera): Owner {
  const { name, id, record, signature, token } = camera;
  const answer = { record, signature };
  return withCamera(
    owner,
    token
      ? { name, id, state: "expected", token, answer }
      : { name, id, state: "paired", ...answer },
  );
}
