import { populationPaths } from './build.ts';
import { patientId, POPULATION } from './person.ts';

/** The account of the analyst in the demonstration: the reference of a Practitioner. */
export const ANALYST = 'Practitioner/analyst';

/** Returns the variables of the tenant files that belong to the population and to the analysts. */
export function populationEnvironment(folder: string, baseUrl: string): Record<string, string> {
  const { records, images } = populationPaths(folder);
  return {
    DEMO_ANALYST: `${baseUrl}/demo/fhir/${ANALYST}`,
    POPULATION_ANALYST: `${baseUrl}/population/fhir/${ANALYST}`,
    POPULATION_PATIENTS: Array.from({ length: POPULATION }, (_, index) => patientId(index + 1)).join(' '),
    POPULATION_RECORDS: records,
    POPULATION_IMAGES: images,
    POPULATION_PLAYGROUND_URL: `${baseUrl}/population/playground`,
  };
}
