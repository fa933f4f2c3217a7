/** All recipes by artefact name. */
import { benchCamera } from "./bench-camera.mjs";
import { benchClips } from "./bench-clip.mjs";
import { benchCounter } from "./bench-counter.mjs";
import { benchFloor } from "./bench-floor.mjs";
import { benchPeer } from "./bench-peer.mjs";
import { benchPrograms } from "./bench-programs.mjs";
import { bundle } from "./bundle.mjs";
import { bytecode } from "./bytecode.mjs";
import { clipDefault } from "./clip-default.mjs";
import { libsodium } from "./libsodium.mjs";
import { mbedtls } from "./mbedtls.mjs";
import { muslMipsel } from "./musl-mipsel.mjs";
import { native } from "./native.mjs";
import { nodeModules } from "./node-modules.mjs";
import { notices } from "./notices.mjs";
import { proto } from "./proto.mjs";
import { quickjs } from "./quickjs.mjs";
import { source } from "./source.mjs";
import { variants } from "./variants.mjs";

/** @import { Recipe } from "../recipe.mjs" */

/** @type {readonly Recipe[]} */
const all = [
  ...["libsodium", "mbedtls", "musl", "quickjs"].map((name) => source(name)),
  muslMipsel,
  ...variants.flatMap((variant) => [
    libsodium(variant),
    mbedtls(variant),
    quickjs(variant),
    native(variant),
  ]),
  bundle,
  bytecode,
  clipDefault,
  nodeModules,
  notices,
  proto,
  ...[benchCamera, ...benchClips, benchCounter, benchPeer, benchFloor, benchPrograms],
];

/** @type {ReadonlyMap<string, Recipe>} */
export const recipes = new Map(all.map((recipe) => [recipe.name, recipe]));
