import { expect, test } from 'vitest';
import type { DicomElement, DicomJson } from '../../../../schema/dicom/dicom.ts';
import type { DecodedFrame } from '../../pixels/codecs/decoded-frame.ts';
import { toPicture } from './picture.ts';

function frameOf(samples: DecodedFrame['samples'], more: Partial<DecodedFrame> = {}): DecodedFrame {
  const samplesPerPixel = more.samplesPerPixel ?? 1;
  return {
    rows: 1,
    columns: samples.length / samplesPerPixel,
    samplesPerPixel,
    signed: false,
    samples,
    bitsStored: 8 * samples.BYTES_PER_ELEMENT,
    photometricInterpretation: 'MONOCHROME2',
    ...more,
  };
}

const of = (vr: string, ...Value: unknown[]): DicomElement => ({ vr, Value });
const WINDOW: DicomJson = { '00281050': of('DS', 50), '00281051': of('DS', 101) };
const MONOCHROME1 = { photometricInterpretation: 'MONOCHROME1' };

test.each<[name: string, DecodedFrame, DicomJson, shades: number[]]>([
  ['eight bits unchanged', frameOf(Uint8Array.of(0, 3, 200, 255)), {}, [0, 3, 200, 255]],
  ['MONOCHROME1', frameOf(Uint8Array.of(0, 3, 255), MONOCHROME1), {}, [255, 252, 0]],
  ['an inverse shape', frameOf(Uint8Array.of(0, 255)), { '20500020': of('CS', 'INVERSE') }, [255, 0]],
  ['one bit', frameOf(Uint8Array.of(0, 1), { bitsStored: 1 }), {}, [0, 255]],
  ['sixteen bits over their range', frameOf(Uint16Array.of(1000, 2000, 3000)), {}, [0, 128, 255]],
  ['all the same', frameOf(Uint16Array.of(7, 7)), {}, [0, 0]],
  ['signed', frameOf(Int16Array.of(-100, 0, 100), { signed: true }), {}, [0, 128, 255]],
  ['floating', frameOf(Float32Array.of(-1, 0, 1, NaN)), {}, [0, 128, 255, 0]],
  ['32 bits', frameOf(Uint32Array.of(0, 2 ** 31, 2 ** 32 - 1)), {}, [0, 128, 255]],
  ['a window', frameOf(Uint16Array.of(0, 50, 100, 900)), WINDOW, [1, 129, 255, 255]],
  [
    'a window of rescaled values',
    frameOf(Int16Array.of(-5, 45, 95), { signed: true }),
    { ...WINDOW, '00281053': of('DS', 1), '00281052': of('DS', 5) },
    [1, 129, 255],
  ],
  [
    'a falling rescale',
    frameOf(Uint16Array.of(0, 100)),
    { '00281053': of('DS', -1), '00281052': of('DS', 100) },
    [255, 0],
  ],
  [
    'padding, which is not part of the range',
    frameOf(Int16Array.of(-2000, 0, 100), { signed: true }),
    { '00280120': of('US', 0x1_0000 - 2000) },
    [0, 0, 255],
  ],
  [
    'a range of padding, black in MONOCHROME1 too',
    frameOf(Uint16Array.of(0, 5, 10, 20), MONOCHROME1),
    { '00280120': of('US', 0), '00280121': of('US', 5) },
    [0, 0, 255, 0],
  ],
])('DW-8 %s', (_, frame, attributes, shades) => {
  const picture = toPicture(frame, attributes);
  expect(picture.channels).toBe(1);
  expect([...picture.data]).toEqual(shades);
});

test('DW-8 a table for all values gives the same shades as separate computation', () => {
  const samples = Int16Array.from({ length: 20_000 }, (_, i) => ((i * 7919) % 4096) - 2048);
  const attributes = { '00281050': of('DS', -300), '00281051': of('DS', 1700), '00281052': of('DS', -100) };
  const many = toPicture(frameOf(samples, { signed: true, bitsStored: 12 }), attributes).data;
  const few = toPicture(frameOf(samples.slice(0, 100), { signed: true, bitsStored: 12 }), attributes).data;
  expect([...many.slice(0, 100)]).toEqual([...few]);
  expect(new Set(many).size).toBe(256);
});

const CHANNELS: DicomJson = {
  '00281101': of('US', 2, 10, 8),
  '00281102': of('US', 2, 10, 8),
  '00281103': of('US', 2, 10, 8),
  '00281201': of('US', 1, 2),
  '00281202': of('US', 3, 4),
  '00281203': of('US', 5, 6),
};

test('DW-8 palette colour', () => {
  const frame = frameOf(Uint8Array.of(0, 10, 11, 99), { photometricInterpretation: 'PALETTE COLOR' });
  expect([...toPicture(frame, CHANNELS).data]).toEqual([1, 3, 5, 1, 3, 5, 2, 4, 6, 2, 4, 6]);
});

test('DW-8 a supplemental palette colours the values from its first entry; the others are grey', () => {
  const frame = frameOf(Uint8Array.of(9, 10, 11));
  const { channels, data } = toPicture(frame, { ...CHANNELS, '00089205': of('CS', 'COLOR') });
  expect([channels, ...data]).toEqual([3, 9, 9, 9, 1, 3, 5, 2, 4, 6]);
  expect(toPicture(frame, CHANNELS).channels).toBe(1);
});

// Red, white and mid-grey by the equations of PS3.3 §C.7.6.3.1.2.
test.each<[photometric: string, samples: number[], rgb: number[]]>([
  ['RGB', [1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6]],
  ['YBR_FULL', [76, 85, 255], [254, 0, 0]],
  ['YBR_FULL_422', [255, 128, 128], [255, 255, 255]],
  ['YBR_PARTIAL_422', [235, 128, 128, 16, 128, 128], [255, 255, 255, 0, 0, 0]],
  ['YBR_PARTIAL', [81, 90, 240], [254, 0, 0]],
  ['YBR_RCT', [10, 20, 30], [10, 20, 30]],
  ['YBR_ICT', [10, 20, 30], [10, 20, 30]],
])('DW-8 %s', (photometricInterpretation, samples, rgb) => {
  const frame = frameOf(Uint8Array.from(samples), { samplesPerPixel: 3, photometricInterpretation });
  expect([...toPicture(frame, {}).data]).toEqual(rgb);
});

test('DW-8 reduces colours of sixteen bits to eight', () => {
  const frame = frameOf(Uint16Array.of(0, 32768, 65535), {
    samplesPerPixel: 3,
    photometricInterpretation: 'RGB',
  });
  expect([...toPicture(frame, {}).data]).toEqual([0, 128, 255]);
});
