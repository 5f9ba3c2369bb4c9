import { describe, expect, test } from 'vitest';
import type { Instance } from '../../domain/instance.ts';
import { greyImage, isPlainGrey } from './grey-image.ts';

const value = (vr: string, ...Value: unknown[]) => ({ vr, Value });
const CT: Instance = {
  '00080060': value('CS', 'CT'),
  '00280002': value('US', 1),
  '00280004': value('CS', 'MONOCHROME2'),
  '00280010': value('US', 1),
  '00280011': value('US', 4),
  '00280100': value('US', 16),
  '00280101': value('US', 12),
  '00280102': value('US', 11),
  '00281050': value('DS', 40),
  '00281051': value('DS', 400),
  '00281052': value('DS', -1024),
  '00281053': value('DS', 2),
};
const { '00281050': _centre, ...WITHOUT_WINDOW } = CT;

describe('an image is drawn here', () => {
  test.each<[string, Instance, boolean]>([
    ['a CT', CT, true],
    [
      'without bits stored and without a high bit',
      { ...CT, '00280101': value('US'), '00280102': value('US') },
      true,
    ],
    ['whose high bit is not the last', { ...CT, '00280102': value('US', 15) }, false],
    [
      'with eight bits',
      { ...CT, '00280100': value('US', 8), '00280101': value('US', 8), '00280102': value('US', 7) },
      true,
    ],
    ['with one bit', { ...CT, '00280100': value('US', 1) }, false],
    ['with white below black', { ...CT, '00280004': value('CS', 'MONOCHROME1') }, true],
    ['with a palette', { ...CT, '00280004': value('CS', 'PALETTE COLOR') }, false],
    ['with colours', { ...CT, '00280002': value('US', 3), '00280004': value('CS', 'RGB') }, false],
    ['without a window', WITHOUT_WINDOW, false],
    ['with a window of another function', { ...CT, '00281056': value('CS', 'SIGMOID') }, false],
    ['with a table in place of the window', { ...CT, '00283010': value('SQ', {}) }, false],
    ['with a table in place of the rescale', { ...CT, '00283000': value('SQ', {}) }, false],
    ['with pixels that are not square', { ...CT, '00280030': value('DS', 1, 0.5) }, false],
    ['with square pixels', { ...CT, '00280030': value('DS', 0.7, 0.7) }, true],
    ['of a PET', { ...CT, '00080060': value('CS', 'PT') }, false],
  ])('%s: %#', (_what, metadata, expected) => expect(isPlainGrey(metadata)).toBe(expected));

  test('without a window of its own, with that of the address', () =>
    expect(isPlainGrey(WITHOUT_WINDOW, { centre: 1, width: 2 })).toBe(true));
});

const greys = (...asked: Parameters<typeof greyImage>) =>
  [...greyImage(...asked).pixels].filter((_, at) => at % 4 === 0);

// Stored 432, 532, 632 are -160, 40 and 240.
const STORED = [432, 532, 632, 2_000];

test.each<[string, Instance, { centre: number; width: number } | undefined, number[]]>([
  ['by its own window', CT, undefined, [0, 128, 255, 255]],
  ['by another', CT, { centre: -160, width: 1 }, [255, 255, 255, 255]],
  ['by one of a single value', CT, { centre: 41, width: 1 }, [0, 0, 255, 255]],
  ['inverted', { ...CT, '00280004': value('CS', 'MONOCHROME1') }, undefined, [255, 127, 0, 0]],
])('stored values become grey %s', (_how, metadata, window, expected) => {
  expect(greys(STORED, metadata, window)).toEqual(expected);
});

test('a picture is opaque, and has the size of its image', () => {
  const { width, height, pixels } = greyImage(STORED, CT);
  expect([width, height, pixels[3], pixels.length]).toEqual([4, 1, 255, 16]);
});
