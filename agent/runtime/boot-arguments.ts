/** What the bootloader tells the agent, by words of the kernel's command line such as `ocellus.slot=a`. Pure. */

const PREFIX = "ocellus.";

/**
 * Values by name without the prefix, such as slot → a. Of a name that stands twice the last counts, as for the kernel. What
 * stands in quotes is not looked into, and what comes after `--` is init's.
 */
export function bootArguments(commandLine: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const word of commandLine.match(/(?:"[^"]*"?|[^\s"])+/g) ?? []) {
    if (word === "--") break;
    const equals = word.indexOf("=");
    if (!word.startsWith(PREFIX) || equals < 0) continue;
    found.set(word.slice(PREFIX.length, equals), word.slice(equals + 1));
  }
  return found;
}
