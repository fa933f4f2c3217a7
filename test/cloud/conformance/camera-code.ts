/**
 * The camera's own upload code as a driver: its S3 requests, signatures and HTTP client as they are, over Node's TLS in
 * place of the shim's.
 */
import type { Segment } from "../../../agent/runtime/native.d.ts";
import type { HttpAnswer, HttpFailure } from "../../../agent/upload/http.ts";
import { S3 } from "../../../agent/upload/s3.ts";
import { errorCode } from "../../../agent/upload/verdict.ts";
import { plain } from "../../agent/double/crypto.ts";
import { BaseDouble } from "../../agent/double/double.ts";
import { TlsConnection, WallClock } from "../../agent/main/real.ts";
import type { CameraDriver, CameraSession, Outcome } from "./driver.ts";

/** What the camera sends as plain bytes at most; anything longer is a sealed segment. */
const BYTES_MAX = 32_768;

export const cameraDriver: CameraDriver = {
  name: "the camera's own upload code",
  canOmitIfNoneMatch: false,
  async open(access, { clockOffset_ms = 0 } = {}): Promise<CameraSession> {
    const double = new BaseDouble(new WallClock());
    const store = new S3(
      {
        ...double.native,
        connect: (to, on) => new TlsConnection(to, on, bytesOf),
      },
      access,
      { connected() {} },
    );
    const wallUs = () => (Date.now() + clockOffset_ms) * 1000;
    return {
      async put(key, bytes, { ifNoneMatch }) {
        if (!ifNoneMatch) throw new Error("the camera puts only where nothing stands");
        const body = bytes.length > BYTES_MAX ? new SentSegment(bytes) : plain(bytes);
        return outcomeOf(await store.put(key, body, wallUs()));
      },
      async get(key) {
        const answer = await store.get(key, { first: 0, last: 65_535 }, wallUs());
        const body = "failed" in answer || answer.status >= 300 ? new Uint8Array() : answer.body;
        return { ...outcomeOf(answer), body };
      },
      async close() {
        store.close();
        double.clock.stop();
      },
    };
  },
};

function outcomeOf(answer: HttpAnswer | HttpFailure): Outcome {
  if ("failed" in answer) throw new Error(`${answer.failed}: ${answer.text}`);
  return { status: answer.status, code: errorCode(answer.body) || undefined };
}

function bytesOf(segment: Segment): Uint8Array {
  if (segment instanceof SentSegment) return segment.bytes;
  throw new TypeError("not a segment of this driver");
}

/** A segment that is sealed already: it can only be sent. */
class SentSegment implements Segment {
  readonly bytes: Uint8Array;
  readonly wraps = [];
  readonly commitment = new Uint8Array();
  readonly plainBytes = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get objectBytes(): number {
    return this.bytes.length;
  }

  get arenaBytes(): number {
    return this.bytes.length;
  }

  writeFragment = sealed;
  sealMetadata = sealed;
  seal = sealed;
  attachHead = sealed;
  close(): void {}
}

function sealed(): never {
  throw new Error("this segment is sealed");
}
