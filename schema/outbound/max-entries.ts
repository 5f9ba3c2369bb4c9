/**
 * The option of an `LRUCache` that may hold many entries but usually holds few. Its `max` takes the memory for all of
 * them when the cache is made: 100,000 cost 25 ms of a start and 3 MB.
 * @param entries the least recently used go when there are more
 */
export function maxEntries(entries: number): { maxSize: number; sizeCalculation: () => number } {
  return { maxSize: entries, sizeCalculation: () => 1 };
}
