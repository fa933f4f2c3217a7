/**
 * Reading JSON that people or other programs wrote: every mistake gets one sentence that names the field.
 */
import { Problem } from "../build/problem.mjs";

/** A JSON object whose fields have not been checked yet. */
export type Fields = { readonly [name: string]: unknown };

/** Parses text as a JSON object. @param source what the sentence calls it, such as a path. */
export function parseFields(text: string, source: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Problem(`${source} is not JSON.`);
  }
  return asFields(value, source);
}

/** The value as an object. */
export function asFields(value: unknown, source: string): Fields {
  if (!isFields(value)) throw new Problem(`${source} must be a JSON object.`);
  return value;
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Refuses fields that are not in `known`, so that a typing error cannot pass as a default. */
export function onlyFields(fields: Fields, known: readonly string[], source: string): void {
  const unknown = Object.keys(fields).find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Problem(`${source} has an unknown field "${unknown}".`);
}

/** A text field. */
export function text(fields: Fields, name: string, source: string, shape?: RegExp): string {
  const value = fields[name];
  if (typeof value !== "string" || value === "" || (shape && !shape.test(value))) {
    throw new Problem(`${source}: "${name}" is missing or malformed.`);
  }
  return value;
}

/** A whole number from 0 on. */
export function count(fields: Fields, name: string, source: string): number {
  const value = fields[name];
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
    throw new Problem(`${source}: "${name}" must be a whole number.`);
  }
  return value;
}

/** Bytes in base64. @param length exact length in bytes, any if absent. */
export function bytes(fields: Fields, name: string, source: string, length?: number): Uint8Array {
  const value = text(fields, name, source, /^[A-Za-z0-9+/]*={0,2}$/);
  const decoded = new Uint8Array(Buffer.from(value, "base64"));
  if (length !== undefined && decoded.length !== length) {
    throw new Problem(`${source}: "${name}" must be ${length} bytes in base64.`);
  }
  return decoded;
}

/** A list of objects. */
export function list(fields: Fields, name: string, source: string): Fields[] {
  const value = fields[name];
  if (!Array.isArray(value)) throw new Problem(`${source}: "${name}" must be a list.`);
  return value.map((item, index) => asFields(item, `${source}: "${name}"[${index}]`));
}
