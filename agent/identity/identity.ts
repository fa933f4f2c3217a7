/** What a camera is: its id, its keys and whose it is. Message: `Identity` in identity.proto. */
import type { ocellus } from "#proto";
import { isTenant } from "../seal/names.ts";

/** Lives as long as the process. `secretKey`s and `token` are secret. */
export interface Identity {
  /** 16 bytes. */
  readonly camera: Uint8Array;
  readonly tenant: string;
  /** The owner's Ed25519 root public key, pinned when the camera was provisioned. */
  readonly rootKey: Uint8Array;
  /** Ed25519. */
  readonly signing: KeyPair;
  /** X25519. */
  readonly box: KeyPair;
  /** 32 bytes; `null` once adopted. */
  readonly token: Uint8Array | null;
  /** 32 bytes from the owner that hedge the generator. */
  readonly deviceSeed: Uint8Array;
}

export interface KeyPair {
  readonly publicKey: Uint8Array;
  readonly secretKey: Uint8Array;
}

/**
 * From the state file; fresh copies. `boxPublicKey` gives the X25519 public key of a secret one (the file holds the
 * secret alone). `null` where a field has the wrong length, which a file whose check fits cannot have by accident.
 */
export function identityFromFile(
  file: ocellus.v1.Identity.$Properties,
  boxPublicKey: (secretKey: Uint8Array) => Uint8Array,
): Identity | null {
  const { camera, tenant, rootKey, signingSecret, boxSecret, token, deviceSeed } = file;
  if (
    camera?.length !== 16 ||
    !tenant ||
    !isTenant(tenant) ||
    rootKey?.length !== 32 ||
    signingSecret?.length !== 64 ||
    boxSecret?.length !== 32 ||
    deviceSeed?.length !== 32 ||
    (token && token.length !== 0 && token.length !== 32)
  ) {
    return null;
  }
  return {
    camera: new Uint8Array(camera),
    tenant,
    rootKey: new Uint8Array(rootKey),
    // RFC 8032 secret keys here are seed ‖ public key.
    signing: {
      publicKey: new Uint8Array(signingSecret.subarray(32)),
      secretKey: new Uint8Array(signingSecret),
    },
    box: { publicKey: boxPublicKey(boxSecret), secretKey: new Uint8Array(boxSecret) },
    token: token?.length === 32 ? new Uint8Array(token) : null,
    deviceSeed: new Uint8Array(deviceSeed),
  };
}
