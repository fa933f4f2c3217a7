/**
 * The agent's bundle in QuickJS (quickjs-emscripten) over a double of the native contract that lives in Node.
 *
 * Objects with methods become proxies inside the engine, everything else is copied, and a callback runs in a turn of its own
 * with all promise jobs behind it, as the runtime does it. An engine's memory limit is no byte limit here: figures are what
 * the engine counts, on a 32-bit machine like the camera's.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { getQuickJS, type QuickJSContext, type QuickJSHandle } from "quickjs-emscripten";
import type { Native, NativeError } from "../../../agent/runtime/native.d.ts";
import { ensure } from "../../../scripts/build/ensure.mjs";

/** The text of the agent's bundle, built if need be. */
export async function bundleText(): Promise<string> {
  return readFileSync(join(await ensure("bundle"), "agent.mjs"), "utf8");
}

/** Helpers inside the engine that tell kinds of values apart and stand for objects of the host. */
const PRELUDE = `(() => {
  const ids = new WeakMap();
  return {
    kind(value) {
      if (value === null) return "null";
      if (typeof value !== "object") return typeof value;
      if (ids.has(value)) return "host";
      if (value instanceof Uint8Array) return "bytes";
      return Array.isArray(value) ? "array" : "object";
    },
    idOf: (value) => ids.get(value),
    bufferOf: (value) => value.buffer.slice(value.byteOffset, value.byteOffset + value.byteLength),
    bytesOf: (buffer) => new Uint8Array(buffer),
    keys: (value) => Object.keys(value),
    standFor(id, get, call, overrides) {
      const methods = new Map(Object.entries(overrides));
      const proxy = new Proxy({}, {
        get(_, name) {
          if (typeof name !== "string") return undefined;
          if (methods.has(name)) return methods.get(name);
          const [isMethod, value] = get(id, name);
          if (!isMethod) return value;
          const method = (...args) => call(id, name, ...args);
          methods.set(name, method);
          return method;
        },
      });
      ids.set(proxy, id);
      return proxy;
    },
    // Works on the engine's own memory, which the host sees only as copies.
    nativeOverrides: { wipe: (bytes) => { bytes.fill(0); } },
  };
})()`;

/** The same handle; its `close` also calls `release`. */
function closing<Handle extends { close(flush?: boolean): void }>(
  handle: Handle,
  release: () => void,
): Handle {
  const close = handle.close.bind(handle);
  handle.close = (flush) => {
    close(flush);
    release();
  };
  return handle;
}

export class Engine {
  readonly #vm: QuickJSContext;
  readonly #helpers: QuickJSHandle;
  readonly #hosts: object[] = [];
  /** Functions of the engine that the host may call. */
  readonly #kept = new Map<unknown, QuickJSHandle>();
  readonly #released: QuickJSHandle[] = [];
  /** How many functions of the engine the host is inside of. */
  #depth = 0;
  readonly #get: QuickJSHandle;
  readonly #call: QuickJSHandle;
  /** What would have ended the process: messages of uncaught exceptions, and of `exit`. */
  readonly defects: string[] = [];

  private constructor(vm: QuickJSContext) {
    this.#vm = vm;
    this.#helpers = vm.unwrapResult(vm.evalCode(PRELUDE, "prelude.js"));
    this.#get = vm.newFunction("get", (id, name) =>
      this.#answer(() => {
        const value: unknown = Reflect.get(this.#host(vm.getNumber(id)), vm.getString(name));
        return typeof value === "function" ? [true] : [false, value];
      }),
    );
    this.#call = vm.newFunction("call", (id, name, ...args) =>
      this.#answer(() => {
        const host = this.#host(vm.getNumber(id));
        const method: unknown = Reflect.get(host, vm.getString(name));
        if (typeof method !== "function") throw new TypeError("not a method");
        return Reflect.apply(
          method,
          host,
          args.map((arg) => this.#toHost(arg)),
        );
      }),
    );
  }

  /** An engine whose global `native` is `native`. The stack limit is the camera's. */
  static async start(native: Native): Promise<Engine> {
    const quickjs = await getQuickJS();
    const runtime = quickjs.newRuntime();
    runtime.setMaxStackSize(256 * 1024);
    const engine = new Engine(runtime.newContext());
    const vm = engine.#vm;
    const overrides = vm.getProp(engine.#helpers, "nativeOverrides");
    engine
      .#standFor(engine.#releasing(native), overrides)
      .consume((h) => vm.setProp(vm.global, "native", h));
    overrides.dispose();
    return engine;
  }

  /**
   * The contract with callbacks let go once they cannot be called any more, as the runtime does: else the engine's heap
   * would grow with every timer and connection.
   */
  #releasing(native: Native): Native {
    const timers = new Map<number, () => void>();
    const forget = (timer: number) => {
      this.#release(timers.get(timer));
      timers.delete(timer);
    };
    return {
      ...native,
      setTimer: (ms, callback) => {
        const timer = native.setTimer(ms, () => {
          callback();
          forget(timer);
        });
        timers.set(timer, callback);
        return timer;
      },
      clearTimer: (timer) => {
        native.clearTimer(timer);
        forget(timer);
      },
      connect: (to, on) => {
        const release = this.#releaserOf(on);
        const closed = (error: NativeError | null) => {
          on.closed(error);
          release();
        };
        return closing(native.connect(to, { ...on, closed }), release);
      },
      openEncoder: (stream, on) => {
        const release = this.#releaserOf(on);
        const opened = native.openEncoder(stream, on);
        if (!("error" in opened)) return closing(opened, release);
        release();
        return opened;
      },
    };
  }

  #releaserOf(on: object): () => void {
    return () => {
      for (const callback of Object.values(on)) this.#release(callback);
    };
  }

  /** Lets a function go; its handle stays until no function of the engine runs, since it may be this one. */
  #release(callback: unknown): void {
    const handle = this.#kept.get(callback);
    if (handle === undefined) return;
    this.#kept.delete(callback);
    this.#released.push(handle);
    this.#disposeReleased();
  }

  #disposeReleased(): void {
    if (this.#depth > 0) return;
    for (const handle of this.#released.splice(0)) handle.dispose();
  }

  /** Evaluates a module and runs its promise jobs. */
  run(code: string, name = "bundle.mjs"): void {
    const result = this.#vm.evalCode(code, name, { type: "module" });
    if (result.error) this.#defect(result.error);
    else result.value.dispose();
    this.#drain();
  }

  /** Evaluates an expression and copies its value out. */
  value(expression: string): unknown {
    const handle = this.#vm.unwrapResult(this.#vm.evalCode(expression));
    return handle.consume((h) => this.#toHost(h));
  }

  /** Functions of the engine that the host may still call. */
  get callbacks(): number {
    return this.#kept.size;
  }

  /** Bytes that the engine has allocated and not freed. */
  heapBytes(): number {
    const usage = this.#vm.runtime.computeMemoryUsage();
    const bytes = usage.consume((h) =>
      this.#vm.getProp(h, "memory_used_size").consume((size) => this.#vm.getNumber(size)),
    );
    return bytes;
  }

  dispose(): void {
    const own = [this.#get, this.#call, this.#helpers];
    for (const handle of [...this.#kept.values(), ...this.#released, ...own]) handle.dispose();
    this.#kept.clear();
    const { runtime } = this.#vm;
    this.#vm.dispose();
    runtime.dispose();
  }

  #host(id: number): object {
    const host = this.#hosts[id];
    if (host === undefined) throw new Error(`no host object ${id}`);
    return host;
  }

  #answer(work: () => unknown): QuickJSHandle | { error: QuickJSHandle } {
    try {
      return this.#toEngine(work());
    } catch (error) {
      const { name, message } = error instanceof Error ? error : new Error(String(error));
      return { error: this.#vm.newError({ name, message }) };
    }
  }

  #helper(name: string, ...args: QuickJSHandle[]): QuickJSHandle {
    return this.#vm.unwrapResult(this.#vm.callMethod(this.#helpers, name, args));
  }

  #toEngine(value: unknown): QuickJSHandle {
    const vm = this.#vm;
    if (value === undefined) return vm.undefined;
    if (value === null) return vm.null;
    if (typeof value === "number") return vm.newNumber(value);
    if (typeof value === "string") return vm.newString(value);
    if (typeof value === "boolean") return value ? vm.true : vm.false;
    if (value instanceof Uint8Array) {
      const buffer = vm.newArrayBuffer(new Uint8Array(value).buffer);
      return buffer.consume((h) => this.#helper("bytesOf", h));
    }
    if (Array.isArray(value)) {
      const array = vm.newArray();
      value.forEach((item, i) => {
        this.#toEngine(item).consume((h) => vm.setProp(array, i, h));
      });
      return array;
    }
    if (typeof value !== "object") throw new TypeError(`cannot pass a ${typeof value}`);
    const plain = Object.getPrototypeOf(value) === Object.prototype;
    if (!plain || Object.values(value).some((part) => typeof part === "function")) {
      return this.#standFor(value, null);
    }
    const object = vm.newObject();
    for (const [key, part] of Object.entries(value)) {
      this.#toEngine(part).consume((h) => vm.setProp(object, key, h));
    }
    return object;
  }

  #standFor(host: object, overrides: QuickJSHandle | null): QuickJSHandle {
    const vm = this.#vm;
    let id = this.#hosts.indexOf(host);
    if (id < 0) id = this.#hosts.push(host) - 1;
    const none = vm.newObject();
    const proxy = vm
      .newNumber(id)
      .consume((h) => this.#helper("standFor", h, this.#get, this.#call, overrides ?? none));
    none.dispose();
    return proxy;
  }

  #toHost(handle: QuickJSHandle): unknown {
    const vm = this.#vm;
    const kind = this.#helper("kind", handle).consume((h) => vm.getString(h));
    switch (kind) {
      case "undefined":
        return undefined;
      case "null":
        return null;
      case "number":
        return vm.getNumber(handle);
      case "string":
        return vm.getString(handle);
      case "boolean":
        return vm.dump(handle);
      case "host":
        return this.#host(this.#helper("idOf", handle).consume((h) => vm.getNumber(h)));
      case "bytes":
        return this.#helper("bufferOf", handle).consume((h) =>
          vm.getArrayBuffer(h).consume((view) => new Uint8Array(view.value)),
        );
      case "function":
        return this.#callback(handle.dup());
      case "array":
      case "object":
        return this.#copyOut(handle, kind === "array");
      default:
        throw new TypeError(`cannot pass a ${kind} to the host`);
    }
  }

  #copyOut(handle: QuickJSHandle, isArray: boolean): unknown {
    const vm = this.#vm;
    const keys: unknown = this.#helper("keys", handle).consume((h) => vm.dump(h));
    if (!Array.isArray(keys)) throw new TypeError("keys are an array");
    const entries = keys.map((key): [string, unknown] => [
      String(key),
      vm.getProp(handle, String(key)).consume((h) => this.#toHost(h)),
    ]);
    return isArray ? entries.map(([, part]) => part) : Object.fromEntries(entries);
  }

  #callback(handle: QuickJSHandle): (...args: unknown[]) => void {
    const call = (...args: unknown[]) => {
      // Let go: nobody may call it, and nobody does but a close that came in between.
      if (!this.#kept.has(call)) return;
      const given = args.map((arg) => this.#toEngine(arg));
      this.#depth += 1;
      const result = this.#vm.callFunction(handle, this.#vm.undefined, ...given);
      this.#depth -= 1;
      for (const arg of given) arg.dispose();
      if (result.error) this.#defect(result.error);
      else result.value.dispose();
      this.#drain();
      this.#disposeReleased();
    };
    this.#kept.set(call, handle);
    return call;
  }

  #drain(): void {
    const result = this.#vm.runtime.executePendingJobs();
    if (result.error) this.#defect(result.error);
    else result.dispose();
  }

  #defect(error: QuickJSHandle): void {
    const dumped: unknown = error.consume((h) => this.#vm.dump(h));
    this.defects.push(typeof dumped === "object" ? JSON.stringify(dumped) : String(dumped));
  }
}
