import type { Coding, ImagingStudy } from 'fhir/r4.js';
import { UID, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { dateCriterion, dateRange, meetsDate } from '../../../schema/fhir/date-range.ts';
import {
  DICOM_UID_SYSTEM,
  FHIR_ID,
  hasIdentifierType,
  parseReference,
  refersTo,
} from '../../../schema/fhir/fhir.ts';
import {
  readToken,
  trimmedAlternatives,
  unescapeValue,
  type Token,
} from '../../../schema/fhir/search/search-value.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { meetsIdentifier, type Candidate, type Criterion, type Parameter } from './criterion.ts';
import { chainCriterion, hasCriterion, isLinked, linkedCriterion } from './joins/chains.ts';
import type { RecordSearch } from './joins/record-joins.ts';
import { endpoint, people } from './references.ts';
import { modalitiesOf } from '../study/document/study-document.ts';

type Judge = (candidate: Candidate, now: number) => boolean;

/** Makes a parameter whose values are matched one by one. */
function each(judge: (value: string, code: string, modifier: string | undefined) => Judge): Parameter {
  return {
    parse(values, code, modifier) {
      const judges = values.map((value) => judge(value, code, modifier));
      return { matches: (candidate, now) => judges.some((judge) => judge(candidate, now)) };
    },
  };
}

/** Makes a token parameter over codings; `:not` negates the whole criterion. */
function codings(
  of: (study: ImagingStudy) => (Coding | undefined)[],
  { instances = false, ofRow }: { instances?: boolean; ofRow?: (study: DicomJson) => Coding[] } = {},
): Parameter {
  return {
    modifiers: ['not'],
    parse(values, _code, modifier) {
      const tokens = values.map(readToken);
      const isNegated = modifier === 'not';
      const meets = (own: readonly (Coding | undefined)[]) =>
        own.some((coding) => coding && tokens.some((wanted) => meetsCoding(wanted, coding))) !== isNegated;
      return {
        matches: ({ study }) => meets(of(study)),
        ...(ofRow && { matchesRow: (study) => meets(ofRow(study)) }),
        ...(instances && { instances }),
      };
    },
  };
}

/** Compares codes and displays without case: `chest` finds what DICOM calls CHEST and SNOMED CT Chest. */
function meetsCoding({ system, value }: Token, { system: own = '', code, display }: Coding): boolean {
  if (system !== undefined && system !== own) return false;
  const wanted = value?.toLowerCase();
  return wanted === undefined || wanted === code?.toLowerCase() || wanted === display?.toLowerCase();
}

/** Makes a parameter whose values are UIDs, plain or as `urn:oid:`. */
function uids(of: (study: ImagingStudy) => (string | undefined)[], instances = false): Parameter {
  return {
    parse(values) {
      const wanted = new Set(values.map((value) => uidOf(readToken(value).value ?? '')));
      return {
        matches: ({ study }) => of(study).some((uid) => uid !== undefined && wanted.has(uid)),
        ...(instances && { instances }),
      };
    },
  };
}

function uidOf(value: string): string {
  return value.replace(/^urn:oid:/, '');
}

const lastUpdated = each((value, code) => {
  const criterion = dateCriterion(code, value);
  return ({ memory }, now) => {
    // If nothing is remembered, the study may be new to the client, so a search for what is new includes it (IA-13).
    if ((!memory || memory.fresh) && ['ge', 'gt', 'sa'].includes(criterion.prefix)) return true;
    const range = memory && dateRange(memory.lastUpdated);
    return range !== undefined && meetsDate(criterion, range, now);
  };
});

const started = each((value, code) => {
  const criterion = dateCriterion(code, value);
  return ({ study }, now) => {
    const range = study.started ? dateRange(study.started) : undefined;
    return range !== undefined && meetsDate(criterion, range, now);
  };
});

const id: Parameter = {
  parse: (values) => ({
    matches: ({ study, recordId }) =>
      values.includes(study.id!) || (recordId !== undefined && values.includes(recordId)),
    studyUids: values,
  }),
};

/** A Study Instance UID in any spelling, or an accession number (IA-13). */
const identifier: Parameter = {
  modifiers: ['of-type'],
  parse(values, _code, modifier) {
    if (modifier === 'of-type') {
      const wanted = values.map(ofType);
      return {
        matches: ({ study }) =>
          wanted.some(({ type, value }) =>
            study.identifier?.some((own) => own.value === value && hasIdentifierType(own, type)),
          ),
      };
    }
    const tokens = values.map(readToken);
    const named = tokens.map(studyUidOf).filter((uid) => uid !== undefined);
    return {
      matches: ({ study }) =>
        tokens.some((wanted) => study.identifier?.some((own) => meetsIdentifier(wanted, own))),
      ...(named.length === tokens.length && { studyUids: named }),
    };
  },
};

/** Reads `system|code|value` of the `:of-type` modifier. */
function ofType(text: string): { type: string; value: string } {
  const [, type, value] = text.split('|');
  if (!type || !value) {
    throw new Fault('invalid_request', 'identifier:of-type takes system|code|value.');
  }
  return { type, value: unescapeValue(value) };
}

/** Returns the UID if the token can only be a UID. */
function studyUidOf({ system, value }: Token): string | undefined {
  const certain = system === DICOM_UID_SYSTEM || value?.startsWith('urn:oid:');
  const uid = uidOf(value ?? '');
  return certain && UID.test(uid) ? uid : undefined;
}

/**
 * An order as `ServiceRequest/{id}`, or by its accession number as `basedon:identifier=`, `basedon.identifier=` or
 * plain. A study of an order that was named by id is found as GraphQL joins them (FG-9).
 */
const basedon: Parameter = {
  modifiers: ['identifier', 'ServiceRequest'],
  parse(values, code, modifier) {
    const byId = code === 'basedon' && modifier !== 'identifier';
    const ids = byId ? values.flatMap((value) => orderId(value, modifier) ?? []) : [];
    const tokens = values.map(readToken);
    const linked: RecordSearch = { type: 'ServiceRequest', name: '_id', value: ids.join(',') };
    return {
      matches({ study, keys, tests }) {
        const own = study.basedOn?.flatMap(({ identifier }) => identifier ?? []) ?? [];
        return (
          ids.some((id) => study.basedOn?.some((one) => refersTo(one, 'ServiceRequest', id))) ||
          own.some((identifier) => tokens.some((wanted) => meetsIdentifier(wanted, identifier))) ||
          (keys !== undefined && isLinked(tests?.get(linked), keys))
        );
      },
      ...(ids.length > 0 && { linked }),
    };
  },
};

/** An encounter as `Encounter/{id}` or by its id. */
const encounter: Parameter = {
  modifiers: ['Encounter'],
  parse(values, code) {
    const ids = values.flatMap((value) => {
      const reference = parseReference(value);
      if (!reference && !FHIR_ID.test(value))
        throw new Fault('invalid_request', `${code} takes an id or Encounter/{id}.`);
      if (reference && reference.type !== 'Encounter') return [];
      return reference?.id ?? value;
    });
    if (ids.length === 0) return { matches: () => false };
    return linkedCriterion(code, { type: 'Encounter', name: '_id', value: ids.join(',') });
  },
};

/** Returns the id of `ServiceRequest/{id}`; with `basedon:ServiceRequest=` the id may stand alone. */
function orderId(value: string, modifier: string | undefined): string | undefined {
  const reference = parseReference(value);
  if (reference?.type === 'ServiceRequest') return reference.id;
  return modifier === 'ServiceRequest' && FHIR_ID.test(value) ? value : undefined;
}

const PARAMETERS: Record<string, Parameter> = {
  _id: id,
  _lastUpdated: lastUpdated,
  basedon,
  'basedon.identifier': basedon,
  bodysite: codings((study) => study.series?.map(({ bodySite }) => bodySite) ?? []),
  'dicom-class': codings(
    (study) => study.series?.flatMap(({ instance }) => instance?.map(({ sopClass }) => sopClass) ?? []) ?? [],
    { instances: true },
  ),
  encounter,
  endpoint,
  identifier,
  instance: uids(
    (study) => study.series?.flatMap(({ instance }) => instance?.map(({ uid }) => uid) ?? []) ?? [],
    true,
  ),
  interpreter: people('interpreter'),
  modality: codings(
    (study) => [...(study.modality ?? []), ...(study.series ?? []).map((one) => one.modality)],
    { ofRow: (study) => modalitiesOf(study) },
  ),
  performer: people('performer'),
  // R4 has it for `reasonCode` only, not for `reasonReference`.
  reason: codings(({ reasonCode }) => reasonCode?.flatMap(({ coding }) => coding ?? []) ?? []),
  referrer: people('referrer'),
  series: uids((study) => study.series?.map(({ uid }) => uid) ?? []),
  started,
  status: codings(({ status }) => [{ system: 'http://hl7.org/fhir/imagingstudy-status', code: status }]),
};

/**
 * Parses one repetition of a search parameter; undefined if the parameter is unknown or empty.
 * @param name with its modifier: `modality:not`
 * @throws Fault `unsupported_parameter` for an unknown modifier: it must not be ignored (FHIR R4 §3.1.1.4.5)
 * @throws Fault `invalid_request` for a value that cannot be read
 */
export function criterion(name: string, text: string): Criterion | undefined {
  const chain = chainOf(name, text);
  if (chain) return chain;
  const [code = '', modifier] = name.split(':', 2);
  const parameter = Object.hasOwn(PARAMETERS, code) ? PARAMETERS[code] : undefined;
  if (!parameter) return undefined;
  if (modifier !== undefined && !parameter.modifiers?.includes(modifier)) {
    throw new Fault('unsupported_parameter', `${code} does not take the modifier "${modifier}" here.`);
  }
  const values = trimmedAlternatives(text);
  return values.length > 0 ? { code, ...parameter.parse(values, code, modifier) } : undefined;
}

/** `basedon.identifier` is matched with what the study itself says; other chains need the record. */
function chainOf(name: string, text: string): Criterion | undefined {
  if (name === 'basedon.identifier') return undefined;
  return chainCriterion(name, text) ?? hasCriterion(name, text);
}

/** Returns whether `criterion` knows the parameter. */
export function isCriterion(name: string): boolean {
  return Object.hasOwn(PARAMETERS, name.split(':', 1)[0]!) || chainOf(name, 'x') !== undefined;
}
