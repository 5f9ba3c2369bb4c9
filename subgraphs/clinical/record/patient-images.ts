import type { Endpoint, ImagingStudy } from 'fhir/r4.js';
import type { Access } from '../../../schema/access/access.ts';
import type { Fault } from '../../../schema/fault/fault.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';

/** The images of a patient, which the composition root takes from the imaging subgraph. */
export type PatientImages = (
  tenant: Tenant,
  access: Access,
  patientId: string,
) => Promise<{
  studies: readonly ImagingStudy[];
  /** The Endpoint that these studies name. */
  endpoint?: Endpoint;
  /** Faults of image sources that did not answer, while others did. */
  failed: readonly Fault[];
}>;
