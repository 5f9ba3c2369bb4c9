import { Tag } from '../../../schema/dicom/dicom.ts';
import { allOf, andThen, type Awaitable } from '../../../schema/process/awaitable.ts';
import { Derivation } from '../../../schema/process/derivation.ts';
import { uid } from '../dicom/dicom-text.ts';
import type { AuthorizedStudies } from '../study/authorized-studies.ts';
import { prepareInstances } from '../study/document/study-document.ts';
import type { StudyRecord } from '../study/study-records.ts';
import type { Found, FoundStudy } from './find.ts';
import { addInstances } from './study-instances.ts';

/** The parts of a study that get its instances: its rows alone, or its resource too (IA-16). */
type Completed = 'rows' | 'resources';

/**
 * Adds the instances to the studies of a page. The core still has the studies and series, so this costs one more call
 * to the source. If the page is less than what was found, its studies are asked for by UID.
 */
export function withInstances(
  imaging: AuthorizedStudies,
  { page, asked }: Pick<Found, 'page' | 'asked'>,
  of: Completed,
): Awaitable<readonly FoundStudy[]> {
  if (page.every(({ record }) => !record || record.instances)) return page;
  const studyUids = page.length === asked.records ? asked.studyUids : page.map(({ study }) => study.id!);
  const filter = { detail: 'instance', ...(studyUids && { studyUids }) } as const;
  return andThen(
    allOf(asked.patients, (patient) => imaging.list(patient, filter)),
    (lists) => {
      const [only, ...others] = lists;
      const records = only && others.length === 0 ? only.records : lists.flatMap(({ records }) => records);
      return andThen(prepareInstances(records), () =>
        completed[of].of(page, [records], () => Object.freeze(complete(page, records, of))),
      );
    },
  );
}

const completed: Record<Completed, Derivation<readonly FoundStudy[], readonly FoundStudy[]>> = {
  rows: new Derivation(),
  resources: new Derivation(),
};

/** @param records with instances */
function complete(page: readonly FoundStudy[], records: readonly StudyRecord[], of: Completed): FoundStudy[] {
  const byUid = new Map(records.map((record) => [uid(record.study, Tag.StudyInstanceUID), record]));
  return page.map((found) => {
    const { instances } = byUid.get(found.study.id) ?? {};
    // A study that was deleted meanwhile stays as it was, and one that only the clinical record has.
    const { record } = found;
    if (!record || record.instances || !instances) return found;
    const whole = {
      ...found,
      record: Object.freeze({ ...record, instances }),
      ...(of === 'resources' && { study: addInstances(found.study, instances) }),
    };
    // One that is not frozen belongs to one request.
    return Object.isFrozen(found) ? Object.freeze(whole) : whole;
  });
}
