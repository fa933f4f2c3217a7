/** Host processes under the self-test. */
import { HostCamera, type HostCameraOptions, type Play } from "./host.ts";
import { type ListeningSocket, listeningSockets, memoryOf, userIdsOf } from "./observe.ts";
import type { Measured, TestedCamera } from "./tested.ts";

export class TestedHost implements TestedCamera {
  readonly facts: TestedCamera["facts"];
  readonly cloudHost = "localhost";
  restarts = 0;
  readonly #host: HostCamera;

  private constructor(host: HostCamera) {
    this.#host = host;
    this.facts = { on: "host", variant: host.options.variant };
  }

  /** @param say told each line of the camera's processes. */
  static async create(
    options: Pick<HostCameraOptions, "directory" | "variant">,
    say: (line: string) => void,
  ): Promise<TestedHost> {
    let restarts = () => {};
    const host = await HostCamera.create({
      ...options,
      onLine: (from, line) => say(`${from}: ${line}`),
      onExit: (_from, _exit, then) => {
        if (then === "again") restarts();
      },
    });
    const tested = new TestedHost(host);
    restarts = () => {
      tested.restarts += 1;
    };
    return tested;
  }

  async startToPair(provisioning: string): Promise<void> {
    await this.#host.provision(provisioning);
    await this.#host.startAgent();
  }

  async stopAfterPairing(): Promise<void> {
    await this.#host.stopAgent();
    await this.#host.forgetProvisioning();
  }

  async startToRecord(play: Play): Promise<void> {
    await this.#host.startEncoder(play);
    await this.#host.startAgent();
  }

  look(): Promise<ListeningSocket[]> {
    return listeningSockets(this.#host.pids);
  }

  async measure(): Promise<Measured> {
    const pid = this.#host.agent?.pid ?? 0;
    const memory = await memoryOf(pid);
    const users = await userIdsOf(pid);
    return {
      rss_kb: memory?.rss_kb ?? 0,
      rss_peak_kb: memory?.peak_kb ?? 0,
      unprivileged: users?.every((user) => user !== 0) ?? false,
      listening: await this.look(),
      more: {},
    };
  }

  check(): void {
    this.#host.check();
  }

  stop(): Promise<void> {
    return this.#host.stop();
  }
}
