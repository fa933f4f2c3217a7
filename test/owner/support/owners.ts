/** Owners made for tests. */
import { random } from "../../../scripts/owner/crypto.ts";
import { signList } from "../../../scripts/owner/lists.ts";
import { makeKeys, type Owner } from "../../../scripts/owner/owner.ts";
import { recoveryKeys } from "../../../scripts/owner/phrase.ts";

/** A phrase of BIP-39's published vectors (32 zero bytes). */
export const PHRASE = `${"abandon ".repeat(23)}art`;

/** An owner with every field filled: recovery, access, and cameras in every state. */
export function fullOwner(): Owner {
  const recovery = recoveryKeys(PHRASE);
  const keys = makeKeys("home", { publicKey: recovery.box.publicKey, mac: recovery.mac });
  return {
    ...keys,
    list: signList(keys, 1, 1_700_000_000_000_000),
    access: {
      store: {
        endpoint: "https://store.example:9000",
        region: "us-east-1",
        bucket: "footage",
        accessKeyId: "AKIAOWNER",
        secretAccessKey: "owner-secret",
        caPem: "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n",
        pathStyle: true,
        sessionToken: "",
      },
      broker: {
        url: "mqtts://broker.example:8883",
        username: "owner",
        password: "broker-secret",
        caPem: "",
      },
    },
    cameras: [
      { name: "porch", id: random(16), state: "expected", token: random(32) },
      {
        ...{ name: "gate", id: random(16), state: "expected", token: random(32) },
        answer: { record: random(100), signature: random(64) },
      },
      {
        name: "door",
        id: random(16),
        state: "paired",
        record: random(100),
        signature: random(64),
      },
      {
        ...{ name: "shed", id: random(16), state: "retired", retired_us: 1_700_000_000_000_000 },
        ...{ record: random(100), signature: random(64) },
      },
      {
        ...{ name: "barn", id: random(16), state: "retired", retired_us: 1, token: random(32) },
        ...{ record: random(100), signature: random(64) },
      },
    ],
  };
}
