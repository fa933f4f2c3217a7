/** A machine without /etc/hosts, where the name localhost is not known. */

const PRELOADED = `
import promises from "node:dns/promises";
import { syncBuiltinESMExports } from "node:module";
promises.lookup = async (name) => {
  throw Object.assign(new Error("getaddrinfo ENOTFOUND " + name), { code: "ENOTFOUND" });
};
syncBuiltinESMExports();`;

/** NODE_OPTIONS of programs that are to find themselves on it. */
export const NO_LOCALHOST = `--import=data:text/javascript,${encodeURIComponent(PRELOADED)}`;

/** What they say. */
export const ADD_LOCALHOST =
  /^ocellus: this machine does not know the name localhost \(ENOTFOUND\); add the line "127\.0\.0\.1 localhost" to \/etc\/hosts, then run this again\.$/m;
