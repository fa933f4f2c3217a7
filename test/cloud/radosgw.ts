/**
 * Debian's radosgw as a second store for the conformance suite: one monitor, one disk in memory, and the
 * gateway, each an unprivileged child of this process, on loopback and in a temporary directory.
 *
 * Measured: up in 1.3 s; 11 s with the monitor's own pace of agreeing once a second (paxos_propose_interval).
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { chown, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { issueServerCertificate, makeAuthority } from "../../scripts/cloud/ca.ts";
import { freePort } from "../../scripts/cloud/ports.ts";
import {
  type Account,
  findProgram,
  serverAccount,
  unprivileged,
} from "../../scripts/cloud/system.ts";

const START_MS = 60_000;
/** The gateway takes so many seconds for a day of its life-cycle rules (rgw_lc_debug_interval). */
export const RADOSGW_DAY_S = 2;

/** A user of the gateway. */
export interface RadosgwUser {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** A running gateway. */
export interface Radosgw {
  /** https://localhost:port */
  readonly endpoint: string;
  /** The authority of its certificate. */
  readonly caPem: string;
  /** Makes a user, who may do nothing but own buckets. */
  addUser(name: string): Promise<RadosgwUser>;
  /** Executes the life-cycle rules now. */
  processLifecycle(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts it and waits until it answers. */
export async function startRadosgw(): Promise<Radosgw> {
  const directory = await mkdtemp(join(tmpdir(), "ocellus-rgw-"));
  const cluster = new Cluster(directory, await serverAccount(["ceph"]));
  try {
    return await cluster.start();
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

class Cluster {
  readonly #directory: string;
  readonly #account: Account | undefined;
  readonly #children: ChildProcess[] = [];

  constructor(directory: string, account: Account | undefined) {
    this.#directory = directory;
    this.#account = account;
  }

  async start(): Promise<Radosgw> {
    const authority = await makeAuthority("ocellus test radosgw");
    const server = await issueServerCertificate(authority, { names: ["localhost", "127.0.0.1"] });
    const ports = { monitor: await freePort("127.0.0.1"), gateway: await freePort("127.0.0.1") };
    const cluster = randomUUID();
    await this.#file("server.pem", server.certPem);
    await this.#file("server.key", server.keyPem);
    await this.#file("ceph.conf", configuration(this.#directory, cluster, ports));
    for (const name of ["", "mon", "osd", "run"]) await this.#makeDirectory(name);

    const map = this.#path("monmap");
    const monitor = `[v2:127.0.0.1:${ports.monitor}]`;
    await this.#run("monmaptool", ["--create", "--fsid", cluster, "--addv", "a", monitor, map]);
    await this.#run("ceph-mon", ["--mkfs", "-i", "a", "--monmap", map]);
    await this.#daemon("ceph-mon", ["-i", "a"]);
    const disk = randomUUID();
    await this.#run("ceph", ["osd", "new", disk]);
    await this.#run("ceph-osd", ["--mkfs", "-i", "0", "--osd-uuid", disk]);
    await this.#daemon("ceph-osd", ["-i", "0"]);
    await this.#run("ceph", ["osd", "crush", "add", "osd.0", "1", "root=default", "host=here"]);
    await this.#daemon("radosgw", ["-n", "client.rgw"]);
    await this.#untilAnswering(ports.gateway, authority.certPem);
    return {
      endpoint: `https://localhost:${ports.gateway}`,
      caPem: authority.certPem,
      addUser: (name) => this.#addUser(name),
      processLifecycle: async () => {
        await this.#run("radosgw-admin", ["lc", "process"]);
      },
      stop: () => this.stop(),
    };
  }

  /** Nothing of it is to be kept, so it is ended without ceremony (an orderly end of the disk takes 5 s). */
  async stop(): Promise<void> {
    for (const child of this.#children.splice(0).reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const gone = new Promise((resolve) => child.once("close", resolve));
      child.kill("SIGKILL");
      await gone;
    }
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #addUser(name: string): Promise<RadosgwUser> {
    const options = ["--uid", name, "--display-name", name];
    const text = await this.#run("radosgw-admin", ["user", "create", ...options]);
    const user: { keys: { access_key: string; secret_key: string }[] } = JSON.parse(text);
    const [key] = user.keys;
    if (!key) throw new Error(`radosgw made user ${name} without a key`);
    return { accessKeyId: key.access_key, secretAccessKey: key.secret_key };
  }

  /** Runs a command of Ceph to its end. @returns what it printed. */
  async #run(name: string, args: string[]): Promise<string> {
    const [program = "", ...rest] = await this.#command(name, args);
    return (await promisify(execFile)(program, rest, { cwd: this.#directory })).stdout;
  }

  async #daemon(name: string, args: string[]): Promise<void> {
    const [program = "", ...rest] = await this.#command(name, ["-f", ...args]);
    this.#children.push(spawn(program, rest, { cwd: this.#directory, stdio: "ignore" }));
  }

  async #command(name: string, args: string[]): Promise<string[]> {
    const program = await findProgram(name, PACKAGES[name] ?? "ceph-common");
    const configured = name === "monmaptool" ? args : ["-c", this.#path("ceph.conf"), ...args];
    return unprivileged(this.#account, [program, ...configured]);
  }

  async #untilAnswering(port: number, ca: string): Promise<void> {
    const end_ms = Date.now() + START_MS;
    while (!(await answers(port, ca))) {
      if (Date.now() > end_ms) {
        const log = await readFile(this.#path("run/client.rgw.log"), "utf8").catch(() => "no log");
        throw new Error(`radosgw did not answer: ${log.slice(-2000)}`);
      }
      await sleep(50);
    }
  }

  #path(name: string): string {
    return join(this.#directory, name);
  }

  async #file(name: string, text: string): Promise<void> {
    await writeFile(this.#path(name), text, { mode: 0o600 });
    if (this.#account) await chown(this.#path(name), this.#account.uid, this.#account.gid);
  }

  async #makeDirectory(name: string): Promise<void> {
    await mkdir(this.#path(name), { recursive: true });
    if (this.#account) await chown(this.#path(name), this.#account.uid, this.#account.gid);
  }
}

const PACKAGES: Readonly<Record<string, string>> = {
  "ceph-mon": "ceph-mon",
  "ceph-osd": "ceph-osd",
  radosgw: "radosgw",
};

/** Whether the gateway lists nobody's buckets to nobody, which is what it does once it is up. */
function answers(port: number, ca: string): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request({ host: "localhost", port, ca, agent: false }, (reply) => {
      reply.resume();
      resolve(reply.statusCode === 200);
    });
    asked.once("error", () => resolve(false));
    asked.end();
  });
}

/** ceph.conf; without authentication inside the cluster, which is this process's and on loopback only. */
function configuration(
  directory: string,
  cluster: string,
  ports: { monitor: number; gateway: number },
): string {
  return `[global]
fsid = ${cluster}
mon_host = [v2:127.0.0.1:${ports.monitor}]
mon_initial_members = a
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
# radosgw asks for "secure", which needs authentication.
ms_mon_client_mode = crc
keyring = /dev/null

run_dir = ${directory}/run
admin_socket = ${directory}/run/$name.$pid.asok
log_file = ${directory}/run/$name.log
mon_cluster_log_file = ${directory}/run/cluster.log
log_to_stderr = false
# A pid file left behind would keep the next start off.
pid_file =
mon_data = ${directory}/mon
osd_data = ${directory}/osd
rgw_data = ${directory}/run

osd_objectstore = memstore
memstore_device_bytes = ${256 * 1024 * 1024}
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
osd_class_load_list = *
osd_class_default_list = *
mon_allow_pool_size_one = true
mon_data_avail_crit = 0
paxos_propose_interval = 0.02
paxos_min_wait = 0.01

rgw_frontends = beast ssl_endpoint=127.0.0.1:${ports.gateway} ssl_certificate=${directory}/server.pem ssl_private_key=${directory}/server.key
rgw_thread_pool_size = 32
rgw_lc_debug_interval = ${RADOSGW_DAY_S}
`;
}
