/** Operations of FHIR REST (R4 §3.2) that the gateway answers, for its routes and its CapabilityStatement. */
export interface Operation {
  /** Without the dollar sign. */
  name: 'everything' | 'lastn' | 'export';
  /** Resource type at which it is called. */
  resource: string;
  /** Canonical URL of its OperationDefinition. */
  definition: string;
}

/** Operations on the clinical record. `$graphql` is one of the whole server, and is not among them. */
export const OPERATIONS: readonly Operation[] = [
  {
    name: 'everything',
    resource: 'Patient',
    definition: 'http://hl7.org/fhir/OperationDefinition/Patient-everything',
  },
  {
    name: 'lastn',
    resource: 'Observation',
    definition: 'http://hl7.org/fhir/OperationDefinition/Observation-lastn',
  },
  {
    name: 'export',
    resource: 'Patient',
    definition: 'http://hl7.org/fhir/uv/bulkdata/OperationDefinition/patient-export',
  },
  {
    name: 'export',
    resource: 'Group',
    definition: 'http://hl7.org/fhir/uv/bulkdata/OperationDefinition/group-export',
  },
];

/** Returns the operations at a resource type, as a CapabilityStatement lists them; undefined when there are none. */
export function operationsAt(type: string): { name: string; definition: string }[] | undefined {
  const found = OPERATIONS.filter(({ resource }) => resource === type);
  return found.length > 0 ? found.map(({ name, definition }) => ({ name, definition })) : undefined;
}
