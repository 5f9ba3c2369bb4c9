import type { SearchParameter } from './tables.ts';
import { Fault } from '../fault/fault.ts';

/** A value, and its number among the resources that a search finds (FG-30). */
export interface Facet {
  /** Undefined in the last entry for the values that are left out. */
  value?: string;
  /** System of a code. */
  system?: string;
  display?: string;
  /** Number of resources that have the value. */
  count: number;
  /** Number of values that are left out; set in the last entry only. */
  others?: number;
}

/** Search parameters of coded elements whose values people count. A type has those that its standard defines. */
export const CODED: readonly string[] = [
  'active',
  'appointment-type',
  'body-site',
  'bodysite',
  'category',
  'class',
  'clinical-status',
  'code',
  'criticality',
  'gender',
  'intent',
  'lifecycle-status',
  'method',
  'modality',
  'outcome',
  'priority',
  'reason-code',
  'service-type',
  'severity',
  'site',
  'specialty',
  'status',
  'type',
  'vaccine-code',
  'verification-status',
];

/** Facets of ImagingStudy, which no index of a store has. */
export const STUDY_FACETS = ['bodysite', 'modality', 'startedMonth', 'startedYear', 'status'] as const;

/** Returns the codes of the search parameters of a type that facets count by, in the order of the parameters. */
export function facetCodes(parameters: readonly Pick<SearchParameter, 'code' | 'type'>[]): string[] {
  return parameters
    .filter(({ code, type }) => type === 'token' && CODED.includes(code))
    .map(({ code }) => code);
}

const USUAL = 100;
const MOST = 1_000;

/**
 * Returns the number of values that are wanted.
 * @throws Fault `invalid_request` for a number that is not 1 to 1,000
 */
export function facetLimit(asked: unknown): number {
  const limit = asked ?? USUAL;
  if (typeof limit === 'number' && limit >= 1 && limit <= MOST) return limit;
  throw new Fault('invalid_request', `_count of facets is a number from 1 to ${MOST}.`);
}

/** Returns the most frequent values, and how many values and resources with them are left out. */
export function mostFrequent<T extends { count: number }>(
  values: readonly T[],
  limit: number,
): { top: T[]; others: number; count: number } {
  const sorted = values.toSorted((a, b) => b.count - a.count);
  const left = sorted.slice(limit);
  const count = left.reduce((sum, { count }) => sum + count, 0);
  return { top: sorted.slice(0, limit), others: left.length, count };
}
