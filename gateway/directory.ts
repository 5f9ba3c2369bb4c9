import type { Patient, Resource, ServiceRequest } from 'fhir/r4.js';
import type { Access, PatientIdentity } from '../schema/access.ts';
import { Fault } from '../schema/fault.ts';
import { hasIdentifierType, ORDER_ACCESSION_TYPES, parseReference } from '../schema/fhir.ts';
import type { Tenant } from '../schema/tenant.ts';

/** What is needed of the clinical record: one resource, and Patients by identifier. */
export interface PatientRecord {
  read(type: string, id: string): Promise<Resource>;
  search(
    type: string,
    search: { params: readonly (readonly [string, string])[]; count: number },
  ): Promise<{ resources: readonly Resource[] }>;
}

/**
 * Who a patient is outside FHIR, and what an order is called, from the clinical record and within the caller's own rights.
 */
export function patientDirectory(open: (tenant: Tenant, access: Access) => PatientRecord) {
  return {
    async read(tenant: Tenant, access: Access, patientId: string): Promise<PatientIdentity | undefined> {
      try {
        const patient = (await open(tenant, access).read('Patient', patientId)) as Patient;
        const { id, identifier = [], birthDate } = patient;
        return { id: id ?? patientId, identifier, ...(birthDate && { birthDate }) };
      } catch (error) {
        if (error instanceof Fault && error.code === 'not_found') return undefined;
        throw error;
      }
    },

    async find(tenant: Tenant, access: Access, mrn: string, system?: string): Promise<string | undefined> {
      // R4 §3.1.1.5: in a token these three are written with a backslash.
      const [value, inSystem] = [mrn, system].map((text) => text?.replace(/[\\,|$]/g, '\\$&'));
      const token = inSystem === undefined ? value! : `${inSystem}|${value}`;
      const search = { params: [['identifier', token]] as const, count: 2 };
      const { resources } = await open(tenant, access).search('Patient', search);
      return resources.length === 1 ? resources[0]!.id : undefined;
    },

    async order(tenant: Tenant, access: Access, id: string) {
      const order = (await open(tenant, access).read('ServiceRequest', id)) as ServiceRequest;
      const { identifier = [], subject } = order;
      const patient = parseReference(subject?.reference);
      return {
        ...(patient?.type === 'Patient' && { patientId: patient.id }),
        accessionNumbers: identifier.flatMap((one) =>
          one.value && ORDER_ACCESSION_TYPES.some((type) => hasIdentifierType(one, type)) ? [one.value] : [],
        ),
      };
    },
  };
}
