import { lookup } from "node:dns/promises";
import { errorCode, Problem } from "./problem.mjs";

/**
 * Checks that the name localhost, by which the development cloud is called, can be resolved: a bare system has no
 * /etc/hosts. Asked for before anything is built.
 * @throws {Problem} where it cannot
 */
export async function checkLocalhost() {
  try {
    await lookup("localhost");
  } catch (error) {
    throw new Problem(
      `this machine does not know the name localhost (${errorCode(error) ?? String(error)}); add the line "127.0.0.1 localhost" to /etc/hosts, then run this again.`,
    );
  }
}
