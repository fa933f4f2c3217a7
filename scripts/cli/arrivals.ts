/** Counts the segments of a camera that come into the store, by the records that it signs once they are there. */
import { ocellus } from "#proto";
import { decodeMessage } from "../../agent/seal/decode.ts";
import { topicName } from "../../agent/seal/names.ts";
import { isRefused } from "../../agent/seal/refusal.ts";
import { connectBroker } from "../owner/broker.ts";
import { accessOf, type ExpectedCamera, type Owner, type PairedCamera } from "../owner/owner.ts";
import { openRecord } from "../owner/status.ts";
import { openingKeys, trustCamera } from "../owner/trust.ts";
import type { Stored } from "./board.ts";

/** What comes before it is known whose it is: a camera that was just paired has sent no more. */
const EARLY_MOST = 16;

/** One camera's. The holder closes it. */
export class Arrivals {
  readonly close: () => Promise<void>;
  #stored: Stored = { segments: 0, bytes: 0, newest_us: null };
  #early: Uint8Array[] = [];
  #open: ((payload: Uint8Array) => void) | null = null;

  private constructor(close: () => Promise<void>) {
    this.close = close;
  }

  /** Listens to a camera that may be paired later. Throws Problem where the broker is out of reach or refuses. */
  static async listen(owner: Owner, { id }: ExpectedCamera | PairedCamera): Promise<Arrivals> {
    const broker = await connectBroker(
      accessOf(owner).broker,
      (_topic, payload) => arrivals.#take(payload),
      true,
    );
    const arrivals = new Arrivals(() => broker.close());
    await broker.subscribe(topicName(owner.tenant, id, "seg"));
    return arrivals;
  }

  /** Of what has come from the camera since it was listened to. */
  get stored(): Stored {
    return this.#stored;
  }

  /** From here on its records can be opened. @param onSegment told each segment's boot. */
  trust(owner: Owner, camera: PairedCamera, onSegment: (boot: number) => void): void {
    const keys = openingKeys(owner);
    const trusted = trustCamera(owner, camera);
    this.#open = (payload) => {
      const record = openRecord(trusted, keys, "seg", payload);
      if (isRefused(record) || record.sealed === null) return;
      const segment = decodeMessage(ocellus.v1.SegmentRecord, record.sealed);
      if (isRefused(segment)) return;
      this.#stored = {
        segments: this.#stored.segments + 1,
        bytes: this.#stored.bytes + segment.objectBytes,
        newest_us: segment.wallUs === 0 ? null : segment.wallUs + segment.durationUs,
      };
      onSegment(record.boot);
    };
    for (const payload of this.#early.splice(0)) this.#open(payload);
  }

  #take(payload: Uint8Array): void {
    if (this.#open !== null) this.#open(payload);
    else if (this.#early.length < EARLY_MOST) this.#early.push(payload);
  }
}
