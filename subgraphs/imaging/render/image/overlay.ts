import { number, type DicomJson } from '../../../../schema/dicom/dicom.ts';
import type { StreamSamples } from '../../pixels/codecs/samples.ts';
import { binary } from './lut.ts';
import type { Picture } from './picture.ts';

/**
 * Burns the overlays of a frame into its picture in white, PS3.3 §C.9.2. Parts outside the image are left out.
 * @param frame from 1
 * @param words of the frame with all their bits, if the file has such: older overlays are in the bits beside the stored
 *   ones
 */
export function burnOverlays(
  picture: Picture,
  attributes: DicomJson,
  frame: number,
  words?: StreamSamples['data'],
): void {
  for (let group = 0x6000; group <= 0x601e; group += 2) {
    const prefix = group.toString(16);
    const rows = number(attributes, `${prefix}0010`);
    const columns = number(attributes, `${prefix}0011`);
    const element = attributes[`${prefix}3000`];
    const bits = element && binary(element);
    const beside = element ? undefined : bitBesidePixels(attributes, prefix);
    if (words && beside !== undefined) burnBit(picture, words, beside);
    if (!rows || !columns || !bits) continue;
    const [top = 1, left = 1] = (attributes[`${prefix}0050`]?.Value ?? []).map(Number);
    const count = number(attributes, `${prefix}0015`) ?? 1;
    const plane = count === 1 ? 0 : frame - (number(attributes, `${prefix}0051`) ?? 1);
    if (plane < 0 || plane >= count) continue;
    burn(picture, bits, { rows, columns, top: top - 1, left: left - 1, start: plane * rows * columns });
  }
}

/** Returns the bit of each word that holds an overlay without its own data (retired; PS3.3 of 2004 §C.9.2.1.1). */
function bitBesidePixels(attributes: DicomJson, prefix: string): number | undefined {
  const [allocated, stored, high] = ['00280100', '00280101', '00280102'].map((tag) =>
    number(attributes, tag),
  );
  const position = number(attributes, `${prefix}0102`);
  if (!allocated || !stored || high === undefined || position === undefined) return undefined;
  const pixel = position <= high && position > high - stored;
  return pixel || position >= allocated || number(attributes, '00280002') !== 1 ? undefined : position;
}

function burnBit({ channels, data }: Picture, words: StreamSamples['data'], position: number): void {
  words.forEach((word: number, i: number) => {
    if ((word >>> position) & 1) data.fill(255, i * channels, (i + 1) * channels);
  });
}

interface Plane {
  rows: number;
  columns: number;
  top: number;
  left: number;
  /** In bits. */
  start: number;
}

function burn(picture: Picture, bits: Uint8Array, { rows, columns, top, left, start }: Plane): void {
  const { width, height, channels, data } = picture;
  const last = Math.min(rows, height - top);
  for (let row = Math.max(0, -top); row < last; row++) {
    for (let column = Math.max(0, -left); column < Math.min(columns, width - left); column++) {
      const bit = start + row * columns + column;
      if (((bits[bit >> 3] ?? 0) >> (bit & 7)) & 1) {
        const at = ((row + top) * width + column + left) * channels;
        data.fill(255, at, at + channels);
      }
    }
  }
}
