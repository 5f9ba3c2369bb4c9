import { OBJECT_ELEMENTS } from '../../../../schema/dicom/dicom.ts';
import { DamagedFile } from './bytes.ts';

/** Bytes of JSON for each element or value that an object may have: several times what real objects need. */
const JSON_BYTES = 160;
/** A slide has one for each of its tiles: more than 200,000 pixels a side. To find more takes longer than others can wait. */
const MAX_FRAGMENTS = 1_000_000;

/** An object asks for more than it may. */
export class OverBudget extends DamagedFile {
  constructor(what: string) {
    super(`It has more than ${what}. If it is meant so, raise limits.objectElements of the tenant.`);
  }
}

/**
 * What reading one object may take (DW-24), counted while it is read: elements, items and values together, and bytes of
 * JSON. The work ends where the count does, with little memory taken.
 */
export class Budget {
  readonly #elements: number;
  /** Bytes of JSON that an object may have. */
  readonly jsonBytes: number;
  #counted = 0;
  #text = 0;
  #fragments = 0;

  /** @param elements elements, items and values together */
  constructor(elements = OBJECT_ELEMENTS) {
    this.#elements = elements;
    this.jsonBytes = elements * JSON_BYTES;
  }

  /** @throws OverBudget */
  count(more = 1): void {
    this.#counted += more;
    if (this.#counted > this.#elements) throw new OverBudget(`${this.#elements} elements and values`);
  }

  /** Counts a fragment of encapsulated pixel data; they are in no JSON. @throws DamagedFile */
  countFragment(): void {
    if (++this.#fragments > MAX_FRAGMENTS)
      throw new DamagedFile(`There are more than ${MAX_FRAGMENTS} fragments of pixel data.`);
  }

  /**
   * Counts bytes of values that go into JSON.
   * @throws OverBudget
   */
  countText(bytes: number): void {
    this.#text += bytes;
    this.checkJson(this.#text);
  }

  /**
   * Checks the length of the JSON that was made.
   * @throws OverBudget
   */
  checkJson(bytes: number): void {
    if (bytes > this.jsonBytes)
      throw new OverBudget(`${Math.round(this.jsonBytes / 1e6)} MB of text and numbers`);
  }
}
