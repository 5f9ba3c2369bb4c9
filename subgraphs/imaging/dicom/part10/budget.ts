import { OBJECT_ELEMENTS } from '../../../../schema/dicom/dicom.ts';
import { DamagedFile } from './bytes.ts';

/** Bytes of JSON for each permitted element or value: several times what real objects need. */
const JSON_BYTES = 160;
/**
 * Fragments of one object. A slide has one for each tile, so this allows more than 200,000 pixels a side. Finding more
 * would keep other work waiting too long.
 */
const MAX_FRAGMENTS = 1_000_000;

/** An object that exceeds its budget. */
export class OverBudget extends DamagedFile {
  constructor(what: string) {
    super(`It has more than ${what}. If it is meant so, raise limits.objectElements of the tenant.`);
  }
}

/**
 * Limits of reading one object (DW-24), counted while it is read: elements, items and values together, and bytes of
 * JSON. Reading stops at the limit, before it takes much memory.
 */
export class Budget {
  readonly #elements: number;
  /** Bytes of JSON that an object may have. */
  readonly jsonBytes: number;
  #counted = 0;
  #text = 0;
  #fragments = 0;

  /** @param elements permitted elements, items and values together */
  constructor(elements = OBJECT_ELEMENTS) {
    this.#elements = elements;
    this.jsonBytes = elements * JSON_BYTES;
  }

  /** Counts elements, items or values. @throws OverBudget */
  count(more = 1): void {
    this.#counted += more;
    if (this.#counted > this.#elements) throw new OverBudget(`${this.#elements} elements and values`);
  }

  /** Counts a fragment of encapsulated pixel data, which JSON does not contain. @throws DamagedFile */
  countFragment(): void {
    if (++this.#fragments > MAX_FRAGMENTS)
      throw new DamagedFile(`There are more than ${MAX_FRAGMENTS} fragments of pixel data.`);
  }

  /**
   * Counts bytes of values for JSON.
   * @throws OverBudget
   */
  countText(bytes: number): void {
    this.#text += bytes;
    this.checkJson(this.#text);
  }

  /**
   * Checks the length of finished JSON.
   * @throws OverBudget
   */
  checkJson(bytes: number): void {
    if (bytes > this.jsonBytes)
      throw new OverBudget(`${Math.round(this.jsonBytes / 1e6)} MB of text and numbers`);
  }
}
