/** The actors of the vectors, and keys.json. */
import {
  type Bytes,
  boxPair,
  fixed,
  hex,
  keyId,
  nonce,
  type Pair,
  signPair,
  subkey,
} from "../reference.ts";

export const CAMERA_ID: Bytes = fixed("camera id", 16);
export const TENANT = "home";
export const BOOT = 41;

/** Ed25519. */
export const camera: Pair = signPair("camera signing");
export const otherCamera: Pair = signPair("other camera signing");
export const device: Pair = signPair("owner's device signing");
/** X25519. */
export const vault: Pair = boxPair("vault 2");
export const recovery: Pair = boxPair("recovery");
export const cameraBox: Pair = boxPair("camera box");
export const stranger: Pair = boxPair("stranger");

export const RECIPIENTS: readonly Bytes[] = [vault.publicKey, recovery.publicKey];

const shown = (pair: Pair) => ({
  publicKey: hex(pair.publicKey),
  secretKey: hex(pair.secretKey),
  keyId: hex(keyId(pair.publicKey)),
});

export function keysFile() {
  const key = fixed("a K", 32);
  const at = { stream: 1, boot: 0x0102_0304, epoch: 0x0506_0708, seq: 0x0009_0a0b_0c0d_0e0f };
  const labels = ["media", "metadata", "body", "live", "commitment"];
  return {
    camera: { id: hex(CAMERA_ID), tenant: TENANT, boot: BOOT },
    signing: { camera: shown(camera), otherCamera: shown(otherCamera), device: shown(device) },
    box: {
      vault: shown(vault),
      recovery: shown(recovery),
      cameraBox: shown(cameraBox),
      stranger: shown(stranger),
    },
    subkeys: {
      K: hex(key),
      ...Object.fromEntries(labels.map((label) => [label, hex(subkey(label, key))])),
    },
    nonces: {
      at,
      byKind: Object.fromEntries(
        Array.from({ length: 11 }, (_, i) => [i + 1, hex(nonce(i + 1, at))]),
      ),
      chunk5: hex(nonce(2, at, 5)),
      lastChunk6: hex(nonce(2, at, 0x8000_0006)),
    },
  };
}
