import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { readPalettes } from './palettes.ts';

test.each([
  ['reads a palette with the most entries', 131_072, [131_072]],
  ['keeps a longer palette as bulk data, and stops reading it', 64 * 1024 * 1024, []],
])('DW-6 %s', async (_, size, lengths) => {
  let read = 0;
  const asked: unknown[] = [];
  const bytes = async function* () {
    for (; read < size; read += 65_536) yield Buffer.alloc(65_536);
  };
  const source = {
    async bulkdata(...question: unknown[]) {
      asked.push(question.slice(0, 2));
      return { mediaType: 'application/octet-stream', open: () => Readable.from(bytes()) };
    },
  };
  const target = { studyUid: '1', seriesUid: '2', instanceUid: '3' };
  const palettes = await readPalettes([{ tag: '00281201', uri: 'bulkdata/00281201', target }], source);
  expect(palettes.map(({ tag, bytes }) => [tag, bytes.length])).toEqual(
    lengths.map((length) => ['00281201', length]),
  );
  expect(asked).toEqual([[target, 'bulkdata/00281201']]);
  expect(read).toBeLessThan(4 * 1024 * 1024);
});
