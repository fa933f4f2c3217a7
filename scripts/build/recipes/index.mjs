/** All recipes by artefact name. */
import { clipDefault } from "./clip-default.mjs";
import { proto } from "./proto.mjs";

/** @import { Recipe } from "../recipe.mjs" */

/** @type {ReadonlyMap<string, Recipe>} */
export const recipes = new Map([clipDefault, proto].map((recipe) => [recipe.name, recipe]));
