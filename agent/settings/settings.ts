/**
 * What the owner may set: ranges, defaults, and how a command changes them. Message: `Settings` in identity.proto.
 * Pure; the file is read and written through identity/files.ts.
 */
import type { ocellus } from "#proto";

/** The schema this version writes and understands. */
export const SETTINGS_SCHEMA = 1;

/** The settings in force, every default filled in. */
export interface Settings {
  /** Rises with each change that was kept; 0 while nothing was ever set. */
  readonly generation: number;
  /** 4 to 30 s. */
  readonly segmentS: number;
  /** False: object names say "all" instead of event or continuous. */
  readonly nameClasses: boolean;
  /** 10 to 3,600 s. */
  readonly statusMaxSilenceS: number;
  /** 64 to 20,000 kbit/s; 0 leaves the encoder's own value. */
  readonly bitrateKbps: number;
  /** 1 to 60 frames a second; 0 leaves the encoder's own value. */
  readonly frameRate: number;
  /** `null` leaves the encoder's own value. */
  readonly flip: boolean | null;
}

export const DEFAULT_SETTINGS: Settings = {
  generation: 0,
  segmentS: 4,
  nameClasses: true,
  statusMaxSilenceS: 60,
  bitrateKbps: 0,
  frameRate: 0,
  flip: null,
};

/** One sentence for the owner. */
export interface Mistake {
  readonly mistake: string;
}

type Wire = ocellus.v1.Settings.$Properties;

/** What a number may be. */
export interface Range {
  readonly name: string;
  readonly unit: string;
  readonly low: number;
  readonly high: number;
  /** True where 0 means "the encoder's own value". */
  readonly zero: boolean;
}

/** Of each setting that is a number; nowhere else do they stand. */
export const RANGES = {
  segmentS: { name: "segment_s", unit: "seconds", low: 4, high: 30, zero: false },
  statusMaxSilenceS: {
    name: "status_max_silence_s",
    unit: "seconds",
    low: 10,
    high: 3600,
    zero: false,
  },
  bitrateKbps: { name: "bitrate_kbps", unit: "kbit/s", low: 64, high: 20_000, zero: true },
  frameRate: { name: "frame_rate", unit: "frames a second", low: 1, high: 60, zero: true },
} as const satisfies Record<string, Range>;

function numberIn(range: Range, value: number | null | undefined): number | null | Mistake {
  if (value === null || value === undefined) return null;
  if ((value === 0 && range.zero) || (value >= range.low && value <= range.high)) return value;
  const zero = range.zero ? ", or 0 for the encoder's own value" : "";
  return {
    mistake: `${range.name} must be ${range.low} to ${range.high} ${range.unit}${zero}, not ${value}.`,
  };
}

/**
 * The settings after `patch`: absent fields stay as they are, one value out of range refuses the whole patch. The
 * generation rises by one if anything changed; the patch's own generation is not looked at.
 */
export function changeSettings(current: Settings, patch: Wire): Settings | Mistake {
  const schema = patch.schema ?? 0;
  if (schema > SETTINGS_SCHEMA) {
    return { mistake: `This camera knows settings of schema ${SETTINGS_SCHEMA}, not ${schema}.` };
  }
  const numbers = { segmentS: 0, statusMaxSilenceS: 0, bitrateKbps: 0, frameRate: 0 };
  for (const key of ["segmentS", "statusMaxSilenceS", "bitrateKbps", "frameRate"] as const) {
    const value = numberIn(RANGES[key], patch[key]);
    if (value !== null && typeof value === "object") return value;
    numbers[key] = value ?? current[key];
  }
  const next: Settings = {
    generation: current.generation,
    ...numbers,
    nameClasses: patch.nameClasses ?? current.nameClasses,
    flip: patch.flip ?? current.flip,
  };
  return sameValues(current, next) ? current : { ...next, generation: current.generation + 1 };
}

function sameValues(a: Settings, b: Settings): boolean {
  return (
    a.segmentS === b.segmentS &&
    a.nameClasses === b.nameClasses &&
    a.statusMaxSilenceS === b.statusMaxSilenceS &&
    a.bitrateKbps === b.bitrateKbps &&
    a.frameRate === b.frameRate &&
    a.flip === b.flip
  );
}

/** What stands in the state file. A mistake (a value out of range, a newer schema) means: use the defaults. */
export function settingsFromFile(file: Wire): Settings | Mistake {
  const changed = changeSettings(DEFAULT_SETTINGS, file);
  return "mistake" in changed ? changed : { ...changed, generation: file.generation ?? 0 };
}

/** As the state file and status carry them. */
export function settingsToWire(settings: Settings): Wire {
  const { flip, ...rest } = settings;
  return { schema: SETTINGS_SCHEMA, ...rest, ...(flip === null ? {} : { flip }) };
}
