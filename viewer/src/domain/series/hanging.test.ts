import { describe, expect, test } from 'vitest';
import { hang, type Layout } from './hanging.ts';
import type { Instance } from '../instance.ts';
import { countsOf } from './series-content.ts';
import type { Series, Study } from '../study.ts';

type Line = [modality: string, description: string, count: number];
const study = (lines: readonly Line[], description = '', uid = '1'): Study => ({
  uid,
  id: uid,
  description,
  modalities: [...new Set(lines.map(([modality]) => modality))],
  series: lines.map(([modality, name, numberOfInstances], index): Series => ({
    uid: `${uid}.${index + 1}`,
    number: index + 1,
    modality,
    description: name,
    numberOfInstances,
  })),
});
/** Layout, and what its cells show: `1x2 a b`; an image of a series as `a:2`, an empty place as `-`. */
const shown = (of: Study, wishes: Partial<Parameters<typeof hang>[1]> & { width?: number } = {}) => {
  const { width = 1400, ...rest } = wishes;
  const { layout, cells } = hang(of, { screen: { width }, ...rest });
  const names = cells.map((cell) =>
    cell ? `${cell.series.description}${cell.image ? `:${cell.image}` : ''}` : '-',
  );
  return `${layout} | ${names.join(' | ')}`;
};

const BRAIN: readonly Line[] = [
  ['MR', 'Localizer', 9],
  ['MR', 'T1 MPRAGE sagittal', 176],
  ['MR', 'T2 TSE axial', 30],
  ['MR', 'T2 FLAIR axial', 24],
  ['MR', 'DWI b1000', 48],
  ['SR', 'Report', 1],
];
const MAMMO: readonly Line[] = [
  ['MG', 'R MLO', 1],
  ['MG', 'L MLO', 1],
  ['MG', 'R CC', 1],
  ['MG', 'L CC', 1],
];
const CHEST: readonly Line[] = [
  ['CT', 'Scout', 2],
  ['CT', 'Axial 5 mm', 80],
  ['CT', 'Axial 1 mm', 400],
  ['CT', 'Coronal MPR', 500],
  ['SR', 'Dose', 1],
];

test.each<[string, Study, string, Parameters<typeof shown>[1]?]>([
  ['one series', study([['MR', 'Knee', 20]]), '1x1 | Knee'],
  [
    'a brain on a wide screen',
    study(BRAIN, 'MRI brain'),
    '2x2 | T1 MPRAGE sagittal | T2 TSE axial | T2 FLAIR axial | DWI b1000',
    { width: 1920 },
  ],
  ['a brain on a laptop', study(BRAIN, 'MRI brain'), '1x1 | T1 MPRAGE sagittal'],
  [
    'a brain without T2: another series is in its place',
    study([...BRAIN.slice(0, 2), ...BRAIN.slice(3, 5), ['MR', 'T1 axial contrast', 30]], 'MRI head'),
    '2x2 | T1 MPRAGE sagittal | T1 axial contrast | T2 FLAIR axial | DWI b1000',
    { width: 1920 },
  ],
  [
    'a brain with too few of them',
    study(BRAIN.slice(0, 3), 'MRI brain'),
    '1x1 | T1 MPRAGE sagittal',
    { width: 1920 },
  ],
  [
    'an MR of a knee',
    study(
      [
        ['MR', 'T1', 20],
        ['MR', 'T2', 22],
        ['MR', 'FLAIR', 3],
      ],
      'MRI knee',
    ),
    '1x1 | T2',
    { width: 1920 },
  ],
  ['a CT: its longest axial series', study(CHEST), '1x1 | Axial 1 mm'],
  ['a CT with a scout alone', study(CHEST.slice(0, 1)), '1x1 | Scout'],
  ['mammography: right beside left, backs together', study(MAMMO), '2x2 | R CC | L CC | R MLO | L MLO'],
  [
    'mammography with other words',
    study([
      ['MG', 'Left_MLO', 1],
      ['MG', 'RCC', 1],
      ['MG', 'right mlo', 1],
      ['MG', 'LCC', 1],
    ]),
    '2x2 | RCC | LCC | right mlo | Left_MLO',
  ],
  [
    'mammography in one series',
    study([['MG', 'Screening', 4]]),
    '2x2 | Screening:1 | Screening:2 | Screening:3 | Screening:4',
  ],
  [
    'mammography of one side',
    study([
      ['MG', 'R CC', 1],
      ['MG', 'R MLO', 1],
    ]),
    '1x2 | R CC | R MLO',
  ],
  [
    'two radiographs',
    study([
      ['DX', 'PA', 1],
      ['DX', 'Lateral', 1],
    ]),
    '1x2 | PA | Lateral',
  ],
  ['two radiographs in one series', study([['CR', 'Chest', 2]]), '1x2 | Chest:1 | Chest:2'],
  [
    'two radiographs and a report',
    study([
      ['DX', 'PA', 1],
      ['DX', 'Lateral', 1],
      ['SR', 'Report', 1],
    ]),
    '1x2 | PA | Lateral',
  ],
  [
    'three radiographs',
    study([
      ['DX', 'a', 1],
      ['DX', 'b', 1],
      ['DX', 'c', 1],
    ]),
    '1x1 | a',
  ],
  [
    'documents alone',
    study([
      ['SR', 'Report', 1],
      ['DOC', 'Letter', 1],
    ]),
    '1x1 | Report',
  ],
  [
    'a document before images',
    study([
      ['DOC', 'Letter', 40],
      ['US', 'Clip', 1],
    ]),
    '1x1 | Clip',
  ],
  ['nothing', study([]), '1x1 | -'],
])('%s', (_, of, expected, wishes) => expect(shown(of, wishes)).toBe(expected));

test.each<[string, Study]>([
  ['a brain', study(BRAIN, 'MRI brain')],
  ['mammography', study(MAMMO)],
  ['two radiographs', study([['CR', 'Chest', 2]])],
])('a phone shows one image of %s, whatever was asked for', (_, of) => {
  for (const layout of [undefined, '1x2', '2x2'] as (Layout | undefined)[]) {
    expect(hang(of, { screen: { width: 390 }, layout }).layout).toBe('1x1');
  }
  expect(hang(of, { screen: { width: 390 }, priors: [study(CHEST, '', '2')] }).cells).toHaveLength(1);
});

test.each<[Layout, string]>([
  ['1x1', '1x1 | Axial 1 mm'],
  ['1x2', '1x2 | Axial 1 mm | Scout'],
  ['2x2', '2x2 | Axial 1 mm | Scout | Axial 5 mm | Coronal MPR'],
])('what was asked for comes before the rules: %s', (layout, expected) =>
  expect(shown(study(CHEST), { layout })).toBe(expected),
);

test('one image of a mammography when that was asked for', () =>
  expect(shown(study(MAMMO), { layout: '1x1' })).toBe('1x1 | R MLO'));

test('places without a series stay empty', () =>
  expect(shown(study([['MR', 'Knee', 20]]), { layout: '2x2' })).toBe('2x2 | Knee | - | - | -'));

test('an earlier study is hung beside the current one', () => {
  const priors = [
    study(
      [
        ['CT', 'Old axial', 300],
        ['SR', 'Old report', 1],
      ],
      '',
      '2',
    ),
    study(CHEST, '', '3'),
  ];
  expect(shown(study(CHEST), { priors })).toBe('1x2 | Axial 1 mm | Old axial');
  expect(shown(study(CHEST), { priors, layout: '1x1' })).toBe('1x1 | Axial 1 mm');
});

describe('the places of a mammography in one series', () => {
  const values = (of: Record<string, readonly unknown[]>): Instance =>
    Object.fromEntries(Object.entries(of).map(([tag, Value]) => [tag, { vr: 'UN', Value }]));
  const { cells } = hang(study([['MG', 'Screening', 4]]), { screen: { width: 1400 } });

  test.each<[string, Record<string, readonly unknown[]>, number]>([
    ['R CC', { '00200062': ['R'], '00185101': ['CC'] }, 0],
    ['L MLO', { '00200062': ['L'], '00185101': ['MLO'] }, 3],
    ['of a series with a side', { '00200060': ['L'], '00185101': ['CC'] }, 1],
    ['by codes', { '00200062': ['R'], '00540220': [values({ '00080100': ['R-10226'] })] }, 2],
    ['by newer codes', { '00200062': ['R'], '00540220': [values({ '00080100': ['399368009'] })] }, 2],
    ['another view', { '00200062': ['R'], '00185101': ['LM'] }, -1],
  ])('%s', (_, of, place) => expect(cells.findIndex((cell) => cell!.prefers!(values(of)))).toBe(place));
});

test.each<[string, readonly Line[], number | undefined, object | undefined]>([
  ['images and a document', CHEST, 983, { image: 982, document: 1 }],
  ['more than the series say', [['MR', 'a', 20]], 25, { image: 25 }],
  [
    'films',
    [
      ['US', 'a', 3],
      ['SR', 'b', 1],
    ],
    undefined,
    { clip: 3, document: 1 },
  ],
  ['an ECG', [['ECG', 'a', 1]], 1, { recording: 1 }],
  ['no series', [], 7, { image: 7 }],
  ['no number', [], undefined, undefined],
])('what a study has: %s', (_, lines, numberOfInstances, expected) =>
  expect(countsOf({ series: study(lines).series, ...(numberOfInstances && { numberOfInstances }) })).toEqual(
    expected,
  ),
);

test('a series without a number has what the study has besides', () => {
  const series: Series[] = [
    { uid: '1', modality: 'CT', numberOfInstances: 5 },
    { uid: '2', modality: 'SR' },
  ];
  expect(countsOf({ numberOfInstances: 7, series })).toEqual({ image: 5, document: 2 });
});
