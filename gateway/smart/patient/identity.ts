import type { Identifier } from 'fhir/r4.js';
import type { PatientIdentity } from '../../../schema/access/access.ts';

/** Returns the identity in a Patient resource; undefined for another patient or resource. */
export function identityOf(json: Record<string, unknown>, id: string): PatientIdentity | undefined {
  if (json['resourceType'] !== 'Patient' || json['id'] !== id) return undefined;
  const { identifier, birthDate } = json;
  return Object.freeze({
    id,
    identifier: Array.isArray(identifier) ? identifier.filter(isObject) : [],
    ...(typeof birthDate === 'string' && { birthDate }),
  });
}

const isObject = (value: unknown): value is Identifier => typeof value === 'object' && value !== null;
