/**
 * Thrown by a recipe's build when it found out that its identity is another one than was planned
 * (a pinned source is gone): keys are computed anew and the build starts again.
 */
export class Replan extends Error {}
