import type { Observation } from 'fhir/r4.js';
import type { Access } from '../../../schema/access/access.ts';
import type { RecordOperation } from '../../../schema/fault/audit.ts';
import type { StudyKeys, StudyLinks } from '../../../schema/fhir/study-links.ts';
import type { Fault } from '../../../schema/fault/fault.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';

/** The images of single studies for one request, which the composition root takes from the imaging subgraph. */
export interface StudyImages {
  /** Returns the measurements in the structured reports of a study; none for a study out of reach. */
  measurements(studyUid: string): Promise<{ observations: readonly Observation[]; failed: readonly Fault[] }>;
  /** Returns the earlier, comparable studies of the studies of a report, newest first. */
  priors(
    links: StudyLinks,
    args: { modality?: readonly string[] | null; bodySite?: readonly string[] | null },
  ): Promise<{ priors: readonly StudyKeys[]; failed: readonly Fault[] }>;
}

/** Opens the images of single studies for one request. */
export type OpenStudyImages = (
  ...request: [tenant: Tenant, access: Access, signal?: AbortSignal, audit?: RecordOperation]
) => StudyImages;
