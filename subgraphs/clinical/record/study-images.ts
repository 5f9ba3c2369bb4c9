import type { Endpoint, ImagingStudy, Observation } from 'fhir/r4.js';
import type { Access } from '../../../schema/access/access.ts';
import type { RecordOperation } from '../../../schema/access/audit.ts';
import type { StudyKeys, StudyLinks } from '../../../schema/fhir/study-match.ts';
import type { Fault } from '../../../schema/fault/fault.ts';
import type { Parameters } from '../../../schema/fhir/search/search-request.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { Abortable } from '../../../schema/process/request-end.ts';

/** Facts about an imaging study for the record: its keys, which join it to reports, and its date. */
export interface PatientStudy extends StudyKeys {
  /** FHIR dateTime. */
  started?: string;
  description?: string;
  /** DICOM modalities, such as CT. */
  modalities: readonly string[];
}

/** Answers of image sources, and the faults of those that did not answer, while others did (DW-18). */
type Partly<T> = T & { failed: readonly Fault[] };
export type PatientStudiesFound = Partly<{ studies: readonly PatientStudy[] }>;

/**
 * The images for one request, within the caller's reach. The composition root takes them from the imaging subgraph.
 * All members throw faults like `ImagingStudy?patient=`.
 */
export interface StudyImages {
  /** Returns the studies of a patient, newest first. */
  studiesOf(patientId: string): Promise<PatientStudiesFound>;
  /**
   * Returns the ids of the patients who have a study that a search finds; it records nothing (IA-30).
   * @param among ids of patients in reach: others are not wanted
   * @throws Fault like that search under strict handling, and of each source that did not answer; `too_large`
   */
  patientsWith(params: Parameters, among?: readonly string[]): Promise<readonly string[]>;
  /** Returns the measurements in the structured reports of a study; none for a study out of reach. */
  measurements(studyUid: string): Promise<Partly<{ observations: readonly Observation[] }>>;
  /** Returns the earlier, comparable studies of the studies of a report, newest first. */
  priors(
    links: StudyLinks,
    args: { modality?: readonly string[] | null; bodySite?: readonly string[] | null },
  ): Promise<Partly<{ priors: readonly StudyKeys[] }>>;
}

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

/** Opens the images for one request. */
export type OpenStudyImages = (
  ...request: [tenant: Tenant, access: Access, over?: Abortable, audit?: RecordOperation]
) => StudyImages;

/** A record that is joined with no images has these. */
export const NO_IMAGES: StudyImages = {
  studiesOf: async () => ({ studies: [], failed: [] }),
  patientsWith: async () => [],
  measurements: async () => ({ observations: [], failed: [] }),
  priors: async () => ({ priors: [], failed: [] }),
};
