/**
 * AVCDecoderConfigurationRecord, the payload of `avcC` (ISO/IEC 14496-15 section 5.3.3.1).
 */
import { viewOf } from "../../agent/seal/bytes.ts";
import { Unjoinable } from "./mp4.ts";

/** The parameter sets of a record, as NAL units without start code or length. */
export interface ParameterSets {
  readonly sps: readonly Uint8Array[];
  readonly pps: readonly Uint8Array[];
}

/** Reads a record. Throws Unjoinable where it is cut, lacks an SPS or PPS, or its NAL units do not have lengths of 4 bytes. */
export function parameterSets(avcC: Uint8Array): ParameterSets {
  const view = viewOf(avcC);
  const broken = () => new Unjoinable("its avcC is malformed");
  if (avcC.length < 7 || view.getUint8(0) !== 1 || (view.getUint8(4) & 3) !== 3) throw broken();
  let at = 6;
  const take = (count: number): Uint8Array[] =>
    Array.from({ length: count }, () => {
      if (at + 2 > avcC.length) throw broken();
      const end = at + 2 + view.getUint16(at);
      if (end > avcC.length) throw broken();
      const unit = avcC.subarray(at + 2, end);
      at = end;
      return unit;
    });
  const sps = take(view.getUint8(5) & 31);
  if (at >= avcC.length) throw broken();
  at += 1;
  const pps = take(view.getUint8(at - 1));
  if (sps.length === 0 || pps.length === 0) throw broken();
  return { sps, pps };
}

/** The sets as they stand in a sample: each NAL unit after its length in 4 bytes. */
export function inBand({ sps, pps }: ParameterSets): Uint8Array {
  const units = [...sps, ...pps];
  const bytes = new Uint8Array(units.reduce((sum, unit) => sum + 4 + unit.length, 0));
  const view = viewOf(bytes);
  let at = 0;
  for (const unit of units) {
    view.setUint32(at, unit.length);
    bytes.set(unit, at + 4);
    at += 4 + unit.length;
  }
  return bytes;
}
