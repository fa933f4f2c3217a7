/** Footage through a whole camera, and its owner who opens what arrived. */

import { parseSegmentObjectName, type SegmentName } from "../../../agent/seal/names.ts";
import { type OpenedSegment, openSegment } from "../../../agent/seal/open.ts";
import { parseAnyObject } from "../../../agent/seal/pruned.ts";
import { isRefused } from "../../../agent/seal/refusal.ts";
import type { ClipFrame } from "../double/clip.ts";
import type { CameraRig } from "../main/rig.ts";

export interface OwnedSegment extends OpenedSegment {
  readonly name: SegmentName;
  /** The joined chunks. */
  readonly mp4: Buffer;
}

/** Every segment in the store as the owner opens it, by number; throws where one is refused. */
export function openAll(rig: CameraRig): OwnedSegment[] {
  const { claimed, owner } = rig;
  if (claimed === null) throw new Error("the camera is not paired");
  const trusted = { camera: owner.camera, tenant: owner.tenant, signingKey: claimed.signingKey };
  const opened = rig.segments.map((text) => {
    const name = parseSegmentObjectName(text);
    if (isRefused(name)) throw new Error(`${text}: ${name.refused}`);
    const object = parseAnyObject(rig.store.objects.get(text) ?? new Uint8Array(0));
    if (isRefused(object)) throw new Error(`${text}: ${object.refused}`);
    const segment = openSegment(rig.double.crypto, object, name, trusted, [owner.vault]);
    if (isRefused(segment)) throw new Error(`${text}: ${segment.refused}`);
    const chunks = segment.chunks.map((chunk) => chunk ?? new Uint8Array(0));
    return { ...segment, name, mp4: Buffer.concat(chunks) };
  });
  return opened.sort((a, b) => a.name.seq - b.name.seq);
}

/** Plays a clip's frames into the encoder's ring in (virtual) real time. */
export async function play(
  rig: CameraRig,
  frames: readonly ClipFrame[],
  stepMs = 40,
): Promise<void> {
  for (const { payload, key } of frames) {
    rig.ring.push({ payload, key, captureUs: rig.double.clock.nowUs() });
    await rig.advance(stepMs);
  }
}

/** Frames that segments hold, by their metadata. */
export function framesOf(segments: readonly OwnedSegment[]): number {
  const fragments = segments.flatMap(({ metadata }) => metadata.fragments);
  return fragments.reduce((sum, { frames }) => sum + (frames ?? 0), 0);
}
