import { Fault } from '../../../schema/fault/fault.ts';
import { dateRange } from '../../../schema/fhir/date-range.ts';
import { FHIR_ID, parseReference } from '../../../schema/fhir/fhir.ts';
import { LARGEST_PAGE } from '../../../schema/fhir/search/paging.ts';
import {
  leaveOut,
  readSearchRequest,
  unsupported,
  type Parameter,
  type Parameters,
  type ResultRules,
  type Summary,
} from '../../../schema/fhir/search/search-request.ts';
import { readToken, trimmedAlternatives } from '../../../schema/fhir/search/search-value.ts';
import { requireFewConditions } from '../../../schema/http/request-bounds.ts';
import { recordInclude } from './joins/includes.ts';
import { criterion, isCriterion } from './criteria.ts';
import type { Candidate, Criterion } from './criterion.ts';

/** A search for ImagingStudy, read and checked (IA-13). Pure: `find.ts` runs it. */

/**
 * A patient that a search names by logical id or by identifier; `foreign` for a patient of another server; or those whom
 * the record finds by a chain.
 */
export type NamedPatient =
  | { id: string }
  | { identifier: { value: string; system?: string } }
  | { chain: { name: string; value: string } }
  | 'foreign';

export interface ImagingStudySearch {
  /** One list of alternatives for each repetition; empty if no patient is named. */
  patients: readonly (readonly NamedPatient[])[];
  /** Logical ids of patients in reach: studies of others are not wanted, and may be left out. */
  among?: readonly string[];
  criteria: readonly Criterion[];
  sort: readonly { by: SortKey; descending: boolean }[];
  /** Studies on a page; 0 if only their number is wanted. */
  count: number;
  offset: number;
  /** True if the Endpoints of the studies are included (IA-14). */
  includeEndpoint: boolean;
  /** Elements wanted; undefined for all. `series.instance` may be among them. */
  elements?: readonly string[];
  summary?: Summary;
  /** True if the total is wanted. */
  total: boolean;
  /** The parameters that were applied, for the self link. */
  applied: Parameters;
  /** Parts that were left out, each as the fault that strict handling gives (R4 §3.1.1.1). */
  notApplied: readonly Fault[];
}

type SortKey = keyof typeof SORT_KEYS;

/** The parts of a study that are wanted (R4 §3.1.1.5.8, §3.1.1.5.9). */
export type Parts = Pick<ImagingStudySearch, 'elements' | 'summary'>;

export interface SearchRules {
  /** `Prefer: handling=strict`: unknown parameters are refused instead of ignored (FHIR R4 §3.1.1.1). */
  strict: boolean;
  /** FHIR bases whose `Patient/{id}` are the tenant's patients. */
  patientBases: readonly string[];
}

/**
 * Reads the parameters of a search.
 * @throws Fault `invalid_request` for a bad value or too many of them; `unsupported_parameter` for an unknown modifier
 *   and, if the client is strict, for an unknown parameter
 */
export function parseSearch(parameters: Iterable<Parameter>, rules: SearchRules): ImagingStudySearch {
  const {
    criteria: sent,
    understood,
    results,
    ...read
  } = readSearchRequest(parameters, rules.strict, RESULTS);
  const notApplied = [...read.ignored];
  const patients: NamedPatient[][] = [];
  const criteria: Criterion[] = [];
  const ignored = new Set<Parameter>();
  const leftOut = (parameter: Parameter, fault: Fault): void => {
    leaveOut(fault, { strict: rules.strict, ignored: notApplied });
    ignored.add(parameter);
  };
  for (const parameter of sent) {
    const [name, value] = parameter;
    const patient = patientParameter(name);
    if (patient) {
      patients.push(namedPatients(name, value, patient, rules));
    } else if (isCriterion(name)) {
      const parsed = criterion(name, value);
      if (parsed) criteria.push(parsed);
      else leftOut(parameter, new Fault('invalid_request', `${name} is empty.`));
    } else {
      leftOut(parameter, unsupported(name));
    }
  }
  requireFewConditions(patients.length + criteria.length, results.sort.length);
  return {
    patients,
    criteria,
    sort: results.sort.map(sortKey),
    count: results.count,
    offset: results.offset ?? 0,
    includeEndpoint: understood.some(([name, value]) => name.startsWith('_include') && ENDPOINT.test(value)),
    ...partsOf(results),
    total: results.total !== undefined,
    applied: understood.filter((parameter) => !ignored.has(parameter)),
    notApplied,
  };
}

/**
 * Reads the parameters of a read; only those that select parts count.
 * @throws Fault `invalid_request`
 */
export function parseRead(parameters: Parameters): Parts {
  return partsOf(readSearchRequest(parameters, false, RESULTS).results);
}

function partsOf({ elements, summary }: Parts): Parts {
  return { ...(elements && { elements }), ...(summary && { summary }) };
}

/** Returns whether a candidate meets every criterion. @param now milliseconds since the epoch */
export function matches(search: ImagingStudySearch, candidate: Candidate, now: number): boolean {
  return search.criteria.every((one) => one.matches(candidate, now));
}

/** Sorts candidates as the search asks, then newest first, then by UID, so that pages do not overlap. */
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

/** Returns the UIDs of the studies that the search names; undefined if it names none. Nothing else can match. */
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

/** Compares two values; undefined comes last in either direction. */
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

/** Values of `_include` that give the Endpoints of the studies (IA-14). */
const ENDPOINT = /^(\*|ImagingStudy:(\*|endpoint(:Endpoint)?))$/;

/** Result parameters of an ImagingStudy search. */
const RESULTS: ResultRules = {
  defaultCount: LARGEST_PAGE,
  maxCount: LARGEST_PAGE,
  more: {
    _sort: (value) =>
      trimmedAlternatives(value).every((key) => Object.hasOwn(SORT_KEYS, key.replace(/^[+-]/, ''))),
    _include: (value) => ENDPOINT.test(value) || recordInclude('_include', value).length > 0,
    _revinclude: (value) => recordInclude('_revinclude', value).length > 0,
  },
};

/**
 * Returns how a parameter names patients: `subject:Patient=1`, `patient.identifier=…`, `patient:identifier=…`, or a chain
 * with the parameter of Patient.
 */
function patientParameter(name: string): 'reference' | 'identifier' | { chain: string } | undefined {
  const [, , chain] = /^(patient|subject)(?::Patient)?(|\._id|\.identifier|:identifier)$/.exec(name) ?? [];
  if (chain !== undefined) return chain.endsWith('identifier') ? 'identifier' : 'reference';
  const [, inner] = /^(?:patient|subject)(?::Patient)?\.(.+)$/.exec(name) ?? [];
  if (inner !== undefined) return { chain: inner };
  if (/^(patient|subject)[:.]/.test(name)) {
    // Never ignored, strict or not: the answer would be about other patients than the client believes.
    throw new Fault('unsupported_parameter', `The search parameter ${name} is not supported here.`);
  }
  return undefined;
}

function namedPatients(
  name: string,
  text: string,
  kind: NonNullable<ReturnType<typeof patientParameter>>,
  rules: SearchRules,
): NamedPatient[] {
  const values = trimmedAlternatives(text);
  if (values.length === 0) throw new Fault('invalid_request', `${name} is empty.`);
  if (typeof kind === 'object') return [{ chain: { name: kind.chain, value: text } }];
  return values.map((value) => {
    if (kind === 'reference') return namedPatient(name, value, rules);
    const { system, value: identifier } = readToken(value);
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
