import { LRUCache } from 'lru-cache';
import { parseFhirJson } from '../../schema/fhir/decimal.ts';
import { deepFreeze } from '../../schema/process/deep-freeze.ts';

/** Bytes of all kept answers, and of one. */
const MOST = 48_000_000;
const MOST_OF_ONE = 2_000_000;
/** Bytes of a character of an answer, with the values that were made of it. */
const PER_CHARACTER = 8;

/**
 * Values of answers of a subgraph, by their text. The subgraph authorizes and answers every request; where it answers what it
 * has answered before, the values are the same objects, and what was made of them is kept with them.
 */
export class KeptAnswers {
  readonly #values = new LRUCache<string, object>({
    maxSize: MOST,
    maxEntrySize: MOST_OF_ONE,
    sizeCalculation: (_, text) => PER_CHARACTER * text.length,
  });

  /** Returns the values, frozen. @throws SyntaxError for a text that is no JSON */
  of(text: string): object {
    let values = this.#values.get(text);
    if (!values) this.#values.set(text, (values = deepFreeze(parseFhirJson(text) as object)));
    return values;
  }
}
