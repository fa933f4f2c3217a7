/**
 * Who there is in the development cloud: tenants, their owner, their cameras, and everybody's credentials.
 *
 * Kept in one private file. Secrets stand there in clear because the store must know them to verify
 * a signature (SigV4 is symmetric), and so that `ocellus pair` can be told them again after it was cut
 * off. A camera has several credentials while they are being renewed: the old ones count until retired.
 */
import { pbkdf2Sync, randomBytes, randomInt } from "node:crypto";
import { join } from "node:path";
import { Problem } from "../build/problem.mjs";
import { readFileIfAny, replaceFile } from "./files.ts";
import { checkCamera, checkTenant, tenantBucket } from "./names.ts";
import { cameraPolicy, ownerPolicy } from "./policy.ts";
import type { Accounts, StoreAccount } from "./store/exchange.ts";

const FORMAT = "ocellus-cloud-1";
const ACCESS_KEY_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** One set of credentials, for the store and for the broker. Secret. */
export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly username: string;
  readonly password: string;
  /** What mosquitto keeps of the password (`$7$`: PBKDF2 with SHA-512). */
  readonly passwordHash: string;
}

/** An identity at the broker. */
export interface BrokerIdentity {
  readonly tenant: string;
  /** undefined for the tenant's owner. */
  readonly camera: string | undefined;
  readonly username: string;
  readonly passwordHash: string;
}

interface Tenant {
  owner: Credentials;
  /** By camera id; newest credentials last, never empty. */
  cameras: Record<string, Credentials[]>;
}

interface Kept {
  format: typeof FORMAT;
  tenants: Record<string, Tenant>;
}

/** The identities of one state directory. Every change is on disk before its promise resolves. */
export class Identities implements Accounts {
  readonly #file: string;
  readonly #kept: Kept;
  #accounts: ReadonlyMap<string, StoreAccount>;

  private constructor(file: string, kept: Kept) {
    this.#file = file;
    this.#kept = kept;
    this.#accounts = accountsOf(kept);
  }

  /** Reads the identities of a state directory; none where it is new. */
  static async open(directory: string): Promise<Identities> {
    const file = join(directory, "identities.json");
    const text = await readFileIfAny(file);
    const kept: Kept = text === undefined ? { format: FORMAT, tenants: {} } : parse(text, file);
    return new Identities(file, kept);
  }

  find(accessKeyId: string): StoreAccount | undefined {
    return this.#accounts.get(accessKeyId);
  }

  buckets(): readonly string[] {
    return Object.keys(this.#kept.tenants).map(tenantBucket);
  }

  /** The owner's credentials; makes the tenant where it is new. */
  async owner(tenant: string): Promise<Credentials> {
    checkTenant(tenant);
    const known = this.#kept.tenants[tenant];
    if (known) return known.owner;
    const owner = makeCredentials(`owner-${tenant}`);
    this.#kept.tenants[tenant] = { owner, cameras: {} };
    await this.#save();
    return owner;
  }

  /** A camera's newest credentials; makes them where the camera is new. */
  async camera(tenant: string, camera: string): Promise<Credentials> {
    checkCamera(camera);
    await this.owner(tenant);
    const { cameras } = this.#tenant(tenant);
    const newest = cameras[camera]?.at(-1);
    if (newest) return newest;
    const credentials = makeCredentials(camera);
    cameras[camera] = [credentials];
    await this.#save();
    return credentials;
  }

  /** Gives a camera further credentials; the ones it has go on being valid. */
  async rotate(tenant: string, camera: string): Promise<Credentials> {
    const held = this.#held(tenant, camera);
    // The user name's ending rises over every renewal, since the broker knows one password a name.
    const last = Number(/-(\d+)$/.exec(held.at(-1)?.username ?? "")?.[1] ?? 1);
    const credentials = makeCredentials(`${camera}-${last + 1}`);
    held.push(credentials);
    await this.#save();
    return credentials;
  }

  /** Ends all credentials of a camera but the newest. */
  async retire(tenant: string, camera: string): Promise<void> {
    const held = this.#held(tenant, camera);
    held.splice(0, held.length - 1);
    await this.#save();
  }

  /** Ends a camera's access; what it stored stays. */
  async remove(tenant: string, camera: string): Promise<void> {
    this.#held(tenant, camera);
    delete this.#tenant(tenant).cameras[camera];
    await this.#save();
  }

  /** Ids of a tenant's cameras, in the order they came; empty for a tenant nobody made. */
  cameras(tenant: string): string[] {
    return Object.keys(this.#kept.tenants[tenant]?.cameras ?? {});
  }

  /** Everybody the broker is to know. */
  brokerIdentities(): BrokerIdentity[] {
    return Object.entries(this.#kept.tenants).flatMap(([tenant, { owner, cameras }]) => [
      { tenant, camera: undefined, username: owner.username, passwordHash: owner.passwordHash },
      ...Object.entries(cameras).flatMap(([camera, held]) =>
        held.map(({ username, passwordHash }) => ({ tenant, camera, username, passwordHash })),
      ),
    ]);
  }

  #tenant(tenant: string): Tenant {
    const known = this.#kept.tenants[tenant];
    if (!known) throw new Problem(`there is no tenant "${tenant}" in this cloud.`);
    return known;
  }

  #held(tenant: string, camera: string): Credentials[] {
    const held = this.#tenant(tenant).cameras[camera];
    if (!held) throw new Problem(`there is no camera ${camera} in this cloud; add it first.`);
    return held;
  }

  async #save(): Promise<void> {
    this.#accounts = accountsOf(this.#kept);
    await replaceFile(this.#file, `${JSON.stringify(this.#kept, undefined, 2)}\n`);
  }
}

function accountsOf(kept: Kept): Map<string, StoreAccount> {
  const accounts = new Map<string, StoreAccount>();
  for (const [tenant, { owner, cameras }] of Object.entries(kept.tenants)) {
    const bucket = tenantBucket(tenant);
    const { accessKeyId, secretAccessKey } = owner;
    const policy = ownerPolicy({ bucket, tenant });
    accounts.set(accessKeyId, { accessKeyId, secretAccessKey, policy });
    for (const [camera, held] of Object.entries(cameras)) {
      const policy = cameraPolicy({ bucket, tenant, camera, conditionalPut: true });
      for (const { accessKeyId, secretAccessKey } of held) {
        accounts.set(accessKeyId, { accessKeyId, secretAccessKey, policy });
      }
    }
  }
  return accounts;
}

/** 20 characters of key id, 240 bits of secret, 192 bits of password. */
function makeCredentials(username: string): Credentials {
  const letters = Array.from({ length: 18 }, () => ACCESS_KEY_ALPHABET[randomInt(32)]);
  const password = randomBytes(24).toString("base64url");
  return {
    accessKeyId: `OC${letters.join("")}`,
    secretAccessKey: randomBytes(30).toString("base64url"),
    username,
    password,
    passwordHash: hashPassword(password),
  };
}

/** As mosquitto_passwd of mosquitto 2.0 writes it; few iterations are enough for a random password. */
function hashPassword(password: string): string {
  const salt = randomBytes(12);
  const iterations = 101;
  const hash = pbkdf2Sync(password, salt, iterations, 64, "sha512");
  return `$7$${iterations}$${salt.toString("base64")}$${hash.toString("base64")}`;
}

function parse(text: string, file: string): Kept {
  let kept: unknown;
  try {
    kept = JSON.parse(text);
  } catch {
    kept = undefined;
  }
  if (isKept(kept)) return kept;
  throw new Problem(
    `${file} is damaged or of another version; remove its directory to start afresh.`,
  );
}

/** The file is ours alone and replaced whole, so its format's name stands for the rest of its shape. */
function isKept(value: unknown): value is Kept {
  return (
    typeof value === "object" &&
    value !== null &&
    "format" in value &&
    value.format === FORMAT &&
    "tenants" in value
  );
}
