/**
 * Text of others on its way to a terminal: names in a store, what a camera or a server says, a tool's log. Control and format
 * characters in it would move the cursor, set the clipboard, start a line of their own, or turn what follows around.
 */

/** What a terminal obeys or hides instead of showing it; in Unicode's words Cc, Cf, lone surrogates, Zl and Zp. */
const UNSHOWN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/**
 * @param {string} text of anybody
 * @returns {string} one line, in which each such character stands as its number, such as \u{1b}
 */
export function shown(text) {
  return text.replace(UNSHOWN, (one) => `\\u{${(one.codePointAt(0) ?? 0).toString(16)}}`);
}

/**
 * @param {string} text lines of anybody
 * @returns {string} the same lines, each as `shown` has it
 */
export function shownLines(text) {
  return text.split("\n").map(shown).join("\n");
}

/**
 * @param {unknown} value
 * @param {number} [indent] spaces; one line without it
 * @returns {string} JSON of the same value in which all such characters are escaped; JSON.stringify leaves most as they are
 */
export function shownJson(value, indent) {
  return JSON.stringify(value, null, indent)
    .split("\n")
    .map((line) => line.replace(UNSHOWN, unitsOf))
    .join("\n");
}

/** @param {string} one a character of one or two UTF-16 units */
function unitsOf(one) {
  return Array.from(
    { length: one.length },
    (_unit, i) => `\\u${one.charCodeAt(i).toString(16).padStart(4, "0")}`,
  ).join("");
}
