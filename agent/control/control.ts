/**
 * The control stage: keeps the connection to the broker, says what the camera does and obeys commands. Joins the pure parts
 * of this folder with the edge in mqtt.ts.
 */
import { ocellus } from "#proto";
import { keyId, toHex } from "../identity/encoding.ts";
import type { Identity } from "../identity/identity.ts";
import type { Signer } from "../identity/recipients.ts";
import type { AccessTrial } from "../identity/trial.ts";
import type { Native } from "../runtime/native.d.ts";
import { topicName } from "../seal/names.ts";
import type { RecordWriter } from "../seal/writer.ts";
import { type Effects, perform } from "./actions.ts";
import { clientIdOf } from "./client-id.ts";
import { CommandGate } from "./commands.ts";
import { openCrypto } from "./crypto.ts";
import { Broker } from "./mqtt.ts";
import { Outbox } from "./outbox.ts";
import { ControlStage } from "./stage.ts";
import { StatusSchedule, type StatusView } from "./status.ts";
import type { Trouble } from "./trouble.ts";
import { type CameraView, statusView } from "./view.ts";

const { Kind, Role } = ocellus.v1;

/** Counts and memory are looked at this often for a move past their dead-band. */
const LOOK_MS = 5_000;
/** Whoever can publish can send commands that are not obeyed: the log tells of them at most so often. */
const REFUSALS_LOG_US = 10_000_000;
/** How long the first connection waits for the time to be known. */
const TIME_WITHIN_MS = 10_000;
/** What waits to be published gets so long before a connection that must be made anew is dropped. */
const LEAVE_MS = 2_000;

export interface ControlDeps {
  readonly native: Native;
  readonly identity: Identity;
  readonly boot: number;
  /** Shared with the pipeline. */
  readonly records: RecordWriter;
  readonly trial: AccessTrial;
  readonly effects: Effects;
  view(): CameraView;
  /** The broker was reached: `trial` may have to be persisted. */
  brokerWorked(): void;
}

export class Control {
  readonly #deps: ControlDeps;
  readonly #broker: Broker;
  readonly #gate: CommandGate;
  readonly #stage: ControlStage;
  readonly #schedule = new StatusSchedule();
  readonly #outbox = new Outbox();
  readonly #topics: Record<"link" | "status" | "seg" | "cmd" | "rsp", string>;
  #statusOnTheWay = false;
  #timer: number | null = null;
  #refusalLoggedUs = Number.NEGATIVE_INFINITY;
  /** Whoever waits until nothing waits to be published. */
  readonly #waiting = new Set<() => void>();
  #ending = false;

  constructor(deps: ControlDeps) {
    this.#deps = deps;
    const { native, identity, boot, trial } = deps;
    const topic = (leaf: Parameters<typeof topicName>[2]) =>
      topicName(identity.tenant, identity.camera, leaf);
    this.#topics = {
      link: topic("link"),
      status: topic("status"),
      seg: topic("seg"),
      cmd: topic("cmd"),
      rsp: topic("rsp"),
    };
    const now = native.monotonicUs();
    this.#stage = new ControlStage(now);
    const crypto = openCrypto(native);
    const self = { camera: identity.camera, boot, topic: this.#topics.cmd, box: identity.box };
    const root: Signer = {
      id: keyId(crypto.sha256, identity.rootKey),
      signingKey: identity.rootKey,
      roles: new Set([Role.ROLE_ADMIN]),
    };
    this.#gate = new CommandGate(crypto, self, root, now);
    this.#broker = new Broker(
      native,
      {
        clientId: clientIdOf(native.sha256, identity),
        linkTopic: this.#topics.link,
        commandTopic: this.#topics.cmd,
        access: () => trial.broker(),
        will: (connection) => this.#link(connection, false),
      },
      {
        up: () => this.#up(),
        down: (trouble) => this.#down(trouble),
        command: (payload) => this.#command(payload),
      },
    );
  }

  /**
   * Begins to connect. Once. `waitForTime`: the time is being asked for. The broker gets its password over a connection
   * whose certificate was judged by that time, unless it takes longer than ten seconds: control must not depend on a store.
   */
  start(waitForTime: boolean): void {
    this.#broker.start(waitForTime ? TIME_WITHIN_MS : 0);
    this.#look();
  }

  /**
   * The time is known since `sinceUs`, monotonic. A connection begun before was judged by the floor or by another time,
   * and could otherwise stay for days though its certificate has expired: it is made anew, once what waits has left.
   */
  timeKnown(sinceUs: number): void {
    if (!this.#broker.begunBy(sinceUs)) {
      this.#broker.connectIfWaiting();
      return;
    }
    void this.flushed(LEAVE_MS).then(() => {
      if (this.#ending || !this.#broker.begunBy(sinceUs)) return;
      this.#deps.native.log("info", "The broker's certificate is judged anew, by the time.");
      this.#lostConnection();
      this.#broker.reconnect();
    });
  }

  /** Until when what the connection is at must have ended, monotonic µs; `null`: it is at nothing. */
  get dueUs(): number | null {
    return this.#broker.dueUs;
  }

  /** The owner has adopted this camera: commands are obeyed from now on. */
  setAdopted(): void {
    this.#gate.setAdopted();
  }

  /** Who may sign commands, beside the root key. */
  setSigners(signers: readonly Signer[]): void {
    this.#gate.setSigners(signers);
  }

  /** Something of `view` has changed: a status may be due. */
  changed(): void {
    this.#look();
  }

  /** The access has changed: connects anew with it. */
  reconnect(): void {
    this.#stage.down(ACCESS_CHANGED, this.#deps.native.monotonicUs());
    this.#lostConnection();
    this.#broker.reconnect();
  }

  /** Says that a segment is in the store. */
  uploaded(segment: ocellus.v1.SegmentRecord.$Properties): void {
    const secret = ocellus.v1.SegmentRecord.encode(segment).finish();
    const topic = this.#topics.seg;
    const payload = this.#deps.records.write({ kind: Kind.KIND_SEGMENT, topic, secret });
    if (payload !== null) this.#outbox.segment({ topic, payload });
    this.#send();
  }

  /** Resolves when nothing waits to be published, or after `withinMs`. */
  flushed(withinMs: number): Promise<void> {
    const { native } = this.#deps;
    return new Promise((resolve) => {
      const done = () => {
        this.#waiting.delete(done);
        native.clearTimer(timer);
        resolve();
      };
      const timer = native.setTimer(withinMs, done);
      this.#waiting.add(done);
      this.#settle();
    });
  }

  /**
   * The last words: a status that says why, `link` down, DISCONNECT (which cancels the will). Resolves when that is done
   * or after `withinMs`; nothing is published afterwards.
   */
  async stop(why: Trouble, withinMs: number): Promise<void> {
    this.#ending = true;
    if (this.#timer !== null) this.#deps.native.clearTimer(this.#timer);
    this.#stage.ending(why, this.#deps.native.monotonicUs());
    if (this.#broker.up) {
      this.#publishStatus();
      await this.flushed(withinMs / 2);
    }
    if (this.#broker.up) this.#publishLink(false);
    await this.#broker.stop(withinMs / 2);
  }

  // ---- the connection -------------------------------------------------------------------------------------------------

  #up(): void {
    const { native, trial } = this.#deps;
    this.#stage.up(native.monotonicUs());
    native.log("info", "Connected to the broker.");
    if (trial.brokerWorked()) this.#deps.brokerWorked();
    const lost = this.#outbox.takeOverflow();
    if (lost > 0) {
      native.log("warning", `${lost} messages gave way while the broker was out of reach.`);
    }
    this.#publishLink(true);
    this.#look();
    this.#send();
  }

  #down(trouble: Trouble): void {
    const { native, trial } = this.#deps;
    const now = native.monotonicUs();
    this.#stage.down(trouble, now);
    native.log("warning", `No connection to the broker: ${trouble.reason}`);
    trial.brokerFailed(now, trouble.reason);
    this.#lostConnection();
  }

  #lostConnection(): void {
    this.#statusOnTheWay = false;
    this.#outbox.connectionLost();
  }

  #link(connection: number, up: boolean): Uint8Array {
    return ocellus.v1.Link.encode({ boot: this.#deps.boot, connection, up }).finish();
  }

  #publishLink(up: boolean): void {
    const payload = this.#link(this.#broker.connection, up);
    this.#publish(this.#topics.link, payload, true);
  }

  // ---- commands -------------------------------------------------------------------------------------------------------

  #command(payload: Uint8Array): void {
    const { native, effects, records } = this.#deps;
    const now = native.monotonicUs();
    const verdict = this.#gate.judge(payload, now);
    if (verdict.is === "ignored") {
      this.#logRefusal(`A command was ignored (${verdict.why}); ${this.#gate.ignored} so far.`);
      return;
    }
    const { to } = verdict;
    const who = `command ${to.seq} of ${toHex(to.signer)}`;
    if (verdict.is === "refused") this.#logRefusal(`Refused ${who}: ${verdict.text}`);
    else native.log("info", `Carrying out ${who}: ${verdict.action.does}.`);
    const reply =
      verdict.is === "accepted"
        ? perform(to, verdict.action, effects)
        : { signer: to.signer, seq: to.seq, result: verdict.result, text: verdict.text };
    const secret = ocellus.v1.Reply.encode({ ...reply, monotonicUs: now }).finish();
    const topic = this.#topics.rsp;
    const answer = records.write({ kind: Kind.KIND_REPLY, topic, secret });
    // Before adoption there is nobody a reply could be sealed to.
    if (answer !== null) this.#outbox.reply({ topic, payload: answer });
    this.#send();
    this.#look();
  }

  #logRefusal(line: string): void {
    const now = this.#deps.native.monotonicUs();
    if (now - this.#refusalLoggedUs < REFUSALS_LOG_US) return;
    this.#refusalLoggedUs = now;
    this.#deps.native.log("warning", line);
  }

  // ---- status ---------------------------------------------------------------------------------------------------------

  /** Publishes a status if one is due, and comes back when one may be. */
  #look(): void {
    const { native, trial } = this.#deps;
    if (this.#ending) return;
    if (this.#timer !== null) native.clearTimer(this.#timer);
    if (trial.retryDue(native.monotonicUs())) this.reconnect();
    this.#broker.giveUpIfStalled();
    let waitMs = LOOK_MS;
    if (this.#broker.ready && !this.#statusOnTheWay) {
      const view = this.#statusView();
      const silenceUs = this.#deps.view().settings.statusMaxSilenceS * 1_000_000;
      const due = this.#schedule.dueInUs(view, native.monotonicUs(), silenceUs);
      if (due === 0) this.#publishStatus(view);
      else waitMs = Math.min(waitMs, Math.ceil(due / 1_000));
    }
    this.#timer = native.setTimer(waitMs, () => this.#look());
  }

  #publishStatus(view: StatusView = this.#statusView()): void {
    const { native, records } = this.#deps;
    const topic = this.#topics.status;
    const plain = ocellus.v1.StatusPublic.encode(view.open).finish();
    const secret =
      view.secret === null ? {} : { secret: ocellus.v1.StatusPrivate.encode(view.secret).finish() };
    const payload = records.write({ kind: Kind.KIND_STATUS, topic, plain, ...secret });
    if (payload === null) throw new Error("a status view has a private part but no recipients");
    this.#statusOnTheWay = true;
    this.#schedule.sent(view, native.monotonicUs());
    this.#publish(topic, payload, true, () => {
      this.#statusOnTheWay = false;
    });
  }

  #statusView(): StatusView {
    const { native } = this.#deps;
    const nowUs = native.monotonicUs();
    return statusView(this.#deps.view(), {
      nowUs,
      connection: this.#broker.connection,
      control: this.#stage.report(nowUs),
      access: this.#deps.trial.report(),
      options: native.options,
      usage: native.usage(),
    });
  }

  // ---- sending --------------------------------------------------------------------------------------------------------

  #send(): void {
    while (this.#broker.ready) {
      const message = this.#outbox.next();
      if (message === null) break;
      this.#publish(message.topic, message.payload, false, () => {
        this.#outbox.acknowledged(message);
      });
    }
    this.#settle();
  }

  /** `arrived`: the broker has it or has refused it for good. Then there may be room for what waits. */
  #publish(topic: string, payload: Uint8Array, retain: boolean, arrived?: () => void): void {
    this.#broker.publish(topic, payload, retain, (refused) => {
      arrived?.();
      this.#note(refused);
      this.#send();
      this.#look();
    });
  }

  #settle(): void {
    if (this.#outbox.size > 0 || this.#statusOnTheWay) return;
    for (const done of [...this.#waiting]) done();
  }

  #note(refused: Trouble | null): void {
    if (refused === null) return;
    this.#stage.noted(refused, this.#deps.native.monotonicUs());
    this.#deps.native.log("warning", `The broker refused a message: ${refused.reason}`);
  }
}

const ACCESS_CHANGED: Trouble = {
  cause: "broker-access-changed",
  reason: "The broker access was replaced.",
};
