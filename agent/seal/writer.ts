/**
 * The camera's records: one counter, one signing key, for everything the camera says over MQTT and puts beside its
 * segments. There is one writer in a process; control and pipeline share it, because `seq` counts all records of a boot.
 */
import type { ocellus } from "#proto";
import { keyId } from "../identity/encoding.ts";
import type { Native } from "../runtime/native.d.ts";
import { type Epochs, namedWraps } from "./epochs.ts";
import { type SealedPart, signRecord } from "./record.ts";

/** What the camera is; the holder wipes `signingSecret` when the process ends. */
export interface CameraIdentity {
  /** 16 bytes. */
  readonly camera: Uint8Array;
  readonly tenant: string;
  readonly boot: number;
  /** Ed25519, 32 and 64 bytes. */
  readonly signingPublic: Uint8Array;
  readonly signingSecret: Uint8Array;
}

export interface RecordParts {
  readonly kind: ocellus.v1.Kind;
  /** MQTT topic or `bootRecordTopic`. */
  readonly topic: string;
  /** Public part, raw protobuf. */
  readonly plain?: Uint8Array;
  /** Private part, raw protobuf of at most 16,384 bytes; sealed to the recipients in force. */
  readonly secret?: Uint8Array;
}

export class RecordWriter {
  readonly #native: Native;
  readonly #identity: CameraIdentity;
  readonly #epochs: Epochs;
  readonly #signer: Uint8Array;
  #seq = 0;

  constructor(native: Native, identity: CameraIdentity, epochs: Epochs) {
    this.#native = native;
    this.#identity = identity;
    this.#epochs = epochs;
    this.#signer = keyId((bytes) => native.sha256(bytes), identity.signingPublic);
  }

  /** The number of the record written last; 0 before the first. */
  get lastSeq(): number {
    return this.#seq;
  }

  /**
   * An envelope, ready to send. `null` where there is a private part and no recipients: before adoption nothing secret
   * is said.
   */
  write(parts: RecordParts): Uint8Array | null {
    const { camera, boot, signingSecret } = this.#identity;
    const seq = this.#seq + 1;
    let sealed: SealedPart | null = null;
    if (parts.secret !== undefined) {
      sealed = this.#seal(seq, parts.secret);
      if (sealed === null) return null;
    }
    this.#seq = seq;
    const plain = parts.plain ?? new Uint8Array(0);
    const signer = this.#signer;
    const body = { kind: parts.kind, camera, boot, seq, signer, plain, sealed, notAfterUs: 0 };
    return signRecord(this.#native, parts.topic, body, signingSecret);
  }

  #seal(seq: number, secret: Uint8Array): SealedPart | null {
    const epoch = this.#epochs.current();
    if (epoch === null) return null;
    const at = { stream: 0, boot: this.#identity.boot, epoch: epoch.number, seq };
    const { wraps, commitment, box } = this.#native.sealRecord(epoch.handle, at, secret);
    const { ephemeral } = epoch;
    return { ephemeral, epoch: epoch.number, wraps: namedWraps(epoch, wraps), commitment, box };
  }
}
