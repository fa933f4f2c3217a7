/** A paired camera's pipeline on the double: an encoder that tests feed, a store, and an owner who opens what arrives. */
import { ocellus } from "#proto";
import type { StoreAccess } from "../../../agent/identity/access.ts";
import { same } from "../../../agent/identity/encoding.ts";
import {
  makePipeline,
  type Pipeline,
  type PipelineDeps,
  type PipelineSettings,
} from "../../../agent/pipeline.ts";
import type { ChainHead } from "../../../agent/seal/chain.ts";
import type { SegmentObject } from "../../../agent/seal/container.ts";
import type { RecipientKey } from "../../../agent/seal/crypto.ts";
import { Epochs } from "../../../agent/seal/epochs.ts";
import { parseSegmentObjectName, type SegmentName } from "../../../agent/seal/names.ts";
import { checkChain, type OpenedSegment, openSegment } from "../../../agent/seal/open.ts";
import { parseAnyObject } from "../../../agent/seal/pruned.ts";
import { isRefused, type Refused } from "../../../agent/seal/refusal.ts";
import { RecordWriter } from "../../../agent/seal/writer.ts";
import { CONFIG, syntheticFrame } from "../double/clip.ts";
import { seededRandom } from "../double/crypto.ts";
import { createDouble, type Double, type DoubleOptions } from "../double/double.ts";
import { MemoryRing } from "../double/ring.ts";
import { DoubleStore, type StoreRequest } from "../double/store.ts";

/** The store's wall clock when the camera's monotonic clock is at zero: 2026-11-20, after the double's build time. */
export const STORE_S = 1_795_176_000;

export const SETTINGS: PipelineSettings = {
  segmentS: 4,
  nameClasses: true,
  bitrateKbps: 0,
  frameRate: 0,
  flip: null,
};

export const ACCESS: StoreAccess = {
  endpoint: "https://store.test",
  region: "us-east-1",
  bucket: "footage",
  accessKeyId: "AKCAMERA",
  secretAccessKey: "secret",
  caPem: "CA",
  pathStyle: true,
  sessionToken: "",
};

export interface RigOptions {
  readonly double?: DoubleOptions;
  readonly deps?: Partial<PipelineDeps>;
  readonly ringBytes?: number;
  /** Wall clock of the store at monotonic zero, seconds. */
  readonly storeS?: number;
  /** Listens on nothing: the test makes the store itself. */
  readonly noStore?: boolean;
}

export interface Opened extends OpenedSegment {
  readonly name: SegmentName;
  readonly object: SegmentObject;
}

export class Rig {
  readonly double: Double;
  readonly store: DoubleStore;
  readonly pipeline: Pipeline;
  readonly deps: PipelineDeps;
  readonly owner: { publicKey: Uint8Array; secretKey: Uint8Array };
  readonly uploaded: ocellus.v1.SegmentRecord.$Properties[] = [];
  readonly floors: number[] = [];
  /** Since when the time was known, each time that was said. */
  readonly known: number[] = [];
  readonly heads: (readonly ChainHead[])[] = [];
  changes = 0;
  proven = 0;
  readonly accessFailures: string[] = [];
  /** Wall clock of the store at monotonic zero, seconds; tests may move it. */
  storeS: number;
  ring: MemoryRing;
  /** Frames fed so far, and the bytes of the last one. */
  fed = 0;
  lastPayload: Uint8Array = new Uint8Array(0);

  constructor(options: RigOptions = {}) {
    this.double = createDouble({ random: seededRandom("rig"), ...options.double });
    const { crypto, clock } = this.double;
    this.storeS = options.storeS ?? STORE_S;
    this.store = new DoubleStore(this.double.network, {
      wallS: () => Math.floor(this.storeS + clock.nowUs() / 1e6),
    });
    if (options.noStore) this.double.network.remove("store.test", 443);
    this.ring = new MemoryRing(options.ringBytes);
    this.ring.setConfig(CONFIG);
    this.double.door.start(this.ring);
    const signing = crypto.signKeypair();
    this.owner = crypto.boxKeypair();
    const identity = {
      camera: crypto.random(16),
      tenant: "home",
      boot: 7,
      signingPublic: signing.publicKey,
      signingSecret: signing.secretKey,
      ...options.deps?.identity,
    };
    const epochs = new Epochs(this.double.native);
    epochs.setRecipients({ version: 3, boxKeys: [this.owner.publicKey] });
    const records = new RecordWriter(this.double.native, identity, epochs);
    this.deps = {
      epochs,
      records,
      access: { current: ACCESS, previous: null },
      settings: SETTINGS,
      timeFloorUs: 0,
      chainHeads: [],
      accessFailed: (reason) => {
        this.accessFailures.push(reason);
      },
      accessProven: () => {
        this.proven += 1;
      },
      persistTimeFloor: (floorUs) => {
        this.floors.push(floorUs);
      },
      persistChainHeads: (heads) => {
        this.heads.push(heads);
      },
      timeKnown: (sinceUs) => {
        this.known.push(sinceUs);
      },
      onUploaded: (segment) => {
        this.uploaded.push(segment);
      },
      onChange: () => {
        this.changes += 1;
      },
      ...options.deps,
      identity,
    };
    this.pipeline = makePipeline(this.double.native, this.deps);
  }

  /** Feeds frames in real (virtual) time: `seconds` at 25 fps with a key frame every `gop`. */
  async feed(seconds: number, options: { gop?: number; bytes?: number; stepMs?: number } = {}) {
    const { gop = 25, bytes = 2_000, stepMs = 40 } = options;
    const start = this.fed;
    for (let i = 0; i < Math.round((seconds * 1000) / stepMs); i++) {
      const key = (this.fed - start) % gop === 0;
      const payload = syntheticFrame(this.fed, key ? bytes * 4 : bytes, key);
      this.ring.push({ payload, key, captureUs: this.double.clock.nowUs() });
      this.fed += 1;
      this.lastPayload = payload;
      await this.double.clock.advance(stepMs);
    }
  }

  /** Stops the pipeline, letting `withinMs` and a turn pass. */
  async stop(withinMs = 3_000): Promise<void> {
    let stopped = false;
    const end = this.pipeline.stop(withinMs).then(() => {
      stopped = true;
    });
    await this.double.clock.until(() => stopped, withinMs + 100);
    await end;
    this.deps.epochs.close();
  }

  /** Segments in the store, parsed, in the order in which they arrived. */
  objects(store: DoubleStore = this.store) {
    return [...store.objects].flatMap(([text, bytes]) => {
      const name = parseSegmentObjectName(text);
      if (isRefused(name)) return [];
      const object = parseAnyObject(bytes);
      if (isRefused(object)) throw new Error(`parse: ${object.refused}`);
      return [{ name, bytes, object }];
    });
  }

  /** The same as their owner opens them; throws where one is refused. */
  opened(store: DoubleStore = this.store): Opened[] {
    return this.objects(store).map(({ name, bytes }) => this.open(name, bytes));
  }

  open(name: SegmentName, bytes: Uint8Array): Opened {
    const opened = this.openAs(this.owner, name, bytes);
    if (isRefused(opened)) throw new Error(`open: ${opened.refused}`);
    return opened;
  }

  /** As whoever holds `key`. */
  openAs(key: RecipientKey, name: SegmentName, bytes: Uint8Array): Opened | Refused {
    const object = parseAnyObject(bytes);
    if (isRefused(object)) return object;
    const { camera, tenant, signingPublic } = this.deps.identity;
    const trusted = { camera, tenant, signingKey: signingPublic };
    const opened = openSegment(this.double.crypto, object, name, trusted, [key]);
    return isRefused(opened) ? opened : { ...opened, name, object };
  }

  /** An opened segment's whole object, as it stands in the store. */
  bytesOf(opened: Opened): Uint8Array {
    const found = this.objects().find(({ name }) => same(name.hash, opened.name.hash));
    if (found === undefined) throw new Error("it is not in the store");
    return found.bytes;
  }

  /** The stage as status would tell it. */
  stage(name: keyof typeof ocellus.v1.StageName): ocellus.v1.Stage.$Properties {
    const wanted = ocellus.v1.StageName[name];
    const found = this.pipeline.snapshot().stages.find((stage) => stage.name === wanted);
    if (found === undefined) throw new Error(`no stage ${name}`);
    return found;
  }

  /** The main stream's status. */
  get stream(): ocellus.v1.StreamStatus.$Properties {
    const [stream] = this.pipeline.snapshot().streams;
    if (stream === undefined) throw new Error("no stream");
    return stream;
  }
}

/** Whether a segment of the main stream is put. */
export const isSegment = ({ method, path }: StoreRequest): boolean =>
  method === "PUT" && path.includes("/0/");

/** Frames that opened segments hold. */
export function framesIn(opened: readonly Opened[]): number {
  const fragments = opened.flatMap(({ metadata }) => metadata.fragments);
  return fragments.reduce((sum, { frames }) => sum + (frames ?? 0), 0);
}

/** Whether segments, in order, are links of one chain. */
export function chainHolds(rig: Rig, opened: readonly Opened[]): boolean {
  return opened.every(({ object }, i) => {
    const before = opened[i - 1];
    return before === undefined || checkChain(rig.double.crypto, before.object, object) === null;
  });
}

/** The MP4 of an opened segment that has all its chunks. */
export function mp4Of(opened: OpenedSegment): Uint8Array {
  return new Uint8Array(
    Buffer.concat(
      opened.chunks.map((chunk) => {
        if (chunk === null) throw new Error("a chunk is missing");
        return chunk;
      }),
    ),
  );
}
