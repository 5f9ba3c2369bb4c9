/** A record with four studies, for tests of components. */
import type { Instance } from '../../src/domain/instance.ts';
import type { PatientRecord, Person, Report, Result, TimelineEntry } from '../../src/domain/record/record.ts';
import type { Stack } from '../../src/domain/series/stacks.ts';
import { frameId, type Series, type Study } from '../../src/domain/study.ts';

const HELEN: Person = {
  id: 'helen',
  name: 'Helen Marie Castellanos',
  birthDate: '1972-05-01',
  gender: 'female',
  mrns: ['MRN-0004711'],
};
export const PEOPLE: readonly Person[] = [
  HELEN,
  { id: 'alvaro', name: 'María Álvarez', birthDate: '1985-11-23', gender: 'female', mrns: ['MRN-0000815'] },
  { id: 'samir', name: 'Samir Haddad', birthDate: '1961-02-14', gender: 'male', mrns: ['MRN-0002342'] },
];

const location = { dicomweb: 'https://images.example/dicomweb' };
const series = (uid: string, number: number, rest: Partial<Series> & { modality: string }): Series => ({
  uid,
  number,
  ...rest,
});

const MR_SERIES = [
  series('1.2.10.1', 1, { modality: 'MR', description: 'Localizer', numberOfInstances: 3 }),
  series('1.2.10.2', 2, { modality: 'MR', description: 'T1 MPRAGE sagittal', numberOfInstances: 176 }),
  series('1.2.10.3', 3, { modality: 'MR', description: 'T2 FLAIR axial', numberOfInstances: 24 }),
  series('1.2.10.4', 4, { modality: 'MR', description: 'DWI b1000', numberOfInstances: 48 }),
  series('1.2.10.5', 5, { modality: 'MR', description: 'T1 axial after contrast', numberOfInstances: 30 }),
];
const MR: Study = {
  uid: '1.2.10',
  id: 'study-mr',
  started: '2026-03-12T09:30:00Z',
  description: 'MRI brain with and without contrast',
  modalities: ['MR'],
  accession: 'ACC-1001',
  numberOfInstances: 281,
  series: MR_SERIES,
  location,
};
/** Fourteen months before, with other series. */
const MR_PRIOR: Study = {
  uid: '1.2.40',
  id: 'study-mr-prior',
  started: '2025-01-08T14:00:00Z',
  description: 'MRI brain',
  modalities: ['MR'],
  numberOfInstances: 45,
  series: [
    series('1.2.40.1', 1, { modality: 'MR', description: 'T1 sagittal', numberOfInstances: 21 }),
    series('1.2.40.2', 2, { modality: 'MR', description: 'FLAIR axial 5 mm', numberOfInstances: 24 }),
  ],
  location,
};
const CT: Study = {
  uid: '1.2.20',
  id: 'study-ct',
  started: '2026-02-02',
  description: 'CT chest',
  modalities: ['CT'],
  numberOfInstances: 200,
  series: [series('1.2.20.1', 1, { modality: 'CT', description: 'Chest 1.25 mm', numberOfInstances: 200 })],
  location,
};
const OLD: Study = {
  uid: '1.2.30',
  id: 'study-old',
  started: '2019-07',
  description: 'Chest X-ray',
  modalities: ['DX'],
  numberOfInstances: 2,
  series: [],
};

const REPORT: Report = {
  id: 'report-mr',
  concept: { text: 'MRI of the brain' },
  status: 'final',
  date: '2026-03-13',
  text: [
    'TECHNIQUE:',
    'Multiplanar T1, T2 FLAIR and diffusion images, before and after contrast.',
    '',
    'FINDINGS:',
    'The ventricles and sulci are of normal size. There is a 9 mm lesion in the left frontal white matter, bright on FLAIR (series 3, image 14). It does not take up contrast and does not restrict diffusion.',
    '',
    'The large vessels at the base of the brain show normal flow voids. The paranasal sinuses are clear.',
    '',
    'IMPRESSION:',
    '1. One 9 mm white matter lesion, unchanged since 2024.',
    '2. No acute infarction, no bleeding, no mass.',
  ].join('\n'),
  attachments: [],
  studies: [MR.uid],
  results: [],
};
const LAB: Report = {
  ...REPORT,
  id: 'report-lab',
  concept: { text: 'Metabolic panel' },
  studies: [],
  text: '',
};
const RESULTS: readonly Result[] = [
  {
    id: 'creatinine',
    concept: { text: 'Creatinine' },
    value: '1.4 mg/dL',
    date: '2026-01-20',
    range: '0.6–1.1',
    flags: ['H'],
  },
  { id: 'sodium', concept: { text: 'Sodium' }, value: '139 mmol/L', range: '136–145', flags: [] },
];

const entry = (
  kind: TimelineEntry['kind'],
  title: string,
  rest: Partial<TimelineEntry> = {},
): TimelineEntry => ({ kind, id: `${kind}/${title}`, title, studies: [], reports: [], results: [], ...rest });
const TIMELINE: readonly TimelineEntry[] = [
  entry('study', MR.description!, { date: MR.started!, studies: [MR.uid], reports: [REPORT] }),
  entry('encounter', 'Office visit', { date: '2026-03-12T08:00:00Z' }),
  entry('study', 'CT chest', { date: '2026-02-02', studies: [CT.uid] }),
  entry('laboratory', 'Metabolic panel', { date: '2026-01-20', reports: [LAB], results: RESULTS }),
  entry('vital-signs', 'Blood pressure 128/82 mmHg', { date: '2026-01-20' }),
  entry('medication', 'Lisinopril 10 mg', { date: '2025-06-01' }),
  entry('immunization', 'Influenza vaccine', { date: '2025-10-04' }),
  entry('problem', 'Migraine', { date: '2024-11-30' }),
  entry('procedure', 'Appendectomy', { date: '2021-03-02' }),
  entry('study', 'Chest X-ray', { date: '2019-07', studies: [OLD.uid] }),
  entry('problem', 'Seasonal allergic rhinitis'),
];

export const RECORD: PatientRecord = {
  person: HELEN,
  allergies: [
    { id: 'a1', concept: { text: 'Latex' }, high: false },
    { id: 'a2', concept: { text: 'Penicillin' }, high: true },
  ],
  problems: [
    { id: 'p1', concept: { text: 'Migraine' }, active: true, onset: '2024-11-30' },
    { id: 'p2', concept: { text: 'Essential hypertension' }, active: true, onset: '2018' },
    { id: 'p3', concept: { text: 'Appendicitis' }, active: false },
  ],
  medications: [
    { id: 'm1', concept: { text: 'Lisinopril 10 mg' }, active: true, authored: '2025-06-01' },
    { id: 'm2', concept: { text: 'Sumatriptan 50 mg' }, active: true },
  ],
  studies: [MR, CT, OLD],
  reports: [REPORT, LAB],
  timeline: TIMELINE,
  missing: [],
};

/** The record with an earlier study that is comparable with the newest one. */
export const RECORD_WITH_PRIOR: PatientRecord = {
  ...RECORD,
  studies: [MR, CT, MR_PRIOR, OLD],
  reports: [
    REPORT,
    { ...REPORT, id: 'report-prior', date: '2025-01-09', text: 'One 7 mm lesion.', studies: [MR_PRIOR.uid] },
    LAB,
  ],
  timeline: TIMELINE.flatMap((one) =>
    one.title === 'Migraine'
      ? [entry('study', 'MRI brain', { date: MR_PRIOR.started!, studies: [MR_PRIOR.uid] }), one]
      : one,
  ),
};

/** Metadata of an image of Helen's, axial. */
function instance(series: Series | undefined, index: number, changes: Instance = {}): Instance {
  return {
    '00080018': { vr: 'UI', Value: [`${series?.uid}.${index + 1}`] },
    '00080022': { vr: 'DA', Value: ['20260312'] },
    '0008103E': { vr: 'LO', Value: [series?.description ?? ''] },
    '00100010': { vr: 'PN', Value: [{ Alphabetic: 'CASTELLANOS^HELEN^MARIE' }] },
    '00100020': { vr: 'LO', Value: ['MRN-0004711'] },
    '00100030': { vr: 'DA', Value: ['19720501'] },
    '00200011': { vr: 'IS', Value: [series?.number ?? 1] },
    '00200013': { vr: 'IS', Value: [index + 1] },
    '00200037': { vr: 'DS', Value: [1, 0, 0, 0, 1, 0] },
    ...changes,
  };
}

/** A stack of a series, as long as the record says. */
export function stackOf(
  name: { study: string; series: string },
  { count, by, changes }: { count?: number; by?: Stack['by']; changes?: Instance } = {},
): Stack {
  const of = [...MR.series, ...CT.series, ...MR_PRIOR.series].find(({ uid }) => uid === name.series);
  const frames = Array.from({ length: count ?? of?.numberOfInstances ?? 1 }, (_, index) => {
    const frame = { ...name, instance: `${name.series}.${by?.value ?? ''}${index + 1}`, frame: 1 };
    return { id: frameId(frame), name: frame, metadata: instance(of, index, changes), bytes: 512 * 512 * 2 };
  });
  return { key: by?.value ?? 'all', ...(by && { by }), frames };
}

/** Returns a stack of axial slices of 2 mm, with pixels of 1 mm. @param count of the slices */
export function slicesOf(name: { study: string; series: string }, count: number): Stack {
  const stack = stackOf(name, { count });
  const frames = stack.frames.map((frame, at) => ({
    ...frame,
    metadata: { ...frame.metadata, ...placeOf(2 * at - count) },
  }));
  return { ...stack, frames, spacing: [1, 1] };
}

function placeOf(height: number): Instance {
  const values: Record<string, readonly unknown[]> = {
    '00200032': [-32, -32, height],
    '00200052': ['1.2.20.9'],
    '00280004': ['MONOCHROME2'],
    '00280010': [64],
    '00280011': [64],
    '00280030': [1, 1],
    '00280100': [16],
  };
  return Object.fromEntries(Object.entries(values).map(([tag, Value]) => [tag, { vr: 'DS', Value }]));
}
