import { FHIR_ID, parseReference } from '../../../schema/fhir/fhir.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { requireFewConditions } from '../../../schema/http/request-bounds.ts';
import { alternatives, criterion, isCriterion, token, type Candidate, type Criterion } from './criteria.ts';
import { dateRange } from './date-search.ts';

/** A search for ImagingStudy, read and checked (IA-13). Pure: `find.ts` runs it. */

/** A patient whom a search names: by logical id, by identifier, or as one that is of another server. */
export type NamedPatient = { id: string } | { identifier: { value: string; system?: string } } | 'foreign';

export interface ImagingStudySearch {
  /** Each repetition is a list of alternatives; empty where no patient is named. */
  patients: readonly (readonly NamedPatient[])[];
  criteria: readonly Criterion[];
  sort: readonly { by: SortKey; descending: boolean }[];
  /** Studies on a page. */
  count: number;
  offset: number;
  /** Whether the Endpoints are wanted beside the studies (IA-14). */
  includeEndpoint: boolean;
  /** Elements wanted; undefined for all. `series.instance` may be among them. */
  elements?: readonly string[];
  summary: Summary;
  /** Whether the total is wanted. */
  total: boolean;
  /** What was applied, for the self link. */
  applied: readonly (readonly [name: string, value: string])[];
}

export type Summary = 'true' | 'text' | 'data' | 'count' | 'false' | undefined;
type SortKey = keyof typeof SORT_KEYS;

/** Studies on a page, unless `_count` says fewer. */
export const PAGE_LIMIT = 1000;

export interface SearchRules {
  /** `Prefer: handling=strict`: what is not known is refused instead of ignored (FHIR R4 §3.1.1.5). */
  strict: boolean;
  /** FHIR bases whose `Patient/{id}` are the tenant's patients. */
  patientBases: readonly string[];
}

/**
 * Reads the parameters of a search.
 * @throws Fault `invalid_request` for a bad value or too many of them, `unsupported_parameter` for a modifier that is not known, and for a
 * parameter that is not known where the client is strict
 */
export function parseSearch(
  parameters: Iterable<readonly [name: string, value: string]>,
  rules: SearchRules,
): ImagingStudySearch {
  const patients: NamedPatient[][] = [];
  const criteria: Criterion[] = [];
  const applied: (readonly [string, string])[] = [];
  const controls = new Map<string, string[]>();
  for (const [name, value] of parameters) {
    const patient = patientParameter(name);
    if (patient) {
      patients.push(namedPatients(name, value, patient, rules));
    } else if (isCriterion(name)) {
      const parsed = criterion(name, value);
      if (!parsed) continue;
      criteria.push(parsed);
    } else if (!understood(name, value)) {
      if (rules.strict) {
        throw new Fault(
          'unsupported_parameter',
          `The search parameter ${name} is not supported here with this value.`,
        );
      }
      continue;
    } else {
      controls.set(controlOf(name), [...(controls.get(controlOf(name)) ?? []), value]);
    }
    applied.push([name, value]);
  }
  const last = (name: string) => controls.get(name)?.at(-1);
  const elements = controls.get('_elements')?.flatMap(alternatives);
  const summary = last('_summary') as Summary;
  const sort = (controls.get('_sort') ?? []).flatMap(alternatives).map(sortKey);
  requireFewConditions(patients.length + criteria.length, sort.length);
  const count = wholeNumber('_count', last('_count')) ?? PAGE_LIMIT;
  return {
    patients,
    criteria,
    sort,
    count: Math.min(count, PAGE_LIMIT),
    offset: wholeNumber('_offset', last('_offset')) ?? 0,
    includeEndpoint: controls.has('_include'),
    ...(elements && { elements }),
    // _count=0 asks for the same as _summary=count (FHIR R4 §3.1.1.5.4).
    summary: count === 0 ? 'count' : summary,
    total: last('_total') !== 'none',
    applied,
  };
}

/** Whether a candidate meets every criterion. @param now milliseconds since the epoch */
export function matches(search: ImagingStudySearch, candidate: Candidate, now: number): boolean {
  return search.criteria.every((one) => one.matches(candidate, now));
}

/** In the order asked for; newest first, then by UID, where nothing else decides, so that pages do not overlap. */
export function inOrder<T extends Candidate>(search: ImagingStudySearch, candidates: readonly T[]): T[] {
  const keys = [...search.sort, { by: 'started' as const, descending: true }];
  const ranked = candidates.map((candidate) => ({
    candidate,
    ranks: keys.map(({ by }) => SORT_KEYS[by](candidate)),
  }));
  ranked.sort((a, b) => {
    for (const [index, { descending }] of keys.entries()) {
      const order = compare(a.ranks[index], b.ranks[index], descending);
      if (order !== 0) return order;
    }
    return compare(a.candidate.study.id, b.candidate.study.id, false);
  });
  return ranked.map(({ candidate }) => candidate);
}

/** The studies that the search names by UID, where it does; nothing else can match. */
export function studyUidsOf({ criteria }: ImagingStudySearch): string[] | undefined {
  const named = criteria.map(({ studyUids }) => studyUids).filter((uids) => uids !== undefined);
  if (named.length === 0) return undefined;
  return [...new Set(named[0])].filter((uid) => named.every((uids) => uids.includes(uid)));
}

const SORT_KEYS = {
  started: ({ study }: Candidate) => (study.started ? dateRange(study.started)?.low : undefined),
  _lastUpdated: ({ memory }: Candidate) => memory?.lastUpdated,
  _id: ({ study }: Candidate) => study.id,
};

/** Studies without a value come last in either direction. */
function compare(
  a: string | number | undefined,
  b: string | number | undefined,
  descending: boolean,
): number {
  if (a === b) return 0;
  if (a === undefined) return 1;
  if (b === undefined) return -1;
  return (a < b ? -1 : 1) * (descending ? -1 : 1);
}

function sortKey(text: string): { by: SortKey; descending: boolean } {
  return { by: text.replace(/^[+-]/, '') as SortKey, descending: text.startsWith('-') };
}

/** Parameters that shape the answer, and the values of each that are understood. */
const CONTROLS: Record<string, (value: string) => boolean> = {
  _count: () => true,
  _offset: () => true,
  _sort: (value) => alternatives(value).every((key) => Object.hasOwn(SORT_KEYS, key.replace(/^[+-]/, ''))),
  _include: (value) => /^(\*|ImagingStudy:(\*|endpoint(:Endpoint)?))$/.test(value),
  _elements: (value) => value !== '',
  _summary: (value) => ['true', 'text', 'data', 'count', 'false'].includes(value),
  _total: (value) => ['none', 'estimate', 'accurate'].includes(value),
  // The face reads these two; here they only belong to the self link.
  _format: () => true,
  _pretty: () => true,
};

/** `_include:iterate` is `_include` here: an Endpoint brings nothing more. */
function controlOf(name: string): string {
  return name.replace(/^_include:(iterate|recurse)$/, '_include');
}

function understood(name: string, value: string): boolean {
  const control = controlOf(name);
  return Object.hasOwn(CONTROLS, control) && CONTROLS[control]!(value);
}

function wholeNumber(name: string, text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  if (!/^\d{1,9}$/.test(text)) {
    throw new Fault('invalid_request', `${name} takes a whole number, zero or more.`);
  }
  return Number(text);
}

/** How a parameter names patients: `subject:Patient=1`, `patient.identifier=…`, `patient:identifier=…`. */
function patientParameter(name: string): 'reference' | 'identifier' | undefined {
  const [, , chain] = /^(patient|subject)(?::Patient)?(|\._id|\.identifier|:identifier)$/.exec(name) ?? [];
  if (chain !== undefined) return chain.endsWith('identifier') ? 'identifier' : 'reference';
  if (/^(patient|subject)[:.]/.test(name)) {
    // Not one to ignore, strict or not: the answer would be of other patients than the client believes.
    throw new Fault('unsupported_parameter', `The search parameter ${name} is not supported here.`);
  }
  return undefined;
}

function namedPatients(
  name: string,
  text: string,
  kind: 'reference' | 'identifier',
  rules: SearchRules,
): NamedPatient[] {
  const values = alternatives(text);
  if (values.length === 0) throw new Fault('invalid_request', `${name} is empty.`);
  return values.map((value) => {
    if (kind === 'reference') return namedPatient(name, value, rules);
    const { system, value: identifier } = token(value);
    if (!identifier) throw new Fault('invalid_request', `${name} takes system|value or a value.`);
    return { identifier: { value: identifier, ...(system && { system }) } };
  });
}

function namedPatient(name: string, value: string, { patientBases }: SearchRules): NamedPatient {
  if (FHIR_ID.test(value)) return { id: value };
  const reference = parseReference(value);
  if (!reference) throw new Fault('invalid_request', `${name} takes an id or Patient/{id}.`);
  const base = value.slice(0, value.lastIndexOf(`${reference.type}/${reference.id}`)).replace(/\/$/, '');
  const ours = reference.type === 'Patient' && (base === '' || patientBases.includes(base));
  return ours ? { id: reference.id } : 'foreign';
}
