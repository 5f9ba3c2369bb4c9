import { expect, test } from 'vitest';
import type { Attribute, Instance } from '../../domain/instance.ts';
import { palettesOf } from './palettes.ts';

const palette = (bits: number, entries: number, attribute: Partial<Attribute>): Instance => ({
  '00280004': { vr: 'CS', Value: ['PALETTE COLOR'] },
  ...Object.fromEntries(
    ['1', '2', '3'].flatMap((colour) => [
      [`0028110${colour}`, { vr: 'US', Value: [entries, 0, bits] }],
      [`0028120${colour}`, { vr: 'OW', ...attribute }],
    ]),
  ),
});
const noBulk = () => Promise.reject(new Error('not asked for'));

test.each<[string, Instance, number[]]>([
  ['of 16 bits', palette(16, 3, { InlineBinary: 'AAABAP//' }), [0, 1, 65535]],
  ['of 8 bits', palette(8, 3, { InlineBinary: 'AAH/' }), [0, 1, 255]],
  ['of numbers', palette(16, 2, { Value: [7, 8] }), [7, 8]],
])('PS3.18 F.2.7: a palette %s is converted to numbers', async (_, instance, numbers) => {
  const palettes = await palettesOf(instance, noBulk);
  expect(palettes).toMatchObject({
    redPaletteColorLookupTableData: numbers,
    greenPaletteColorLookupTableData: numbers,
    bluePaletteColorLookupTableData: numbers,
  });
});

test('a palette that is given by reference is loaded', async () => {
  const bulk = (url: string) => Promise.resolve(new Uint8Array(url === 'u' ? [1, 0, 2, 0] : []));
  const palettes = await palettesOf(palette(16, 2, { BulkDataURI: 'u' }), bulk);
  expect(palettes!.redPaletteColorLookupTableData).toEqual([1, 2]);
});

test('an image without palettes has none', async () => {
  expect(await palettesOf({}, noBulk)).toBeUndefined();
});

test.each<[string, Instance]>([
  ['shorter than it says', palette(8, 4, { InlineBinary: 'AAH/' })],
  ['missing', { '00280004': { vr: 'CS', Value: ['PALETTE COLOR'] } }],
])('a palette that is %s is an error, not another colour', async (_, instance) => {
  await expect(palettesOf(instance, noBulk)).rejects.toThrow('palette');
});
