/** What starts in which state: one table, for U-Boot's sandbox and for real U-Boot in QEMU. */
import type { Decision } from "./decision.ts";
import { unusual } from "./unusual.ts";
import { usual } from "./usual.ts";

export const decisions: readonly Decision[] = [...usual, ...unusual];
