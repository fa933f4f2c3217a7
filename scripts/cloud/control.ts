/**
 * Managing a running cloud from another process of the same user: HTTP on a private Unix socket in the
 * state directory. Who can open the socket could read the credentials' file too, so it asks for nothing more.
 *
 * The socket also keeps a second cloud off the same directory: while it answers, the directory is in use.
 */
import { rm } from "node:fs/promises";
import { createServer, type IncomingMessage, request } from "node:http";
import { asTyped } from "../build/invoked.mjs";
import { errorCode, Problem } from "../build/problem.mjs";
import type { CameraName, CloudAccess, CloudControl } from "./access.ts";
import { controlSocket } from "./state.ts";

/** sockaddr_un's path less its terminating zero (unix(7)). */
const SOCKET_PATH_MAX_BYTES = 107;

/** The socket of a cloud. */
export interface ControlDoor {
  /** Lets other processes in; before, they are told that the cloud is starting. */
  serve(control: CloudControl): void;
  close(): Promise<void>;
}

/**
 * Takes a state directory for this process.
 * @throws Problem where a cloud has it already, or the path is too long for a socket.
 */
export async function openControl(directory: string): Promise<ControlDoor> {
  const path = controlSocket(directory);
  if (Buffer.byteLength(path) > SOCKET_PATH_MAX_BYTES) {
    throw new Problem(`${directory} is too long a path; choose a shorter one with --state.`);
  }
  if (await answers(directory)) {
    throw new Problem(
      `a cloud is running on ${directory} already; stop it, or choose another with --state.`,
    );
  }
  await rm(path, { force: true });
  let control: CloudControl | undefined;
  const server = createServer((incoming, outgoing) => {
    dispatch(control, incoming).then(
      (result) => outgoing.end(JSON.stringify({ result: result ?? null })),
      (error: unknown) => {
        outgoing.statusCode = error instanceof Problem ? 400 : 500;
        outgoing.end(
          JSON.stringify({ trouble: error instanceof Error ? error.message : "failed" }),
        );
      },
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    // The directory may be one that others can enter; the socket is bound before listen() returns.
    const mask = process.umask(0o177);
    server.listen(path, resolve);
    process.umask(mask);
  });
  return {
    serve(served) {
      control = served;
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

/**
 * The control of the cloud that runs on a state directory.
 * @throws Problem where none runs there.
 */
export async function connectCloud(directory: string): Promise<CloudControl> {
  if (!(await answers(directory))) {
    throw new Problem(
      `no cloud is running on ${directory}; start one with \`${asTyped("cloud")}\`.`,
    );
  }
  const call = (verb: string, name: Partial<CameraName> = {}): Promise<unknown> =>
    post(directory, verb, name);
  const access = async (verb: string, name: Partial<CameraName>): Promise<CloudAccess> => {
    const result = await call(verb, name);
    if (isAccess(result)) return result;
    throw new Error(`the cloud answered ${verb} with another shape`);
  };
  return {
    owner: (tenant) => access("owner", tenant === undefined ? {} : { tenant }),
    addCamera: (name) => access("addCamera", name),
    rotateCamera: (name) => access("rotateCamera", name),
    async retireCamera(name) {
      await call("retireCamera", name);
    },
    async removeCamera(name) {
      await call("removeCamera", name);
    },
    async cameras(tenant) {
      const result = await call("cameras", tenant === undefined ? {} : { tenant });
      return Array.isArray(result) ? result.map(String) : [];
    },
  };
}

async function dispatch(
  control: CloudControl | undefined,
  incoming: IncomingMessage,
): Promise<unknown> {
  if (incoming.url === "/ping") return "ocellus cloud";
  if (!control) throw new Problem("the cloud is still starting; try again in a moment.");
  const pieces: Buffer[] = [];
  for await (const piece of incoming) pieces.push(piece);
  const name: unknown = JSON.parse(Buffer.concat(pieces).toString());
  const tenant = field(name, "tenant");
  const camera = field(name, "camera") ?? "";
  const whom = tenant === undefined ? { camera } : { tenant, camera };
  switch (incoming.url) {
    case "/owner":
      return control.owner(tenant);
    case "/cameras":
      return control.cameras(tenant);
    case "/addCamera":
      return control.addCamera(whom);
    case "/rotateCamera":
      return control.rotateCamera(whom);
    case "/retireCamera":
      return control.retireCamera(whom);
    case "/removeCamera":
      return control.removeCamera(whom);
    default:
      throw new Problem("the running cloud is of another version; restart it.");
  }
}

async function answers(directory: string): Promise<boolean> {
  try {
    await post(directory, "ping", {});
    return true;
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOENT" || code === "ECONNREFUSED") return false;
    throw error;
  }
}

/** @returns the verb's result. Throws Problem with the cloud's own sentence, or a system error. */
function post(directory: string, verb: string, body: Partial<CameraName>): Promise<unknown> {
  const options = { socketPath: controlSocket(directory), path: `/${verb}`, method: "POST" };
  return new Promise((resolve, reject) => {
    const outgoing = request(options, (incoming) => {
      const pieces: Buffer[] = [];
      incoming.on("data", (piece: Buffer) => pieces.push(piece));
      incoming.once("error", reject);
      incoming.once("end", () => {
        const reply: unknown = JSON.parse(Buffer.concat(pieces).toString());
        const trouble = field(reply, "trouble");
        if (trouble !== undefined) reject(new Problem(trouble));
        else resolve(typeof reply === "object" && reply && "result" in reply && reply.result);
      });
    });
    outgoing.once("error", reject);
    outgoing.end(JSON.stringify(body));
  });
}

function field(value: unknown, name: string): string | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const entry = Object.entries(value).find(([key]) => key === name);
  return typeof entry?.[1] === "string" ? entry[1] : undefined;
}

/** Both ends are of one checkout: the outline tells an answer from another version's. */
function isAccess(value: unknown): value is CloudAccess {
  return typeof value === "object" && value !== null && "store" in value && "broker" in value;
}
