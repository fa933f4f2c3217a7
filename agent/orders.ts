/** What the owner's commands do to the camera: each order checked, kept on flash, then applied. */
import type { ocellus } from "#proto";
import type { Effects, Failure } from "./control/actions.ts";
import { checkAccess } from "./identity/access.ts";
import { mistakeInAdoption } from "./identity/adoption.ts";
import type { CounterFile } from "./identity/counters.ts";
import { files } from "./identity/files.ts";
import type { Identity } from "./identity/identity.ts";
import { forgetToken } from "./identity/provision.ts";
import { checkRecipients, type Recipients } from "./identity/recipients.ts";
import { type AccessTrial, type KeptAccess, keptToFile } from "./identity/trial.ts";
import type { Native, NativeError } from "./runtime/native.d.ts";
import { changeSettings, type Settings, settingsToWire } from "./settings/settings.ts";

/** The running camera, as far as orders reach into it. Called after what they mean is on flash. */
export interface Ordered {
  readonly identity: Identity;
  readonly counters: CounterFile;
  readonly trial: AccessTrial;
  readonly settings: Settings;
  applySettings(settings: Settings): void;
  /** Adopted: `identity` is without its token, `recipients` is the first list. */
  adopted(identity: Identity, recipients: Recipients): void;
  applyRecipients(recipients: Recipients): void;
  applyAccess(kept: KeptAccess): void;
  reboot(): void;
}

const invalid = (text: string): Failure => ({ kind: "invalid", text });
const failed = ({ text }: NativeError): Failure => ({
  kind: "failed",
  text: `It cannot be kept on flash: ${text}`,
});

export function ordersFor(native: Native, camera: Ordered): Effects {
  const checkList = (signed: ocellus.v1.SignedRecipients.$Properties) => {
    const { rootKey, tenant, box } = camera.identity;
    return checkRecipients(signed, { rootKey, tenant, boxSecret: box.secretKey }, native);
  };

  return {
    changeSettings(patch) {
      const next = changeSettings(camera.settings, patch);
      if ("mistake" in next) return invalid(next.mistake);
      if (next !== camera.settings) {
        const error = files.settings.save(native, settingsToWire(next));
        if (error !== null) return failed(error);
        camera.applySettings(next);
      }
      return { now: settingsToWire(next) };
    },

    readLog: (bytes, back) => native.logTail(bytes, back),

    reboot: () => camera.reboot(),

    adopt(adopt) {
      const { identity, counters } = camera;
      const mistake = mistakeInAdoption(adopt, identity, native);
      if (mistake !== null) return invalid(mistake);
      const list = checkList(adopt.recipients ?? {});
      if ("mistake" in list) return invalid(list.mistake);
      if (list.version < counters.recipientsVersion) return invalid(notNewer(list, counters));
      // `adoption` is what makes the camera paired, so everything it needs stands before it.
      const error =
        files.recipients.save(native, adopt.recipients ?? {}) ??
        counters.raiseRecipientsVersion(list.version) ??
        files.adoption.save(native, adopt);
      if (error !== null) return failed(error);
      camera.adopted(forgetToken(native, identity), list);
      return null;
    },

    replaceAccess(access) {
      const checked = checkAccess(access);
      if ("mistake" in checked) return invalid(checked.mistake);
      const kept = camera.trial.replacement(checked);
      const error = files.access.save(native, keptToFile(kept));
      if (error !== null) return failed(error);
      camera.applyAccess(kept);
      return null;
    },

    replaceRecipients(signed) {
      const { counters } = camera;
      const list = checkList(signed);
      if ("mistake" in list) return invalid(list.mistake);
      if (list.version <= counters.recipientsVersion) return invalid(notNewer(list, counters));
      // The list first: a cut between the two leaves a list that is newer than the counter, which is taken.
      const error =
        files.recipients.save(native, signed) ?? counters.raiseRecipientsVersion(list.version);
      if (error !== null) return failed(error);
      camera.applyRecipients(list);
      return null;
    },
  };
}

function notNewer(list: Recipients, counters: CounterFile): string {
  return `The recipients' list has version ${list.version}, but ${counters.recipientsVersion} was taken already.`;
}
