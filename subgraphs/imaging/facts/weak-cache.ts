import { boundedCache } from '../../../schema/cache/bounded-cache.ts';

/** Bytes of a value for each row that it was made from: an average. */
const BYTES_OF_ROW = 512;
/** Bytes of the values, of all caches together, that are kept also when memory is needed. */
const MOST_BYTES = 48 * 1024 * 1024;

/** A value, reached from its key only: it may refer to the key, and both can be collected. */
interface Entry {
  /** While it was used lately. */
  held: object | undefined;
  value: WeakRef<object>;
}

/** Entries used lately. It holds neither values nor keys. */
const lately = boundedCache<true, WeakRef<Entry>>({
  size: MOST_BYTES,
  dispose(_, mark) {
    const entry = mark.deref();
    if (entry) entry.held = undefined;
  },
});

/**
 * A cache of large values that can be made again, found by their keys as long as these live. The cache that holds the keys
 * does not count the size of the values: those used lately are held with their keys, up to a number of bytes, others only
 * until memory is needed.
 */
export class WeakCache<Key extends object, Value extends object> {
  readonly #entries = new WeakMap<Key, { entry: Entry; mark: WeakRef<Entry> }>();

  get(key: Key): Value | undefined {
    const found = this.#entries.get(key);
    const value = found?.entry.value.deref();
    if (value) lately.get(found!.mark);
    return value as Value | undefined;
  }

  /** @param rows that the value was made from */
  set(key: Key, value: Value, rows: number): void {
    const size = BYTES_OF_ROW * Math.max(1, rows);
    const entry: Entry = { held: size <= MOST_BYTES ? value : undefined, value: new WeakRef(value) };
    const mark = new WeakRef(entry);
    this.#entries.set(key, { entry, mark });
    lately.set(mark, true, { size });
  }
}
