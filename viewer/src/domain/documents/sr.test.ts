import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { describeWithSharedData, sharedDataPath } from '../../../../gateway/test/setup/shared-data.ts';
import type { Instance } from '../instance.ts';
import { isStructuredReport, readStructuredReport, type SrBlock } from './sr.ts';
import { valueOf, type SrValue } from './sr-item.ts';

const code = (value: string, meaning: string, scheme = 'DCM') => [
  {
    '00080100': { vr: 'SH', Value: [value] },
    '00080102': { vr: 'SH', Value: [scheme] },
    '00080104': { vr: 'LO', Value: [meaning] },
  },
];
const item = (type: string, name: string, rest: Instance = {}): Instance => ({
  '0040A040': { vr: 'CS', Value: [type] },
  '0040A043': { vr: 'SQ', Value: code('1', name) },
  ...rest,
});
const content = (...items: unknown[]) => ({ '0040A730': { vr: 'SQ', Value: items } });
const num = (name: string, value: string, rest: Instance = {}) =>
  item('NUM', name, {
    '0040A300': {
      vr: 'SQ',
      Value: [
        {
          '0040A30A': { vr: 'DS', Value: [value] },
          '004008EA': { vr: 'SQ', Value: code('mm', 'millimeter') },
        },
      ],
    },
    ...rest,
  });
const text = (name: string, value: string) =>
  item('TEXT', name, { '0040A160': { vr: 'UT', Value: [value] } });

function words(value: SrValue): string {
  switch (value.kind) {
    case 'code':
      return value.code.meaning;
    case 'number':
      return [value.value, value.unit?.value].filter(Boolean).join(' ');
    case 'references':
      return value.references.map(({ instance }) => `→${instance}`).join();
    case 'region':
      return `${value.shape}(${value.points})`;
    case 'item':
      return `see ${value.position}`;
    case 'broken':
      return `broken ${value.type}`;
    case 'container':
      return '';
    default:
      return value.text;
  }
}

/** Blocks as lines: `# heading`, `name: value`, `| measurement | value | site | references`. */
function lines(blocks: readonly SrBlock[]): string[] {
  return blocks.flatMap((block) => {
    if (block.kind === 'heading') return `${'#'.repeat(block.level)} ${block.name.meaning}`;
    if (block.kind === 'facts')
      return block.facts.map(
        ({ name, value, depth }) => `${'  '.repeat(depth)}${name?.meaning ?? ''}: ${words(value)}`,
      );
    return block.rows.map(
      ({ name, value, site, references }) =>
        `| ${name.meaning} | ${words(value)} | ${site.map(({ meaning }) => meaning).join(', ')} | ${references.length}`,
    );
  });
}

test.each<[string, string, number[], Instance, readonly number[] | undefined]>([
  ['a point', 'POINT', [10.5, 20.5], {}, [10, 20]],
  ['a line', 'POLYLINE', [1, 2, 11, 22], {}, [5.5, 11.5]],
  ['a circle: its own middle, not that of its two points', 'CIRCLE', [50, 60, 80, 60], {}, [49.5, 59.5]],
  ['an ellipse: the ends of its axes', 'ELLIPSE', [10, 30, 50, 30, 30, 20, 30, 40], {}, [29.5, 29.5]],
  ['no numbers', 'POINT', [], {}, undefined],
  ['a number that is none', 'POINT', [NaN, 1], {}, undefined],
  ['of a whole slide', 'POINT', [1, 1], { '00480301': { vr: 'CS', Value: ['VOLUME'] } }, undefined],
])('PS3.3 C.18.6.1: the middle of %s', (_, shape, data, rest, centre) => {
  const region = item('SCOORD', 'Region', {
    '00700022': { vr: 'FL', Value: data },
    '00700023': { vr: 'CS', Value: [shape] },
    ...rest,
  });
  const value = valueOf(region, new Map());
  expect(value.kind === 'region' && value.centre).toEqual(centre);
});

test('headings, facts and measurements stand in the order of the report; a site holds for its group', () => {
  const site = item('CODE', 'Finding Site', {
    '0040A043': { vr: 'SQ', Value: code('363698007', 'Finding Site', 'SCT') },
    '0040A168': { vr: 'SQ', Value: code('45653009', 'Upper lobe') },
    ...content(item('CODE', 'Laterality', { '0040A168': { vr: 'SQ', Value: code('R', 'Right') } })),
  });
  const image = item('IMAGE', 'Source', {
    '00081199': { vr: 'SQ', Value: [{ '00081155': { vr: 'UI', Value: ['1.2.3'] } }] },
  });
  const region = item('SCOORD', 'Path', {
    '00700022': { vr: 'FL', Value: [1, 2, 3, 4] },
    '00700023': { vr: 'CS', Value: ['POLYLINE'] },
    ...content(image),
  });
  const report = item('CONTAINER', 'Measurement Report', {
    '0040A375': {
      vr: 'SQ',
      Value: [
        {
          '0020000D': { vr: 'UI', Value: ['1.9'] },
          '00081115': {
            vr: 'SQ',
            Value: [
              {
                '0020000E': { vr: 'UI', Value: ['1.9.1'] },
                '00081199': { vr: 'SQ', Value: [{ '00081155': { vr: 'UI', Value: ['1.2.3'] } }] },
              },
            ],
          },
        },
      ],
    },
    ...content(
      text('History', 'A cough.'),
      item(
        'CONTAINER',
        'Findings',
        content(text('Tracking', 'Nodule 1'), site, num('Long Axis', '9', content(region))),
      ),
      text('Summary', 'Grown.'),
    ),
  });
  const document = readStructuredReport(report);
  expect(document).toMatchObject({ broken: 0, cut: false, preliminary: false });
  expect(document.title?.meaning).toBe('Measurement Report');
  expect(lines(document.blocks)).toEqual([
    'History: A cough.',
    '# Findings',
    'Tracking: Nodule 1',
    'Finding Site: Upper lobe',
    '  Laterality: Right',
    '| Long Axis | 9 mm | Upper lobe, Right | 1',
    'Summary: Grown.',
  ]);
  const [row] = document.blocks.flatMap((block) => (block.kind === 'measurements' ? block.rows : []));
  expect(row!.references).toEqual([
    { instance: '1.2.3', study: '1.9', series: '1.9.1', frames: [], point: [1.5, 2.5] },
  ]);
});

let deep: Instance = text('Bottom', 'is not reached');
for (let level = 0; level < 100; level++) deep = item('CONTAINER', 'Level', content(deep));

test.each<[string, Instance, { lines: string[] | number; broken: number; cut?: boolean }]>([
  ['nothing at all', {}, { lines: [], broken: 0 }],
  [
    'a value that is missing',
    content(item('TEXT', 'Finding')),
    { lines: ['Finding: broken TEXT'], broken: 1 },
  ],
  [
    'a type that nobody knows',
    content(item('SMELL', 'Finding')),
    { lines: ['Finding: broken SMELL'], broken: 1 },
  ],
  ['an item without a type', content({}), { lines: [': broken '], broken: 1 }],
  ['something that is no item', content('x', null, text('A', 'b')), { lines: ['A: b'], broken: 2 }],
  ['a number without a value', content(item('NUM', 'Length')), { lines: ['Length: broken NUM'], broken: 1 }],
  [
    'an item by reference',
    content({ '0040DB73': { vr: 'UL', Value: [1, 3, 2] } }),
    { lines: [': see 1.3.2'], broken: 0 },
  ],
  ['a tree without an end', deep, { lines: 64, broken: 0, cut: true }],
  [
    'more items than are read',
    content(...Array.from({ length: 20_001 }, () => text('A', 'b'))),
    { lines: 20_000, broken: 0, cut: true },
  ],
])('%s: the report is read as far as it goes', (_name, report, expected) => {
  const document = readStructuredReport(report);
  const found = lines(document.blocks);
  if (typeof expected.lines === 'number') expect(found).toHaveLength(expected.lines);
  else expect(found).toEqual(expected.lines);
  expect(document).toMatchObject({ broken: expected.broken, cut: expected.cut ?? false });
});

describeWithSharedData('real reports', () => {
  const json = (name: string): Instance =>
    JSON.parse(
      execFileSync('dcm2json', [sharedDataPath('dicom/sr', name)], {
        encoding: 'utf8',
        maxBuffer: 1e8,
        stdio: ['ignore', 'pipe', 'ignore'],
      }),
    ) as Instance;

  test.each(['sr_document.dcm', 'sr_document_with_multiple_groups.dcm', 'test-SR.dcm', 'reportsi.dcm'])(
    '%s is read',
    (name) => {
      const report = json(name);
      expect(isStructuredReport(report)).toBe(true);
      const document = readStructuredReport(report);
      expect(document.cut).toBe(false);
      expect(lines(document.blocks)).toMatchSnapshot();
    },
  );

  test.each(['sr_document.dcm', 'sr_document_with_multiple_groups.dcm'])(
    '%s has the measurements that DCMTK reads',
    (name) => {
      const dump = execFileSync('dsrdump', [sharedDataPath('dicom/sr', name)], { encoding: 'utf8' });
      const judged = [...dump.matchAll(/NUM:\(,,"([^"]*)"\)="([\d.-]+)" \(([^,]+),/g)].map(
        ([, measured, value, unit]) => `${measured} ${Number(value)} ${unit}`,
      );
      expect(judged.length).toBeGreaterThan(0);
      const rows = readStructuredReport(json(name)).blocks.flatMap((block) =>
        block.kind === 'measurements' ? block.rows : [],
      );
      expect(
        rows.map(({ name: { meaning }, value }) => `${meaning} ${Number(value.value)} ${value.unit?.value}`),
      ).toEqual(judged);
    },
  );
});
