import { governingType } from '../access/scopes.ts';
import { RESOURCE_LIST } from './resources.ts';

/** Scopes of fields whose name is not that of a type, by `Type.field`. All are needed. */
const BY_FIELD: Readonly<Record<string, readonly string[]>> = {
  'DiagnosticReport.priors': ['DiagnosticReport.s', 'ImagingStudy.s'],
  'ImagingStudy.dose': ['ImagingStudy.r'],
  'ImagingStudy.measurements': ['Observation.s', 'ImagingStudy.r'],
  'ImagingStudy.priors': ['ImagingStudy.s'],
  'ImagingStudy.sameAccession': ['ImagingStudy.s'],
  'Patient.trend': ['Observation.s'],
};

/** Words of the descriptions for fields whose scopes depend on more than the field: of its arguments, values, or own fields. */
const IN_WORDS: Readonly<Record<string, string>> = {
  'Patient.timeline': '.s of each type',
  'Query.Patient': 'Patient.r',
  'Reference.resource': '.r of its type',
};

/** A field, and the type that has it, by their names in the schema. */
interface NamedField {
  parent: string;
  field: string;
}

/**
 * Returns the line of a description that names the scopes which a field needs (SMART App Launch 2.2 §4.3): `r` reads one
 * resource, `s` searches (FG-27). Undefined for a field that leads to no other type of resource.
 */
export function scopeLine({ parent, field }: NamedField): string | undefined {
  const scopes = IN_WORDS[`${parent}.${field}`] ?? scopesOfField({ parent, field })?.join(' and ');
  return scopes && `Scope: ${scopes}, with patient/, user/ or system/`;
}

/** Returns the scopes that a field needs to lead to resources, all of them (FG-27). */
function scopesOfField({ parent, field }: NamedField): readonly string[] | undefined {
  const named = `${parent}.${field}`;
  if (BY_FIELD[named]) return BY_FIELD[named];
  const [, listed] = RESOURCE_LIST.exec(field) ?? [];
  if (listed !== undefined) return [`${governingType(listed)}.s`];
  return parent === 'Query' && !IN_WORDS[named] ? [`${governingType(field)}.r`] : undefined;
}

/** Fields of Patient that need no scope: images and lists are below a patient whom the scopes do not cover (SM-6). */
const OF_ANY_PATIENT = new Set(['id', 'resourceType', 'timeline']);

/**
 * Returns the directive of a field: the scopes without which the gateway refuses it (FG-31).
 * @returns undefined for a field that needs no more than the object around it
 */
export function directiveOfField(named: NamedField): string | undefined {
  const scopes = scopesOfField(named);
  if (scopes) return requiresScopes([scopes]);
  return named.parent === 'Patient' && !OF_ANY_PATIENT.has(named.field) ? ownScopes('Patient') : undefined;
}

/**
 * Returns the directive of a type of resource: the scopes of which any one is needed for its values, by whatever field
 * they come (FG-31). A Patient has it on its fields.
 */
export function directiveOfType(type: string): string | undefined {
  return type === 'Patient' ? undefined : ownScopes(type);
}

function ownScopes(type: string): string {
  const governing = governingType(type);
  return requiresScopes([[`${governing}.r`], [`${governing}.s`]]);
}

/** @param alternatives of which one is needed, each of scopes that are all needed */
function requiresScopes(alternatives: readonly (readonly string[])[]): string {
  const lists = alternatives.map((all) => `[${all.map((scope) => JSON.stringify(scope)).join(', ')}]`);
  return `@requiresScopes(scopes: [${lists.join(', ')}])`;
}
