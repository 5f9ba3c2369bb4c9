import { expect, test } from 'vitest';
import type { DicomJson } from '../../../schema/dicom/dicom.ts';
import type { Study } from '../study/study.ts';
import { representative } from './representative.ts';
import { frameDelays, representativeFrame } from './image/timing.ts';

const of = (Value: unknown) => ({ vr: 'XX', Value: [Value] });

interface Row {
  series: string;
  instance: string;
  number?: number;
  rows?: number;
  frames?: number;
  sopClass?: string;
}

function studyOf(rows: readonly Row[]): Pick<Study, 'instances'> {
  const instances = rows.map((row): DicomJson => ({
    '0020000E': of(row.series),
    '00080018': of(row.instance),
    ...(row.number !== undefined && { '00200013': of(row.number) }),
    ...(row.rows !== undefined && { '00280010': of(row.rows) }),
    ...(row.frames !== undefined && { '00280008': of(row.frames) }),
    ...(row.sopClass !== undefined && { '00080016': of(row.sopClass) }),
  }));
  return {
    instances: async (seriesUid?: string) =>
      instances.filter((row) => seriesUid === undefined || row['0020000E']!.Value![0] === seriesUid),
  };
}

const SEGMENTATION = '1.2.840.10008.5.1.4.1.1.66.4';
const slices = (series: string, count: number, more: Partial<Row> = {}): Row[] =>
  Array.from({ length: count }, (_, i) => ({
    series,
    instance: `${series}.${i + 1}`,
    number: i + 1,
    rows: 512,
    ...more,
  }));

test.each<[name: string, rows: Row[], instance: string]>([
  ['the middle of the longest series', [...slices('2', 3), ...slices('3', 7), ...slices('4', 5)], '3.4'],
  ['the middle by instance number, not in the order of the rows', slices('2', 5).reverse(), '2.3'],
  ['the series with the most frames', [...slices('2', 3), ...slices('3', 1, { frames: 10 })], '3.1'],
  ['the first by UID of equal series', [...slices('3', 3), ...slices('2', 3)], '2.2'],
  [
    'an image rather than a segmentation',
    [...slices('2', 2), ...slices('3', 1, { frames: 90, sopClass: SEGMENTATION })],
    '2.1',
  ],
  ['a segmentation if there is nothing else', slices('3', 1, { frames: 90, sopClass: SEGMENTATION }), '3.1'],
  ['an image rather than a report', [{ series: '1', instance: '1.1' }, ...slices('2', 1)], '2.1'],
  [
    'the first report',
    [
      { series: '1', instance: '1.2', number: 2 },
      { series: '1', instance: '1.1', number: 1 },
    ],
    '1.1',
  ],
])('DW-8 a study is represented by %s', async (_, rows, instance) => {
  expect((await representative(studyOf(rows), { studyUid: '1' })).instanceUid).toBe(instance);
});

test('DW-8 a series is represented by its middle, an instance by itself; an empty series is not found', async () => {
  const study = studyOf([...slices('2', 3), ...slices('3', 7)]);
  expect(await representative(study, { studyUid: '1', seriesUid: '2' })).toEqual({
    seriesUid: '2',
    instanceUid: '2.2',
  });
  const own = { seriesUid: '9', instanceUid: '9.9' };
  expect(await representative(study, { studyUid: '1', ...own })).toEqual(own);
  await expect(representative(study, { studyUid: '1', seriesUid: '9' })).rejects.toThrow('no such object');
});

test.each<[name: string, instance: DicomJson, delays: number[]]>([
  ['a frame time', { '00181063': of(33.333) }, [33, 33, 33]],
  [
    'a vector of times since the frame before',
    { '00181065': { vr: 'DS', Value: [0, 40, 60] } },
    [40, 60, 60],
  ],
  ['a recommended rate', { '00082144': of(25) }, [40, 40, 40]],
  ['a cine rate', { '00180040': of(50) }, [20, 20, 20]],
  ['a frame time that is too short for browsers', { '00181063': of(1) }, [20, 20, 20]],
  ['a frame time that is too long for formats', { '00181063': of(1e7) }, [65_535, 65_535, 65_535]],
  ['an invalid frame time', { '00181063': of(-5) }, [100, 100, 100]],
  ['the default', {}, [100, 100, 100]],
])('DW-8 three frames are timed by %s', (_, instance, delays) => {
  expect(frameDelays(instance, 3)).toEqual(delays);
});

test.each([
  [{ '00286010': of(7) }, 10, 7],
  [{ '00286010': of(70) }, 10, 5],
  [{}, 10, 5],
  [{}, 1, 1],
])('DW-8 %j of %d frames is represented by %d', (instance, frames, frame) => {
  expect(representativeFrame(instance as DicomJson, frames)).toBe(frame);
});
