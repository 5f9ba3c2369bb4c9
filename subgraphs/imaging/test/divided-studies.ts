import { smallObjects } from '../../../gateway/test/setup/small-objects.ts';

/** Studies of one patient that are divided between a folder and an archive in different ways. */

export const MRN = 'MRN-1';
const of = (studyUid: string, more: object = {}) => smallObjects({ studyUid, patientId: MRN, ...more });

/** Instances of each study that the folder and the Orthanc have, and how many these are together. */
export const STUDIES = {
  halves: {
    uid: '1.9.1',
    folder: of('1.9.1', { instances: 9 }),
    archive: of('1.9.1', { instances: 24 }).slice(9),
  },
  'an overlap': {
    uid: '1.9.2',
    folder: of('1.9.2', { instances: 12 }),
    // Larger images under the same UIDs.
    archive: of('1.9.2', { instances: 20, side: 5 }).slice(7),
  },
  'series of their own': {
    uid: '1.9.3',
    folder: of('1.9.3', { instances: 3 }),
    archive: of('1.9.3', { series: 2, instances: 2, modality: 'SR' }),
  },
  'equally many': {
    uid: '1.9.4',
    folder: of('1.9.4', { instances: 6 }).slice(0, 3),
    archive: of('1.9.4', { instances: 6 }).slice(3),
  },
  copies: { uid: '1.9.5', folder: of('1.9.5', { instances: 3 }), archive: of('1.9.5', { instances: 3 }) },
  'a part and all': {
    uid: '1.9.6',
    folder: of('1.9.6', { instances: 2 }),
    archive: [...of('1.9.6', { instances: 5 }), ...of('1.9.6', { series: 2 })],
  },
};
/** Series and instances of each study in both archives together. */
export const WHOLE: Record<keyof typeof STUDIES, Record<string, number>> = {
  halves: { '1.9.1.1': 24 },
  'an overlap': { '1.9.2.1': 20 },
  'series of their own': { '1.9.3.1': 3, '1.9.3.2': 2 },
  'equally many': { '1.9.4.1': 6 },
  copies: { '1.9.5.1': 3 },
  'a part and all': { '1.9.6.1': 5, '1.9.6.2': 1 },
};
export const NAMES = Object.keys(STUDIES) as (keyof typeof STUDIES)[];
/** Adds up the instances of all series. */
export const sum = (counts: Record<string, number>) =>
  Object.values(counts).reduce((all, one) => all + one, 0);
/** Returns the SOP Instance UIDs of a study in both archives together. */
export const uidsOf = (name: keyof typeof STUDIES): string[] =>
  Object.entries(WHOLE[name]).flatMap(([series, count]) =>
    Array.from({ length: count }, (_, index) => `${series}.${index + 1}`),
  );
