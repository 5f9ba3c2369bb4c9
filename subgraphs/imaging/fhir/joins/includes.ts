import type { ImagingStudy } from 'fhir/r4.js';
import {
  STUDY_INCLUDES,
  STUDY_REFERENCES,
  STUDY_REVINCLUDES,
  type StudyReference,
} from '../../../../schema/fhir/joined-types.ts';
import type { Parameters } from '../../../../schema/fhir/search/search-request.ts';
import type { RecordInclude } from './record-joins.ts';
import { studyReferences } from './study-references.ts';

/** `_include` and `_revinclude` of a search of studies that lead to the record (R4 §3.1.1.5.4). */

const VALUE = /^([A-Z][A-Za-z]+):([a-z-]+)(?::([A-Z][A-Za-z]+))?$/;
/** All that an `_include` of studies can add. */
export const ALL_INCLUDES = /^(ImagingStudy:)?\*$/;

const CODES = [...Object.keys(STUDY_INCLUDES), ...Object.keys(STUDY_REFERENCES)];

/**
 * Returns what a value of `_include` or `_revinclude` asks of the record; nothing when it asks nothing of it.
 * @param page studies whose own references are followed
 */
export function recordInclude(
  name: string,
  value: string,
  page: readonly ImagingStudy[] = [],
): RecordInclude[] {
  if (name.startsWith('_include') && ALL_INCLUDES.test(value))
    return CODES.flatMap((code) => includeBy(code, undefined, page));
  const [, type = '', code = '', target] = VALUE.exec(value) ?? [];
  if (name.startsWith('_include')) return type === 'ImagingStudy' ? includeBy(code, target, page) : [];
  const isKnown =
    STUDY_REVINCLUDES.includes(`${type}:${code}`) && (target ?? 'ImagingStudy') === 'ImagingStudy';
  return isKnown ? [{ type, code }] : [];
}

/** @param target the only type that is wanted */
function includeBy(code: string, target: string | undefined, page: readonly ImagingStudy[]): RecordInclude[] {
  if (Object.hasOwn(STUDY_INCLUDES, code)) {
    const type = STUDY_INCLUDES[code]!;
    return (target ?? type) === type ? [{ type }] : [];
  }
  if (!Object.hasOwn(STUDY_REFERENCES, code)) return [];
  const element = code as StudyReference;
  const types = STUDY_REFERENCES[element].filter((one) => (target ?? one) === one);
  const named = page.flatMap((study) => studyReferences(study, element));
  const references = [...new Set(named.flatMap(({ reference }) => reference ?? []))];
  // Each type has its own scope.
  return types.map((one) => ({ type: 'ImagingStudy', code, names: { type: one, references } }));
}

/** Returns what the parameters of a search ask of the record, each once. */
export function recordIncludes(parameters: Parameters, page: readonly ImagingStudy[]): RecordInclude[] {
  const asked = parameters.flatMap(([name, value]) =>
    /^_(rev)?include(:|$)/.test(name) ? recordInclude(name, value, page) : [],
  );
  return [...new Map(asked.map((one) => [keyOf(one), one])).values()];
}

/** Names an include: two with the same name are one. */
export function keyOf({ type, code, names }: RecordInclude): string {
  return [type, code, names?.type].join(':');
}
