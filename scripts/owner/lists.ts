/**
 * What the root key signs: recipients' lists and camera records (agent/identity/FORMAT.md).
 */
import { ocellus } from "#proto";
import { same } from "../../agent/identity/encoding.ts";
import { crypto, encoded, inDomain } from "./crypto.ts";
import {
  type Camera,
  newestVault,
  type Owner,
  type PairedCamera,
  type SignedList,
} from "./owner.ts";

const { CameraRecord, RecipientsList, Role } = ocellus.v1;

export const CAMERA_RECORD_DOMAIN = "ocellus/v1/camera-record\0";
export const RECIPIENTS_DOMAIN = "ocellus/v1/recipients\0";

/** All of an owner but the list that is about to be made from it. */
type Unlisted = Omit<Owner, "list">;

/**
 * Makes and signs the recipients' list of an owner: the newest vault key, the recovery recipient where there
 * is one, and this device's signer with every role of an owner.
 * @param version higher than any signed before for this tenant.
 */
export function signList(owner: Unlisted, version: number, signed_us: number): SignedList {
  const vault = newestVault(owner);
  const recipients = [{ boxKey: vault.publicKey, vaultVersion: vault.version }];
  if (owner.recovery) recipients.push({ boxKey: owner.recovery.publicKey, vaultVersion: 0 });
  const list = encoded(RecipientsList, {
    tenant: owner.tenant,
    version,
    recipients,
    signers: [
      {
        signingKey: owner.signer.publicKey,
        roles: [Role.ROLE_VIEW, Role.ROLE_CONTROL, Role.ROLE_ADMIN],
      },
    ],
    signedUs: signed_us,
  });
  return {
    version,
    list,
    signature: crypto.sign(inDomain(RECIPIENTS_DOMAIN, list), owner.root.secretKey),
  };
}

/** Pins a camera's keys: the answer to its claim. */
export function signCameraRecord(
  owner: Owner,
  camera: Camera,
  keys: { readonly signingKey: Uint8Array; readonly boxKey: Uint8Array },
  signed_us: number,
): PairedCamera {
  const record = encoded(CameraRecord, {
    camera: camera.id,
    ...keys,
    rootKey: owner.root.publicKey,
    tenant: owner.tenant,
    signedUs: signed_us,
  });
  const signature = crypto.sign(inDomain(CAMERA_RECORD_DOMAIN, record), owner.root.secretKey);
  return { name: camera.name, id: camera.id, state: "paired", record, signature };
}

/** Whether a status says that this very list is in force. */
export function hasList(
  stated: Pick<ocellus.v1.StatusPublic, "recipientsVersion" | "recipientsHash">,
  list: SignedList,
): boolean {
  return (
    stated.recipientsVersion === list.version &&
    same(stated.recipientsHash, crypto.sha256(list.list))
  );
}
