import type { Person } from '../../domain/record/record.ts';
import { personOf } from '../fhir/person.ts';
import type { FhirPatient } from '../fhir/shapes.ts';
import { patientSearches } from '../patient-search.ts';
import type { Page } from '../source.ts';
import { page, queryOf, type Asking, type Resource } from './search.ts';

const PATIENTS_ON_A_PAGE = 50;

/** Finds patients by REST, also of our own gateway: a list of names needs no client of GraphQL. @throws Trouble */
export async function findPatients(
  server: Asking,
  { text, next }: { text?: string; next?: string },
): Promise<Page<Person>> {
  const urls =
    next !== undefined
      ? [next]
      : patientSearches(text).map((asked) => {
          const query = queryOf({ ...asked, _sort: 'family', _count: String(PATIENTS_ON_A_PAGE) });
          return `${server.base}/Patient?${query}`;
        });
  for (const url of urls) {
    const found = await page<FhirPatient & Resource>(server, 'Patient', url);
    const items = found.matches.map(personOf);
    if (items.length > 0) return found.next === undefined ? { items } : { items, next: found.next };
  }
  return { items: [] };
}
