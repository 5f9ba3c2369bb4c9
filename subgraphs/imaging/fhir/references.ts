import type { ImagingStudy, Reference } from 'fhir/r4.js';
import { STUDY_REFERENCES, type StudyReference } from '../../../schema/fhir/joined-types.ts';
import { FHIR_ID, parseReference } from '../../../schema/fhir/fhir.ts';
import { readToken } from '../../../schema/fhir/search/search-value.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { meetsIdentifier, type Parameter } from './criterion.ts';
import { ENDPOINT_ID, namesEndpoint } from './endpoint.ts';
import { studyReferences } from './joins/study-references.ts';

/** Search parameters of references that a study has from the record or from its archive (R4 §3.1.1.4.11). */

interface Target {
  type?: string;
  id: string;
}

/** Makes the parameter of people: `Practitioner/1`, `1`, `:Practitioner=1`, or `:identifier=system|value`. */
export function people(code: StudyReference): Parameter {
  return {
    modifiers: ['identifier', ...STUDY_REFERENCES[code]],
    parse(values, name, modifier) {
      const meets = modifier === 'identifier' ? byIdentifier(values) : byTarget(values, name, modifier);
      return { matches: ({ study }) => studyReferences(study, code).some(meets) };
    },
  };
}

/** The Endpoint that a study names, as `Endpoint/{id}` or by its id, also where the study contains it. */
export const endpoint: Parameter = {
  modifiers: ['Endpoint'],
  parse(values, name, modifier) {
    const targets = values.map((value) => target(value, name, modifier));
    const ids = targets.flatMap(({ type, id }) => ((type ?? 'Endpoint') === 'Endpoint' ? [id] : []));
    const isNamed = (study: ImagingStudy) => [ENDPOINT_ID, study.id!].some((id) => ids.includes(id));
    return { matches: ({ study }) => namesEndpoint(study) && isNamed(study) };
  },
};

function byIdentifier(values: readonly string[]) {
  const tokens = values.map(readToken);
  return ({ identifier }: Reference): boolean =>
    identifier !== undefined && tokens.some((wanted) => meetsIdentifier(wanted, identifier));
}

function byTarget(values: readonly string[], name: string, modifier: string | undefined) {
  const targets = values.map((value) => target(value, name, modifier));
  return ({ reference }: Reference): boolean => {
    const own = parseReference(reference);
    return targets.some(({ type, id }) => own?.id === id && (type ?? own.type) === own.type);
  };
}

/** @throws Fault `invalid_request` for a value that is no reference */
function target(value: string, name: string, type: string | undefined): Target {
  if (FHIR_ID.test(value)) return { id: value, type };
  const reference = parseReference(value);
  if (!reference) throw new Fault('invalid_request', `${name} takes an id or a reference such as Type/{id}.`);
  return reference;
}
