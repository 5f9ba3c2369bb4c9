import type { ImagingStudy, Reference } from 'fhir/r4.js';
import type { StudyReference } from '../../../../schema/fhir/joined-types.ts';

/** The elements of a study by the search parameters that lead from them into the record. DICOM has only names there. */
const ELEMENTS: Readonly<
  Record<StudyReference, (study: ImagingStudy) => readonly (Reference | undefined)[]>
> = {
  interpreter: ({ interpreter = [] }) => interpreter,
  performer: ({ series = [] }) => series.flatMap(({ performer = [] }) => performer.map(({ actor }) => actor)),
  referrer: ({ referrer }) => [referrer],
};

/** Returns the references of a study at a search parameter. */
export function studyReferences(study: ImagingStudy, code: StudyReference): Reference[] {
  return ELEMENTS[code](study).filter((one) => one !== undefined);
}
