import { expect, test } from 'vitest';
import { OBJECT_ELEMENTS, type DicomJson } from '../../../../schema/dicom/dicom.ts';
import type { ParsingThreads } from '../../threads/parsing-threads.ts';
import type { Target } from '../source.ts';
import { rowOf } from '../../test/metadata-rows.ts';
import { testParsing } from '../../test/parsing.ts';
import { readArchiveMetadata } from './archive-metadata.ts';
import { archiveMetadata, withPalettes } from '../../parsing/archive/archive-metadata.ts';

const { threads } = testParsing();
const target = { studyUid: '1', seriesUid: '2', instanceUid: '3' };
const uids: DicomJson = {
  '0020000D': { vr: 'UI', Value: ['1'] },
  '0020000E': { vr: 'UI', Value: ['2'] },
  '00080018': { vr: 'UI', Value: ['3'] },
};
const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

test('DW-6 parses metadata of an archive object by object, with addresses from the base of the service', async () => {
  const rows = [{ ...uids, '7FE00010': { vr: 'OW', BulkDataURI: 'http://archive/studies/1/x' } }, uids];
  const [first, second] = await readArchiveMetadata(
    (async function* () {
      yield bytes(rows);
    })(),
    { target, objectElements: OBJECT_ELEMENTS },
    threads,
  );
  // An address that is not below the instance is dropped.
  expect(first).toMatchObject({ metadata: { sopInstanceUid: '3', seriesUid: '2' } });
  expect(rowOf((first as { metadata: { json: Uint8Array } }).metadata)).toEqual({
    ...uids,
    '7FE00010': { vr: 'OW' },
  });
  expect(rowOf((second as { metadata: { json: Uint8Array } }).metadata)).toEqual(uids);
});

test('DW-6 refuses too large metadata: of a series as too_large, of an instance as bad_gateway', async () => {
  const row = { ...uids, '00080090': { vr: 'LT', Value: ['x'.repeat(10_000)] } };
  const chunk = Buffer.from(`${JSON.stringify(row)},`.repeat(100));
  const read = (of: Target) =>
    readArchiveMetadata(
      (async function* () {
        yield Buffer.from('[');
        for (let size = 0; size < 65 * 2 ** 20; size += chunk.length) yield chunk;
      })(),
      { target: of, objectElements: OBJECT_ELEMENTS },
      { run: async () => [] } as unknown as ParsingThreads,
    );
  await expect(read({ studyUid: '1', seriesUid: '2' })).rejects.toMatchObject({
    code: 'too_large',
    message: expect.stringMatching(/more than 64 MB; ask by series or instance/),
  });
  await expect(read(target)).rejects.toMatchObject({ code: 'bad_gateway' });
});

test('DW-6 puts palettes of any length inline into the metadata', () => {
  const palette = Buffer.alloc(4096, 3);
  const row = {
    ...uids,
    '00281201': { vr: 'OW', BulkDataURI: 'bulkdata/00281201' },
    '7FE00010': { vr: 'OW', BulkDataURI: 'bulkdata/7FE00010' },
  };
  const objectElements = OBJECT_ELEMENTS;
  const [found] = archiveMetadata({ rows: [bytes([row]).slice(1, -1)], target, objectElements });
  if (!found || 'metadata' in found) throw new Error('The palette was not found.');
  expect(found.palettes).toEqual([{ tag: '00281201', uri: 'bulkdata/00281201', target }]);
  const palettes = [{ tag: '00281201', bytes: palette }];
  const metadata = withPalettes({ row: found.row, palettes, target, objectElements });
  expect(rowOf(metadata)).toEqual({
    ...row,
    '00281201': { vr: 'OW', InlineBinary: palette.toString('base64') },
  });
});

test.each<[name: string, row: unknown]>([
  [
    'attributes',
    Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [String(10_000_000 + i), { vr: 'LO' }])),
  ],
  ['values', { '00181065': { vr: 'DS', Value: Array(2000).fill(1) } }],
  ['items', { '00400275': { vr: 'SQ', Value: Array(2000).fill({}) } }],
])('DW-24 refuses an object with too many %s, and says so', async (_, row) => {
  const parse = () => threads.run('archiveMetadata', { rows: [bytes(row)], target, objectElements: 999 });
  await expect(parse()).rejects.toMatchObject({
    code: 'bad_gateway',
    message: expect.stringMatching(/damaged.*more than 999 elements and values.*limits\.objectElements/),
  });
});
