#!/usr/bin/env node
/**
 * The `ocellus` command: lets Node read TypeScript, then hands over to cli/main.ts.
 *
 * Plain JavaScript without imports of packages at load time, because it must still be able to say
 * in one sentence what to do in a checkout whose npm packages are not installed yet.
 */

const MISSING =
  "ocellus: the npm packages are not installed; run `make setup` in the checkout first, then try again.";

/** @returns {Promise<void>} resolves once TypeScript can be imported; exits 1 if it cannot. */
async function registerTypeScript() {
  try {
    const { register } = await import("tsx/esm/api");
    register();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code !== "ERR_MODULE_NOT_FOUND") throw error;
    console.error(MISSING);
    process.exit(1);
  }
}

await registerTypeScript();
await import("./cli/main.ts");
