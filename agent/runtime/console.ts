/** `console` into the log, for libraries that warn. The agent itself calls `native.log`. */
import type { LogLevel, Native } from "./native.d.ts";

type Say = (...things: unknown[]) => void;

export function consoleFor(
  native: Pick<Native, "log">,
): Record<"debug" | "log" | "info" | "warn" | "error", Say> {
  const say =
    (level: LogLevel): Say =>
    (...things) =>
      native.log(level, things.map((thing) => describe(thing)).join(" "));
  return {
    debug: say("debug"),
    log: say("info"),
    info: say("info"),
    warn: say("warning"),
    error: say("error"),
  };
}

function describe(thing: unknown): string {
  return thing instanceof Error ? `${thing.name}: ${thing.message}` : String(thing);
}
