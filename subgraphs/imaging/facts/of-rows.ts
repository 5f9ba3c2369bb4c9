import type { DicomJson } from '../../../schema/dicom/dicom.ts';
import { isSameRows } from './study-rows.ts';
import { WeakCache } from './weak-cache.ts';

/**
 * Large values that are worked out from rows, each kept with an object that requests share: no longer than it, only until
 * memory is needed, and only for the same rows.
 */
export class OfRows<Key extends object, Value> {
  readonly #kept = new WeakCache<Key, { rows: readonly DicomJson[]; value: Value }>();

  /** Returns the value that is kept. */
  known(key: Key, rows: readonly DicomJson[]): Value | undefined {
    const known = this.#kept.get(key);
    return known && isSameRows(known.rows, rows) ? known.value : undefined;
  }

  /** Returns the value that is kept, or makes it. @param key frozen, and the same for several requests */
  of(key: Key, rows: readonly DicomJson[], make: () => Value): Value {
    const known = this.known(key, rows);
    if (known !== undefined) return known;
    const value = make();
    this.#kept.set(key, { rows, value }, rows.length);
    return value;
  }
}
