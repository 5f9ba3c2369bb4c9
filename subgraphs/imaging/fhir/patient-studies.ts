import type { Fault } from '../../../schema/fault/fault.ts';
import { studyDocument } from '../study/study-document.ts';
import type { Imaging } from '../study/studies.ts';
import { findStudies, type ResourceOptions } from './find.ts';
import { parseSearch } from './search.ts';

/**
 * Returns what joins the studies of a patient with the clinical record: keys, dates and accession numbers, newest first,
 * with the faults of image sources that did not answer, while others did (DW-18).
 * @throws Fault like `ImagingStudy?patient={id}`
 */
export async function patientStudies(imaging: Imaging, patientId: string, options: ResourceOptions) {
  const search = parseSearch([['patient', patientId]], { strict: true, patientBases: [] });
  const { page, failed } = await findStudies(imaging, { ...search, count: Infinity }, options);
  const studies = page.map(({ study, record }) => ({
    id: study.id!,
    ...(study.started !== undefined && { started: study.started }),
    ...(study.description !== undefined && { description: study.description }),
    modalities: (study.modality ?? []).flatMap(({ code }) => code ?? []),
    accessionNumbers: studyDocument(record).accessionNumbers,
  }));
  return { studies, failed: failed as readonly Fault[] };
}
