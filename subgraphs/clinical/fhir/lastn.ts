import type { Bundle, Observation } from 'fhir/r4.js';
import { Fault } from '../../../schema/fault/fault.ts';
import { LARGEST_PAGE } from '../../../schema/fhir/search/paging.ts';
import {
  lastValue,
  readSearchRequest,
  unsupported,
  type Parameters,
  type ResultRules,
} from '../../../schema/fhir/search/search-request.ts';
import { outcomeEntry, searchset } from '../../../schema/fhir/search/searchset.ts';
import type { Clinical } from '../record/clinical.ts';
import { LastObservations } from '../record/last-observations.ts';
import type { SearchParams } from '../sources/source.ts';

/** `Observation/$lastn` (R4 Observation-lastn): the newest observations of each code. */

const RESULTS: ResultRules = {
  defaultCount: 0,
  maxCount: 0,
  more: { _summary: (value) => value === 'false' },
};
/** Largest `max`. */
const MOST_OF_CODE = 100;
/** Observations that one request looks through. */
const MOST_LOOKED = 50_000;

/**
 * Returns the newest observations of each code among those that a search finds, each group with the newest first.
 * @throws Fault `invalid_request` without a patient, or without a category or code; `too_large` when the search finds too
 *   many; and the faults of the search
 */
export async function lastObservations(
  open: () => Clinical,
  parameters: Parameters,
  { strict, base }: { strict: boolean; base: string },
): Promise<Bundle> {
  const max = maxOf(parameters);
  const sent = parameters.filter(([name]) => name !== 'max');
  const { criteria, ignored } = readSearchRequest(sent, strict, RESULTS);
  requireNarrow(criteria);
  const last = new LastObservations(max);
  const applied = await eachObservation(open, { params: criteria, strict }, (one) => last.add(one));
  // A parameter that was ignored may be the one that narrows the search.
  requireNarrow(applied);
  const observations = last.all();
  const others = criteria.filter(([name]) => !applied.some(([known]) => known === name));
  return searchset({
    url: `${base}/Observation/$lastn`,
    applied: [...applied, ['max', String(max)]],
    total: observations.length,
    entries: [
      ...observations.map((resource) => ({
        resource,
        mode: 'match' as const,
        fullUrl: `${base}/Observation/${resource.id}`,
      })),
      ...[...ignored, ...others.map(([name]) => unsupported(name))].map(outcomeEntry),
    ],
  });
}

function maxOf(parameters: Parameters): number {
  const text = lastValue(parameters, 'max') ?? '1';
  const max = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (max >= 1) return Math.min(max, MOST_OF_CODE);
  throw new Fault('invalid_request', 'max takes a whole number, one or more.');
}

/** R4 Observation-lastn: the query SHALL have a subject, and a category or a parameter of codes. */
function requireNarrow(parameters: Parameters | SearchParams): void {
  const has = (names: RegExp): boolean => parameters.some(([name]) => names.test(name));
  if (!has(/^(patient|subject)(:Patient|[.:]identifier)?$/)) {
    throw new Fault('invalid_request', '$lastn needs a patient: add patient={id}.');
  }
  if (!has(/^(category|code|component-code|combo-code)(:(in|below|text))?$/)) {
    throw new Fault('invalid_request', '$lastn needs a category or a code, such as category=laboratory.');
  }
}

/** Runs a search to its end, each page for itself: a record keeps what it has found. @returns the applied parameters */
async function eachObservation(
  open: () => Clinical,
  { params, strict }: { params: SearchParams; strict: boolean },
  take: (observation: Observation) => void,
): Promise<SearchParams> {
  let looked = 0;
  let cursor: string | undefined;
  for (;;) {
    const found = await open().search('Observation', { params, strict, count: LARGEST_PAGE, cursor });
    for (const one of found.resources) take(one as Observation);
    looked += found.resources.length;
    if (found.next === undefined) return found.applied;
    if (looked >= MOST_LOOKED) {
      throw new Fault(
        'too_large',
        `More than ${MOST_LOOKED} observations match: narrow $lastn by code, category or date.`,
      );
    }
    cursor = found.next;
  }
}
