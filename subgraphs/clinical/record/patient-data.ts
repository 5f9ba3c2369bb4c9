import type { Access } from '../../../schema/access/access.ts';
import { permitting, requireScope } from '../../../schema/access/scopes.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { dateRange } from '../../../schema/fhir/date-range.ts';
import type { Parameter, Parameters } from '../../../schema/fhir/search/search-request.ts';
import { trimmedAlternatives } from '../../../schema/fhir/search/search-value.ts';
import { clinicalResources, searchParameter } from '../../../schema/fhir/tables.ts';
import { bindingParameter, reachOf } from '../search/reach.ts';
import type { ClinicalSource, SearchParams } from '../sources/source.ts';

/** Resources that `Patient/$everything` and `$export` gather of patients: the types, and the searches for them. */

/** Types with records of patients that can be searched, the Patient first. */
const SEARCHED: readonly string[] = [
  'Patient',
  ...clinicalResources.filter((type) => type !== 'Patient' && bindingParameter(type) !== undefined),
];
/** Types that records refer to; they are read, not searched. */
const SHARED: readonly string[] = clinicalResources.filter((type) => reachOf(type) === 'shared');
const IMAGING = ['ImagingStudy', 'Endpoint'] as const;

/** The types of one request. */
export interface WantedTypes {
  searched: readonly string[];
  shared: ReadonlySet<string>;
  imaging: ReadonlySet<string>;
}

/**
 * Returns the types that the caller's scopes cover.
 * @param asked the types of `_type`; undefined: all
 * @throws Fault `invalid_request` for a type that is no part of a patient's data, `insufficient_scope` for one that was
 *   asked for and is not covered
 */
export function wantedTypes(access: Access, asked?: readonly string[]): WantedTypes {
  for (const type of asked ?? []) {
    if (![...SEARCHED, ...SHARED, ...IMAGING].includes(type)) {
      throw new Fault('invalid_request', `_type takes types of a patient's data, such as Observation.`);
    }
    requireScope(access, type, interactionOf(type));
  }
  const isWanted = (type: string): boolean =>
    asked?.includes(type) ?? permitting(access.permissions, type, interactionOf(type)).length > 0;
  return {
    searched: SEARCHED.filter(isWanted),
    shared: new Set(SHARED.filter(isWanted)),
    imaging: new Set(IMAGING.filter(isWanted)),
  };
}

/** Returns the interaction whose scope a type needs: shared types are read by reference. */
export function interactionOf(type: string): 'r' | 's' {
  return SHARED.includes(type) && !SEARCHED.includes(type) ? 'r' : 's';
}

/** Conditions on the data, as the operations name them (R4 Patient-everything, Bulk Data Access 3.0, kick-off). */
export interface DataFilter {
  types?: readonly string[];
  /** FHIR instants or dates. */
  since?: string;
  until?: string;
  /** Searches of a type, of which one has to find a resource. */
  queries?: ReadonlyMap<string, readonly SearchParams[]>;
  /** Care dates. */
  start?: string;
  end?: string;
}

/** Names of the parameters of `readDataFilter`. */
export const FILTER_PARAMETERS = ['_type', '_since', 'start', 'end'] as const;

/**
 * Reads the conditions of an operation.
 * @throws Fault `invalid_request` for a date that is none
 */
export function readDataFilter(parameters: Parameters): DataFilter {
  const last = (name: string): string | undefined => {
    const value = parameters.findLast(([key]) => key === name)?.[1].replace(/ (?=\d{2}:\d{2}$)/, '+');
    if (value === undefined || dateRange(value)) return value;
    throw new Fault('invalid_request', `${name} takes a FHIR date, such as 2026-01-31.`);
  };
  const types = parameters
    .filter(([name]) => name === '_type')
    .flatMap(([, value]) => trimmedAlternatives(value));
  const [since, until, start, end] = [last('_since'), last('_until'), last('start'), last('end')];
  return { ...(types.length > 0 && { types: [...new Set(types)] }), since, until, start, end };
}

/** One search of a patient's data. */
export interface Section {
  /** Unique within a list of sections, and the same for the same request. */
  key: string;
  type: string;
  params: SearchParams;
}

/** The date of care of a type: the first of these that it has. Of Goal and Coverage there is none that tells. */
const CARE_DATES = [
  'date',
  'period',
  'onset-date',
  'recorded-date',
  'effective',
  'effective-time',
  'authoredon',
  'authored',
  'whenhandedover',
  'collected',
  'created',
  'datetime',
  'recorded',
  'authored-on',
];

/**
 * Returns the searches for these types, without those that the source cannot search. A resource without a time of change
 * counts as changed, and one without a care date as in the period: nothing is left out because its date is not known.
 * These need a search of their own. Only a store has resources without a time of change. Of several queries for a type each
 * is a search, and two of them may find the same resource.
 */
export function sectionsOf(
  source: ClinicalSource,
  types: readonly string[],
  { since, until, start, end, queries }: DataFilter,
): Section[] {
  const period: Parameter[] = [];
  if (since !== undefined) period.push(['_lastUpdated', `ge${since}`]);
  if (until !== undefined) period.push(['_lastUpdated', `le${until}`]);
  const changed =
    period.length > 0 && source.local ? [period, [['_lastUpdated:missing', 'true'] as const]] : [period];
  return types
    .filter((type) => source.supports(type, bindingParameter(type)!))
    .flatMap((type) => {
      const cared = careDates(type, start, end);
      const dated = changed.flatMap((one) => cared.map((other) => [...one, ...other]));
      const all = (queries?.get(type) ?? [[]]).flatMap((query) => dated.map((one) => [...one, ...query]));
      return all.map((params, index) => ({ key: `${type}.${index}`, type, params }));
    });
}

/** Returns the alternative conditions for a period of care; one without conditions for a type without such a date. */
function careDates(type: string, start: string | undefined, end: string | undefined): Parameter[][] {
  const date = type === 'Patient' ? undefined : CARE_DATES.find((code) => searchParameter(type, code));
  if (date === undefined || (start === undefined && end === undefined)) return [[]];
  const period: Parameter[] = [];
  if (start !== undefined) period.push([date, `ge${start}`]);
  if (end !== undefined) period.push([date, `le${end}`]);
  return [period, [[`${date}:missing`, 'true']]];
}

/** Returns true when a time of a resource, as wide as its precision, may lie in a period; also for an unknown time. */
export function mayBeIn(time: string | undefined, start: string | undefined, end?: string): boolean {
  const range = time === undefined ? undefined : dateRange(time);
  if (!range) return true;
  const [from, to] = [start === undefined ? undefined : dateRange(start), end && dateRange(end)];
  return (!from || range.high > from.low) && (!to || range.low < to.high);
}
