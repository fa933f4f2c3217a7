/** The camera's claim (identity/FORMAT.md, "From provisioning to paired" 3). Pure. */
import { ocellus } from "#proto";
import type { Native } from "../runtime/native.d.ts";
import { ascii, join } from "./encoding.ts";
import type { Identity } from "./identity.ts";

const DOMAIN = ascii("ocellus/v1/claim\0");

export interface Claim {
  /** Raw `Claim`. */
  readonly claim: Uint8Array;
  /** HMAC-SHA-256(token, domain ‖ claim). */
  readonly mac: Uint8Array;
}

/** `null` where the token is gone: only an adopted camera has none, and it claims nothing. */
export function makeClaim(identity: Identity, native: Pick<Native, "hmacSha256">): Claim | null {
  if (identity.token === null) return null;
  const claim = ocellus.v1.Claim.encode({
    camera: identity.camera,
    signingKey: identity.signing.publicKey,
    boxKey: identity.box.publicKey,
    rootKey: identity.rootKey,
  }).finish();
  return { claim, mac: native.hmacSha256(identity.token, join(DOMAIN, claim)) };
}
