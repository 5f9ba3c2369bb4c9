import type { Parameters } from '../../../../schema/fhir/search/search-request.ts';
import { STUDY_INCLUDES, STUDY_REVINCLUDES } from '../../../../schema/fhir/joined-types.ts';
import type { RecordInclude } from './record-joins.ts';

/** `_include` and `_revinclude` of a search of studies that lead to the record (R4 §3.1.1.5.4). */

const VALUE = /^([A-Z][A-Za-z]+):([a-z-]+)(?::([A-Z][A-Za-z]+))?$/;

/** Returns what a value of `_include` or `_revinclude` asks of the record; undefined when it asks nothing of it. */
export function recordInclude(name: string, value: string): RecordInclude | undefined {
  const [, type = '', code = '', target] = VALUE.exec(value) ?? [];
  if (name.startsWith('_include')) {
    const included =
      type === 'ImagingStudy' && Object.hasOwn(STUDY_INCLUDES, code) ? STUDY_INCLUDES[code] : undefined;
    return included && (target ?? included) === included ? { type: included } : undefined;
  }
  const isKnown =
    STUDY_REVINCLUDES.includes(`${type}:${code}`) && (target ?? 'ImagingStudy') === 'ImagingStudy';
  return isKnown ? { type, code } : undefined;
}

/** Returns what the parameters of a search ask of the record, each once. */
export function recordIncludes(parameters: Parameters): RecordInclude[] {
  const asked = parameters.flatMap(([name, value]) =>
    /^_(rev)?include(:|$)/.test(name) ? (recordInclude(name, value) ?? []) : [],
  );
  return [...new Map(asked.map((one) => [`${one.type}:${one.code}`, one])).values()];
}
