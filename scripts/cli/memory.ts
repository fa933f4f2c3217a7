/** `--mem`. */
import { InvalidArgumentError } from "commander";

/** @returns bytes */
export function memory(text: string): number {
  const megabytes = /^([1-9]\d{0,3})M$/.exec(text)?.[1];
  if (megabytes === undefined) throw new InvalidArgumentError("it takes megabytes, such as 38M.");
  return Number(megabytes) << 20;
}
