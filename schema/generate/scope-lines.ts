import type { GraphQLField } from 'graphql';
import { governingType } from '../access/scopes.ts';
import { RESOURCE_LIST } from './resources.ts';

/** Scopes of fields whose name is not that of a type, by `Type.field`. */
const BY_FIELD: Readonly<Record<string, readonly string[]>> = {
  'DiagnosticReport.priors': ['DiagnosticReport.r', 'ImagingStudy.s'],
  'ImagingStudy.dose': ['ImagingStudy.r'],
  'ImagingStudy.measurements': ['Observation.s', 'ImagingStudy.r'],
  'ImagingStudy.priors': ['ImagingStudy.s'],
  'ImagingStudy.sameAccession': ['ImagingStudy.s'],
  'Patient.timeline': ['.s of each type'],
  'Patient.trend': ['Observation.s'],
  'Reference.resource': ['.r of its type'],
};

/**
 * Returns the line of a description that names the scopes which a field needs (SMART App Launch 2.2 §4.3): `r` reads one
 * resource, `s` searches (FG-27). Undefined for a field that leads to no other type of resource.
 */
export function scopeLine(
  { name }: Pick<GraphQLField<unknown, unknown>, 'name'>,
  parent: string,
): string | undefined {
  const scopes = BY_FIELD[`${parent}.${name}`] ?? scopesByName(name, parent);
  return scopes && `Scope: ${scopes.join(' and ')}, with patient/, user/ or system/`;
}

function scopesByName(name: string, parent: string): string[] | undefined {
  const [, listed] = RESOURCE_LIST.exec(name) ?? [];
  if (listed !== undefined) return [`${governingType(listed)}.s`];
  return parent === 'Query' ? [`${governingType(name)}.r`] : undefined;
}
