/** All recipes by artefact name. */
import { benchCamera } from "./bench-camera.mjs";
import { benchClips } from "./bench-clip.mjs";
import { benchCounter } from "./bench-counter.mjs";
import { benchFloor } from "./bench-floor.mjs";
import { benchPeer } from "./bench-peer.mjs";
import { benchPrograms } from "./bench-programs.mjs";
import { bundle } from "./bundle.mjs";
import { busybox } from "./busybox.mjs";
import { bytecode } from "./bytecode.mjs";
import { clipDefault } from "./clip-default.mjs";
import { firmware } from "./firmware.mjs";
import { libsodium } from "./libsodium.mjs";
import { linux } from "./linux.mjs";
import { mbedtls } from "./mbedtls.mjs";
import { muslMipsel } from "./musl-mipsel.mjs";
import { native } from "./native.mjs";
import { nodeModules } from "./node-modules.mjs";
import { notices } from "./notices.mjs";
import { proto } from "./proto.mjs";
import { quickjs } from "./quickjs.mjs";
import { source } from "./source.mjs";
import { uboot } from "./uboot.mjs";
import { ubootSandbox } from "./uboot-sandbox.mjs";
import { variants } from "./variants.mjs";

/** @import { Recipe } from "../recipe.mjs" */

/** Boards with firmware, made in the way of QEMU's Malta. */
const BOARDS = ["qemu/malta"];

/** @type {readonly Recipe[]} */
const all = [
  ...["libsodium", "mbedtls", "musl", "quickjs"].map((name) => source(name)),
  ...["busybox", "linux-source-6.1", "u-boot"].map((name) => source(name)),
  muslMipsel,
  ...variants.flatMap((variant) => [
    libsodium(variant),
    mbedtls(variant),
    quickjs(variant),
    native(variant),
  ]),
  ...BOARDS.flatMap((board) => [
    linux(board),
    uboot(board),
    firmware(board, "release"),
    firmware(board, "dev"),
  ]),
  busybox("release"),
  busybox("dev"),
  bundle,
  bytecode,
  clipDefault,
  nodeModules,
  notices,
  proto,
  ubootSandbox,
  ...[benchCamera, ...benchClips, benchCounter, benchPeer, benchFloor, benchPrograms],
];

/** @type {ReadonlyMap<string, Recipe>} */
export const recipes = new Map(all.map((recipe) => [recipe.name, recipe]));
