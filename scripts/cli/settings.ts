/** A camera's settings in words: what there is to set, how it is typed, and how what is in force is shown. */
import type { ocellus } from "#proto";
import { DEFAULT_SETTINGS, RANGES, type Range } from "../../agent/settings/settings.ts";
import { Misuse } from "./misuse.ts";
import { columns } from "./owner-options.ts";

type Wire = ocellus.v1.Settings.$Properties;
type Value = number | boolean | null;

interface Setting {
  /** Null: on or off. */
  readonly range: Range | null;
  readonly about: string;
  /** `null` and 0 leave it to the encoder. */
  readonly normal: Value;
  readonly of: (settings: Wire) => Value;
  readonly change: (value: string, name: string) => Wire;
}

/** By the names that are typed. */
const SETTINGS: { readonly [name: string]: Setting } = {
  [RANGES.segmentS.name]: {
    range: RANGES.segmentS,
    about: "length of a segment",
    normal: DEFAULT_SETTINGS.segmentS,
    of: ({ segmentS }) => segmentS ?? null,
    change: (value, name) => ({ segmentS: number(value, name) }),
  },
  name_classes: {
    range: null,
    about: "whether objects' names tell event from continuous",
    normal: DEFAULT_SETTINGS.nameClasses,
    of: ({ nameClasses }) => nameClasses ?? null,
    change: (value, name) => ({ nameClasses: yesNo(value, name) }),
  },
  [RANGES.statusMaxSilenceS.name]: {
    range: RANGES.statusMaxSilenceS,
    about: "longest silence between two statuses",
    normal: DEFAULT_SETTINGS.statusMaxSilenceS,
    of: ({ statusMaxSilenceS }) => statusMaxSilenceS ?? null,
    change: (value, name) => ({ statusMaxSilenceS: number(value, name) }),
  },
  [RANGES.bitrateKbps.name]: {
    range: RANGES.bitrateKbps,
    about: "of the video",
    normal: DEFAULT_SETTINGS.bitrateKbps,
    of: ({ bitrateKbps }) => bitrateKbps ?? null,
    change: (value, name) => ({ bitrateKbps: number(value, name) }),
  },
  [RANGES.frameRate.name]: {
    range: RANGES.frameRate,
    about: "of the video",
    normal: DEFAULT_SETTINGS.frameRate,
    of: ({ frameRate }) => frameRate ?? null,
    change: (value, name) => ({ frameRate: number(value, name) }),
  },
  flip: {
    range: null,
    about: "whether the picture is turned upside down",
    normal: DEFAULT_SETTINGS.flip,
    of: ({ flip }) => flip ?? null,
    change: (value, name) => ({ flip: yesNo(value, name) }),
  },
};
const NAMES = Object.keys(SETTINGS).join(", ");

/** A line for each, with its unit, range and default. */
export function settingsHelp(): string {
  const rows = Object.entries(SETTINGS).map(([name, { range, about, normal }]) => {
    const zero = range?.zero ? ", or 0 for the encoder's own" : "";
    const values = range ? `${range.low} to ${range.high} ${range.unit}${zero}` : "on or off";
    return [`  ${name}`, `${values}; default ${words(range, normal)}: ${about}`];
  });
  return columns(rows);
}

/** `name=value` words as the message that changes just these. Throws Misuse for an unknown name or malformed value. */
export function parseSettings(typed: readonly string[]): Wire {
  const changed: Wire = { schema: 1 };
  for (const word of typed) {
    const at = word.indexOf("=");
    if (at < 0) throw new Misuse(`write the value of ${word} behind it, as in ${word}=VALUE.`);
    const [name, value] = [word.slice(0, at), word.slice(at + 1)];
    const setting = Object.hasOwn(SETTINGS, name) ? SETTINGS[name] : undefined;
    if (!setting) throw new Misuse(`there is no setting "${name}"; there are ${NAMES}.`);
    Object.assign(changed, setting.change(value, name));
  }
  return changed;
}

/** Those in force, a line for each. */
export function showSettings(settings: Wire): string {
  const rows = Object.entries(SETTINGS).map(([name, { range, normal, of }]) => {
    const value = of(settings);
    const usual = value === normal ? "default" : `default ${words(range, normal)}`;
    return [name, `${words(range, value)} (${usual})`];
  });
  return columns(rows);
}

/** Those in force that are not the defaults, in one line. */
export function showChanged(settings: Wire): string {
  const changed = Object.entries(SETTINGS).flatMap(([name, { range, normal, of }]) =>
    of(settings) === normal ? [] : [`${name} ${words(range, of(settings))}`],
  );
  if (changed.length === 0) return "all at their defaults";
  return `${changed.join(", ")}; all else at its default`;
}

/** Those in force by the same names, as JSON. */
export function settingsJson(settings: Wire | null | undefined) {
  const values = Object.entries(SETTINGS).map(([name, { of }]) => [name, of(settings ?? {})]);
  return { ...Object.fromEntries(values), generation: settings?.generation ?? 0 };
}

function words(range: Range | null, value: Value): string {
  if (value === null || (value === 0 && range?.zero)) return "the encoder's own";
  if (typeof value === "boolean") return value ? "on" : "off";
  return `${value} ${range?.unit ?? ""}`.trim();
}

function number(value: string, name: string): number {
  if (/^\d{1,9}$/.test(value)) return Number(value);
  throw new Misuse(`${name} takes a whole number, not "${value}".`);
}

function yesNo(value: string, name: string): boolean {
  if (value === "true" || value === "on" || value === "yes") return true;
  if (value === "false" || value === "off" || value === "no") return false;
  throw new Misuse(`${name} takes on or off, not "${value}".`);
}
