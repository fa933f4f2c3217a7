/**
 * QEMU's control socket, QMP (QEMU's docs/interop/qmp-spec): JSON lines; a command gets an answer, events come in between.
 */
import type { Socket } from "node:net";
import { createInterface } from "node:readline";
import { Problem } from "../build/problem.mjs";

/** An event, such as RESET or WATCHDOG. */
export interface QmpEvent {
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}

interface Waiting {
  resolve(answer: unknown): void;
  reject(error: Error): void;
}

/** A connection. Its holder closes it. */
export class Qmp {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, Waiting>();
  #next = 1;

  private constructor(socket: Socket, onEvent: (event: QmpEvent) => void) {
    this.#socket = socket;
    const lines = createInterface({ input: socket });
    // What the socket itself says is enough.
    lines.on("error", () => {});
    lines.on("line", (line) => {
      const message = parsed(line);
      if (message !== null) this.#take(message, onEvent);
      // Its last line may be cut where QEMU ends; whatever else it is, no answer is to be had after it.
      else socket.destroy();
    });
    socket.on("error", () => {});
    socket.on("close", () => this.#end());
  }

  /** Begins to talk with a QEMU that may still be starting. Throws Problem where it ends instead. */
  static async open(socket: Socket, onEvent: (event: QmpEvent) => void): Promise<Qmp> {
    const qmp = new Qmp(socket, onEvent);
    await qmp.ask("qmp_capabilities");
    return qmp;
  }

  /** Runs a command. @returns what it returns. Throws Problem with QEMU's own words where it refuses. */
  ask(execute: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) return reject(new Problem("QEMU has ended."));
      this.#waiting.set(id, { resolve, reject });
      this.#socket.write(`${JSON.stringify({ execute, arguments: args, id })}\n`);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(message: unknown, onEvent: (event: QmpEvent) => void): void {
    const fields = fieldsOf(message);
    const [id, event, error] = [fields.get("id"), fields.get("event"), fields.get("error")];
    if (typeof event === "string")
      onEvent({ event, data: Object.fromEntries(fieldsOf(fields.get("data"))) });
    const waiting = typeof id === "number" ? this.#waiting.get(id) : undefined;
    if (waiting === undefined || typeof id !== "number") return;
    this.#waiting.delete(id);
    if (error === undefined) waiting.resolve(fields.get("return"));
    else waiting.reject(new Problem(`QEMU refuses: ${fieldsOf(error).get("desc")}`));
  }

  #end(): void {
    for (const { reject } of this.#waiting.values()) reject(new Problem("QEMU has ended."));
    this.#waiting.clear();
  }
}

/** What JSON says; null where it is none. */
function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

/** The members of an object out of JSON; none of anything else. */
function fieldsOf(value: unknown): ReadonlyMap<string, unknown> {
  return new Map(Object.entries(typeof value === "object" && value !== null ? value : {}));
}
