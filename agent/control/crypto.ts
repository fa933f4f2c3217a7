/** What opening commands needs: the machine's cryptography, and tweetnacl for the small sealed things. */
import nacl from "tweetnacl";
import type { Native } from "../runtime/native.d.ts";
import type { OpenCrypto, VerifyCrypto } from "../seal/crypto.ts";

/**
 * A command is at most 16 KiB and its openings are rate-limited, so secretbox runs in JavaScript; the scalar
 * multiplication, the signature and the hashes are native.
 */
export function openCrypto(native: Native): OpenCrypto & VerifyCrypto {
  return {
    sha256: (bytes) => native.sha256(bytes),
    sha512: (bytes) => native.sha512(bytes),
    equal: (a, b) => native.equal(a, b),
    verify: (signature, message, publicKey) => native.verify(signature, message, publicKey),
    boxBefore: (publicKey, secretKey) => native.boxBefore(publicKey, secretKey),
    secretboxOpen: (box, nonce, key) => nacl.secretbox.open(box, nonce, key),
  };
}
