import type { StudyDocument } from '../study/study-document.ts';

/** Links of a report or an order to its studies (FG-9). The clinical subgraph finds them in `joins/imaging-links.ts`. */
export interface StudyLinks {
  _patientId?: string | null;
  _accessionNumbers?: readonly string[] | null;
  _studyUids?: readonly string[] | null;
}

/**
 * Returns the test for studies of a report or an order: by Study Instance UID or accession number, among the studies of
 * its patient. Returns undefined when it can have no studies.
 */
export function linkedStudies({
  _patientId,
  _accessionNumbers,
  _studyUids,
}: StudyLinks):
  | { patientId: string; isLinked: (study: Pick<StudyDocument, 'uid' | 'accessionNumbers'>) => boolean }
  | undefined {
  const numbers = new Set(_accessionNumbers ?? []);
  const uids = new Set(_studyUids ?? []);
  // Without the patient an accession number is not enough: the numbers repeat between sites.
  if (!_patientId || (numbers.size === 0 && uids.size === 0)) return undefined;
  return {
    patientId: _patientId,
    isLinked: ({ uid, accessionNumbers }) =>
      uids.has(uid) || accessionNumbers.some((number) => numbers.has(number)),
  };
}
