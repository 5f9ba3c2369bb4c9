import { memoized } from '../../schema/cache/bounded-cache.ts';
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
  /** Returns the values, frozen. @throws SyntaxError for a text that is no JSON */
  readonly of = memoized((text) => deepFreeze(parseFhirJson(text) as object), {
    size: MOST,
    largest: MOST_OF_ONE,
    sizeOf: (_, text) => PER_CHARACTER * text.length,
  });
}
