/**
 * What a recipe is. One file each in recipes/, registered in recipes/index.mjs.
 *
 * @typedef {object} Recipe
 * @property {string} name artefact name, e.g. "native-host"
 * @property {string} text path of the recipe's own file; its text, and that of the files it imports
 *   from recipes/, goes into the key
 * @property {readonly string[]} [needs] names of artefacts it is built from
 * @property {readonly string[]} [files] files of the checkout it reads: paths or directories, relative
 *   to the checkout; a directory counts with all files below it, one that is missing as empty
 * @property {RegExp} [only] of files inside listed directories, only these (tested on the path)
 * @property {readonly string[]} [tools] programs whose version (first line of `--version`) counts
 * @property {(root: string, cache: string) => Identity} [identity] further things that make the artefact what it
 *   is: pins
 * @property {"link" | "copy" | "nothing"} [inCheckout] what build/<name> is; default a link, a copy
 *   if its files must find the checkout's node_modules
 * @property {(context: Context) => Promise<void>} build fills context.out
 *
 * @typedef {object} Identity
 * @property {string[]} inputs lines that go into the key
 * @property {string[]} unpinned sentences; empty when everything is as pinned
 *
 * @typedef {object} Context
 * @property {string} root the checkout
 * @property {string} cache root of the build cache
 * @property {string} work scratch directory, removed afterwards
 * @property {string} out directory to fill; becomes the artefact
 * @property {string} final where `out` will be once published, for files that name their own place
 * @property {string} key of the artefact
 * @property {boolean} unpinned whether something in it is not the pinned source
 * @property {(name: string) => string} need directory of an artefact listed in `needs`
 * @property {Step} step runs a program, logged; throws a Problem if it fails
 * @property {(line: string) => void} note one line to the user and the log
 *
 * @typedef {(tool: string, args: readonly string[], options?: StepOptions) => Promise<void>} Step
 *
 * @typedef {object} StepOptions
 * @property {string} [cwd] default: the scratch directory
 * @property {Record<string, string | undefined>} [env] added to the environment
 */

export {};
