import type { Bundle, Resource } from 'fhir/r4.js';
import { readFileSync } from 'node:fs';
import { sharedDataPath, sharedFhirPatients } from '../../../gateway/test/setup/shared-data.ts';

/** Returns the resources of some shared records, with references as a store has them. */
export function syntheaResources(records: number): Resource[] {
  return sharedFhirPatients()
    .slice(0, records)
    .flatMap(({ file }) => {
      const text = readFileSync(sharedDataPath('fhir', file), 'utf8');
      const { entry = [] } = JSON.parse(text) as Bundle;
      const names = new Map(
        entry.map(({ fullUrl, resource }) => [fullUrl, `${resource!.resourceType}/${resource!.id}`]),
      );
      const own = text.replaceAll(/(?<="reference"\s*:\s*")urn:uuid:[^"]+/g, (urn) => names.get(urn) ?? urn);
      return (JSON.parse(own) as Bundle).entry!.map(({ resource }) => resource as Resource);
    });
}
