/** Synthea's patients as a store has them: references between entries name resources. */
import type { Bundle, Resource } from 'fhir/r4.js';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** @param patients number of patients; their practitioners and hospitals come with them */
export function syntheaResources(folder: string, patients: number): Resource[] {
  const files = readdirSync(folder).filter((name) => name.endsWith('.json'));
  const shared = files.filter((name) => /Information/.test(name));
  const own = files.filter((name) => !shared.includes(name)).slice(0, patients);
  const bundles = [...shared, ...own].map(
    (name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Bundle,
  );
  const entries = bundles.flatMap(({ entry }) => entry ?? []);
  const names = new Map(
    entries.map(({ fullUrl, resource }) => [fullUrl ?? '', `${resource!.resourceType}/${resource!.id}`]),
  );
  return entries.map(
    ({ resource }) =>
      JSON.parse(JSON.stringify(resource), (key, value: unknown) =>
        key === 'reference' ? (names.get(value as string) ?? value) : value,
      ) as Resource,
  );
}
