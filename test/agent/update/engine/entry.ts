/** What the camera's engine runs in place of the agent: reads every case and leaves the verdicts as a state file. */
// First, as in the agent: what the libraries expect of a platform.
import "../../../../agent/runtime/polyfills.ts";
import type { Native } from "../../../../agent/runtime/native.d.ts";
import type { Case } from "../make/world.ts";
import { readCase } from "../read-case.ts";

declare const native: Native;
declare const CASES: readonly Case[];

const verdicts = CASES.map((one) => readCase(native, one));
const failed = native.writeState("verdicts", native.utf8Encode(JSON.stringify(verdicts)));
if (failed) throw new Error(failed.text);
native.exit(0);
