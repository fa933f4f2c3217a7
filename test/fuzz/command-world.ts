/** A camera's command gate with fixed keys, for fuzzing what arrives on `cmd`. */
import { ocellus } from "#proto";
import { CommandGate } from "../../agent/control/commands.ts";
import { openCrypto } from "../../agent/control/crypto.ts";
import { keyId, toHex } from "../../agent/identity/encoding.ts";
import type { Signer } from "../../agent/identity/recipients.ts";
import { nodeCrypto, seededRandom } from "../agent/double/crypto.ts";
import { createDouble } from "../agent/double/double.ts";
import { CA_PEM, Owner, type SignPair } from "../agent/owner.ts";

const { Role } = ocellus.v1;

const BOOT = 3;
const START_US = 1_000_000_000;

export const FUZZ_CAMERA = toHex(new Owner("fuzz").camera);

export class FuzzWorld {
  readonly owner = new Owner("fuzz");
  readonly box: SignPair = nodeCrypto(seededRandom("fuzz camera")).boxKeypair();
  readonly native = createDouble({ random: seededRandom("fuzz double") }).native;

  /** A gate that has seen nothing yet: everyone may do everything. */
  gate(): CommandGate {
    const { camera, root, device } = this.owner;
    const self = { camera, boot: BOOT, topic: this.owner.topic("cmd"), box: this.box };
    const roles = new Set([Role.ROLE_ADMIN]);
    const signer = ({ publicKey }: SignPair): Signer => ({
      id: keyId((bytes) => this.native.sha256(bytes), publicKey),
      signingKey: publicKey,
      roles,
    });
    const gate = new CommandGate(openCrypto(this.native), self, signer(root), START_US);
    gate.setAdopted();
    gate.setSigners([signer(device)]);
    return gate;
  }

  /** A well-signed and well-sealed command with any plaintext. */
  sealed(secret: Uint8Array, nowUs = START_US): Uint8Array {
    const to = { boxKey: this.box.publicKey, boot: BOOT, notAfterUs: nowUs + 60_000_000 };
    return this.owner.command(to, {}, { secret });
  }

  /** Command messages of every kind. */
  plaintexts(): Record<string, Uint8Array> {
    const { owner } = this;
    const camera = {
      camera: owner.camera,
      signingKey: owner.device.publicKey,
      boxKey: this.box.publicKey,
    };
    const commands: Record<string, ocellus.v1.Command.$Properties> = {
      ping: { ping: { payload: Uint8Array.of(1, 2, 3) } },
      settings: { settings: { schema: 1, segmentS: 8, flip: true, bitrateKbps: 500 } },
      log: { log: { bytes: 100 } },
      reboot: { reboot: {} },
      adopt: { adopt: { ...owner.cameraRecord(camera), recipients: owner.list() } },
      access: {
        access: {
          store: {
            endpoint: "https://store.test",
            region: "r",
            bucket: "bucket",
            accessKeyId: "a",
            secretAccessKey: "s",
            caPem: CA_PEM,
          },
          broker: { url: "mqtts://broker.test", username: "u", password: "p", caPem: CA_PEM },
        },
      },
      recipients: { recipients: owner.list({ version: 2 }) },
    };
    return Object.fromEntries(
      Object.entries(commands).map(([name, command]) => [
        `${name}.bin`,
        ocellus.v1.Command.encode(command).finish(),
      ]),
    );
  }

  /** Envelopes of every kind. */
  commands(): Record<string, Uint8Array> {
    return Object.fromEntries(
      Object.entries(this.plaintexts()).map(([name, secret]) => [name, this.sealed(secret)]),
    );
  }
}
