import type { Fault } from '../../../schema/fault/fault.ts';
import { keysOf } from '../study/document/study-keys.ts';
import type { AuthorizedStudies } from '../study/authorized-studies.ts';
import { findStudies, type ResourceOptions } from './find.ts';
import { parseSearch } from './search.ts';

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
  const search = parseSearch([['patient', patientId]], { strict: true, patientBases: [] });
  const { page, failed } = await findStudies(imaging, { ...search, count: Infinity }, options);
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
