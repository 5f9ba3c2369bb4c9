import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { inlinePalettes } from './palettes.ts';
import type { ImagingSource } from './sources/source.ts';

const BulkDataURI = 'bulkdata/00281201';

test.each([
  ['of as many entries as there can be is in the metadata', 131_072, true],
  ['that is longer than any stays bulk data, and is not read to its end', 64 * 1024 * 1024, false],
])('DW-6 a palette %s', async (_, size, inline) => {
  let read = 0;
  const bytes = async function* () {
    for (; read < size; read += 65_536) yield Buffer.alloc(65_536);
  };
  const source = {
    bulkdata: async () => ({ mediaType: 'application/octet-stream', open: () => Readable.from(bytes()) }),
  } as Partial<ImagingSource> as ImagingSource;
  const row = { '00281201': { vr: 'OW', BulkDataURI } };
  await inlinePalettes([row], { studyUid: '1.2' }, source);
  const InlineBinary = Buffer.alloc(size < 1e6 ? size : 0).toString('base64');
  expect(row['00281201']).toEqual({ vr: 'OW', ...(inline ? { InlineBinary } : { BulkDataURI }) });
  expect(read).toBeLessThan(4 * 1024 * 1024);
});
