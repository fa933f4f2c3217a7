/** Work that waits for a store, several pieces at once. */

/** Maps in order, with up to `count` results under way. */
export async function* ahead<T, R>(
  items: AsyncIterable<T>,
  count: number,
  map: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const underWay: Promise<R>[] = [];
  for await (const item of items) {
    const result = map(item);
    // Its error is met when its turn comes.
    result.catch(() => undefined);
    underWay.push(result);
    if (underWay.length >= count) {
      const next = underWay.shift();
      if (next) yield await next;
    }
  }
  for (const result of underWay) yield await result;
}
