/** What is to be ended, in the reverse order of its start. */
export class Stops {
  #ends: (() => unknown)[] = [];
  #over = false;

  /** What ends something that was just started; at once where all else has ended already. */
  add(end: () => unknown): void {
    if (this.#over) void end();
    else this.#ends.push(end);
  }

  /** Ends all, also where something cannot be ended: then it throws that, once the rest has ended. */
  async end(): Promise<void> {
    this.#over = true;
    const troubles: unknown[] = [];
    for (const end of this.#ends.splice(0).reverse()) {
      try {
        await end();
      } catch (error) {
        troubles.push(error);
      }
    }
    if (troubles.length > 0) throw troubles[0];
  }
}
