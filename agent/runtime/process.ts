/** As much of Node's `process` as the libraries ask for. */
export interface Process {
  readonly env: Readonly<Record<string, string>>;
  /** Libraries compare it with old Node versions. */
  readonly version: string;
  readonly versions: Readonly<Record<string, string>>;
  /** Runs `callback` before the next turn. */
  nextTick(callback: (...args: unknown[]) => void, ...args: unknown[]): void;
}

export function processFor(runSoon: (callback: () => void) => void): Process {
  return {
    env: {},
    version: "v20.0.0",
    versions: {},
    nextTick: (callback, ...args) => runSoon(() => callback(...args)),
  };
}
