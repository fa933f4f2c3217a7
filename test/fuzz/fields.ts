/** Mutation of protobuf messages as messages: fields are dropped, repeated, moved, renumbered, resized, and given telling values. */
import { type Mutation, mutate } from "./fuzzing.ts";

interface Field {
  readonly number: number;
  /** A varint's value, or the bytes of a length-delimited field. */
  readonly value: bigint | Uint8Array;
}

const NUMBERS = [0n, 1n, 2n, 63n, 64n, 65n, 65_535n, 65_536n, 65_537n, 8_388_608n, 8_388_609n];
const LARGE = [2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 64n - 1n];
const TELLING = [...NUMBERS, ...LARGE];
const FIELD_NUMBERS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 40, 63, 64, 127, 128];
const LENGTHS = [0, 1, 7, 8, 9, 31, 32, 33, 63, 64, 65, 96, 4096];

/** One to four changes of a message; bytes that are none are changed as bytes, and now and then those that are one. */
export const mutateFields: Mutation = (input, others, random) => {
  const read = parse(input);
  if (read === null || random(8) === 0) return mutate(input, others, random);
  const fields = [...read];
  for (let change = random(4); change >= 0; change--) {
    const at = random(fields.length + 1);
    const field = fields[at];
    const other = parse(others[random(others.length)] ?? input) ?? [];
    switch (random(7)) {
      case 0:
        fields.splice(at, 1);
        break;
      case 1:
        if (field) fields.splice(random(fields.length + 1), 0, field);
        break;
      case 2: {
        const taken = other[random(other.length + 1)];
        if (taken) fields.splice(at, random(2), taken);
        break;
      }
      case 3:
        if (field) fields[at] = { ...field, number: FIELD_NUMBERS[random(18)] ?? 1 };
        break;
      case 4:
        fields.splice(at, 0, {
          number: FIELD_NUMBERS[random(18)] ?? 1,
          value: TELLING[random(TELLING.length)] ?? 0n,
        });
        break;
      default:
        if (field) fields[at] = { ...field, value: changed(field.value, others, random) };
    }
  }
  return encode(fields);
};

function changed(
  value: bigint | Uint8Array,
  others: readonly Uint8Array[],
  random: (below: number) => number,
): bigint | Uint8Array {
  if (typeof value === "bigint") return TELLING[random(TELLING.length)] ?? 0n;
  switch (random(4)) {
    case 0: {
      const resized = new Uint8Array(LENGTHS[random(LENGTHS.length)] ?? 0);
      resized.set(value.subarray(0, resized.length));
      return resized;
    }
    case 1:
      return value.subarray(0, Math.max(0, value.length - 1 - random(33)));
    case 2:
      // What is a message itself is changed as one.
      return mutateFields(value, others.length > 0 ? [value] : [], random);
    default:
      return mutate(value, [value], random);
  }
}

/** Null where it is no message of varints and length-delimited fields. */
function parse(bytes: Uint8Array): Field[] | null {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): bigint | null => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) return null;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return null;
  };
  while (at < bytes.length) {
    const tag = varint();
    const value = tag === null ? null : varint();
    if (tag === null || value === null) return null;
    const number = Number(tag >> 3n);
    if ((tag & 7n) === 0n) fields.push({ number, value });
    else if ((tag & 7n) === 2n && BigInt(at) + value <= BigInt(bytes.length)) {
      fields.push({ number, value: bytes.slice(at, at + Number(value)) });
      at += Number(value);
    } else return null;
  }
  return fields;
}

function encode(fields: readonly Field[]): Uint8Array {
  const out: number[] = [];
  const varint = (value: bigint) => {
    let rest = value;
    for (; rest > 0x7fn; rest >>= 7n) out.push(Number(rest & 0x7fn) | 0x80);
    out.push(Number(rest));
  };
  for (const { number, value } of fields) {
    const isNumber = typeof value === "bigint";
    varint(BigInt(number * 8 + (isNumber ? 0 : 2)));
    if (isNumber) varint(value);
    else {
      varint(BigInt(value.length));
      out.push(...value);
    }
  }
  return Uint8Array.from(out);
}
