import type { StudyKeys } from '../../../schema/fhir/study-links.ts';
import type { Access } from '../../../schema/access/access.ts';
import type { Fault } from '../../../schema/fault/fault.ts';
import type { RecordOperation } from '../../../schema/fault/audit.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';

/** What the record needs of an imaging study: its keys, which join it to reports, and its date. */
export interface PatientStudy extends StudyKeys {
  /** FHIR dateTime. */
  started?: string;
  description?: string;
  /** DICOM modalities, such as CT. */
  modalities: readonly string[];
}

export interface PatientStudiesFound {
  studies: readonly PatientStudy[];
  /** Faults of image sources that did not answer, while others did (DW-18). */
  failed: readonly Fault[];
}

/**
 * Finds the studies of a patient within the caller's reach. The composition root takes it from the imaging subgraph.
 * @throws Fault like `ImagingStudy?patient=`
 */
export type PatientStudies = (
  tenant: Tenant,
  access: Access,
  request: { patientId: string; signal?: AbortSignal | undefined; audit?: RecordOperation | undefined },
) => Promise<PatientStudiesFound>;
