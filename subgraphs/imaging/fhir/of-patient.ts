import type { Endpoint, ImagingStudy } from 'fhir/r4.js';
import { tenantBase } from '../../../schema/http/request.ts';
import type { Fault } from '../../../schema/fault/fault.ts';
import { requirePatientSet } from '../../../schema/fhir/search/patient-sets.ts';
import { unsupported, type Parameters } from '../../../schema/fhir/search/search-request.ts';
import type { AuthorizedStudies } from '../study/authorized-studies.ts';
import { keysOf, patientOf } from '../study/document/study-keys.ts';
import { ENDPOINT_ID, namesEndpoint, wadoEndpoint } from './endpoint.ts';
import { findStudies, type ResourceOptions } from './find.ts';
import { withInstances } from './page-instances.ts';
import { parseSearch } from './search.ts';
import { removeInstances } from './study-instances.ts';
import { subset, wantsInstances } from './study-subset.ts';

/** The images of one patient as FHIR resources. */
export interface ImagesOfPatient {
  /** Newest first. */
  studies: readonly ImagingStudy[];
  /** The Endpoint that these studies name; undefined without studies. */
  endpoint?: Endpoint;
  /** Faults of image sources that did not answer, while others did (DW-18). */
  failed: readonly Fault[];
}

/**
 * Returns all studies of a patient, for operations that join them with the clinical record. They are those of
 * `ImagingStudy?patient={id}&_include=ImagingStudy:endpoint` for the same caller, with one difference: the Endpoint is the
 * address for access tokens also in a tenant that gives capabilities, which end before a stored answer is read (IA-25).
 * @throws Fault like that search
 */
export async function imagesOfPatient(
  imaging: AuthorizedStudies,
  patientId: string,
  options: ResourceOptions,
): Promise<ImagesOfPatient> {
  const search = { ...allOfPatient(patientId), endpointStyle: 'included' as const };
  const found = await findStudies(imaging, search, options);
  const { page, failed } = found;
  const parts = {};
  const instances = page.reduce((sum, { study }) => sum + (study.numberOfInstances ?? 0), 0);
  const whole = wantsInstances(parts, instances);
  const complete = whole ? await withInstances(imaging, found, 'resources') : page;
  const studies = complete.map(({ study }) => subset(whole ? study : removeInstances(study), parts, whole));
  const address = `${tenantBase(options.baseUrl, imaging.tenant)}/dicomweb`;
  return {
    studies,
    ...(studies.some(namesEndpoint) && { endpoint: wadoEndpoint({ address, id: ENDPOINT_ID }) }),
    failed,
  };
}

/**
 * Returns what joins the studies of a patient with the clinical record: keys, dates and accession numbers, newest first,
 * with the faults of image sources that did not answer, while others did (DW-18).
 * @throws Fault like `ImagingStudy?patient={id}`
 */
export async function patientStudies(
  imaging: AuthorizedStudies,
  patientId: string,
  options: ResourceOptions,
) {
  const { page, failed } = await findStudies(imaging, allOfPatient(patientId), options);
  const studies = page.map((found) => ({
    // One that names nobody is this patient's, too: it was found for this patient.
    ...keysOf(found),
    id: found.study.id!,
    _patientId: patientId,
    started: found.study.started,
    description: found.study.description,
    modalities: (found.study.modality ?? []).flatMap(({ code }) => code ?? []),
  }));
  return { studies, failed: failed as readonly Fault[] };
}

/**
 * Returns the logical ids of the patients who have a study that a search finds. Studies of patients whom the record does not
 * know are nobody's.
 * @param request `among`: logical ids of patients in reach, others are not wanted
 * @throws Fault like that search under strict handling; the first one of a source that did not answer, whose studies would
 *   be missing; `too_large`
 */
export async function patientsWith(
  imaging: AuthorizedStudies,
  { params, among }: { params: Parameters; among?: readonly string[] | undefined },
  options: ResourceOptions,
): Promise<readonly string[]> {
  const search = parseSearch(params, { strict: true, patientBases: [] });
  const { patients, criteria } = search;
  if (patients.length + criteria.length < params.length) throw unsupported(params[0]![0]);
  const asked = { ...search, resources: true, ...(among && { among }) } as const;
  const { resources = [], failed } = await findStudies(imaging, asked, options);
  if (failed[0]) throw failed[0];
  const found = new Set(resources.map(patientOf).filter((id) => id !== undefined));
  requirePatientSet(found.size, imaging.isLocal);
  return [...found];
}

/** Returns the search `ImagingStudy?patient={id}`, without pages. */
const allOfPatient = (patientId: string) => ({
  ...parseSearch([['patient', patientId]], { strict: true, patientBases: [] }),
  count: Infinity,
});
