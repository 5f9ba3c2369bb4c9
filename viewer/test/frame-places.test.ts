/** Frames are found in files of every encoding, at the bytes that they have. */
import { expect, test } from 'vitest';
import { imageObject, SMALL } from '../../gateway/test/setup/image-object.ts';
import { fileMeta, framePlaces } from '../src/domain/dicom/frame-places.ts';
import { writePart10 } from '../src/domain/dicom/part10.ts';

const IMPLICIT = '1.2.840.10008.1.2';
const EXPLICIT = '1.2.840.10008.1.2.1';
const JPEG = '1.2.840.10008.1.2.4.50';
const RLE = '1.2.840.10008.1.2.5';

const bytes = (count: number, from = 1) => Uint8Array.from({ length: count }, (_, at) => (from + at) & 0xff);
const uint32 = (...values: number[]) => new Uint8Array(Uint32Array.from(values).buffer);

function found(
  syntax: string,
  pixels: Uint8Array | readonly Uint8Array[],
  size: { frames: number; bits: number },
) {
  const described = { ...SMALL, numberOfFrames: size.frames };
  const file = new Uint8Array(imageObject('1.2.3', syntax, described, pixels));
  const places = framePlaces(file, size);
  const read = (parts: readonly (readonly [number, number])[]) =>
    parts.flatMap(([at, length]) => [...file.subarray(at, at + length)]);
  return places && { ...places, frames: places.frames.map(read), value: read(places.value) };
}

test.each([IMPLICIT, EXPLICIT])('frames without compression, in %s', (syntax) => {
  expect(found(syntax, bytes(16), { frames: 1, bits: 128 })).toEqual({
    transferSyntax: syntax,
    frames: [[...bytes(16)]],
    value: [...bytes(16)],
  });
  const three = found(syntax, bytes(28), { frames: 3, bits: 72 });
  // A byte of padding belongs to none.
  expect(three?.frames).toEqual([[...bytes(9)], [...bytes(9, 10)], [...bytes(9, 19)]]);
});

test('frames of single bits are not told apart, and their value is there', () => {
  const two = found(EXPLICIT, bytes(4), { frames: 2, bits: 12 });
  expect(two?.frames).toEqual([]);
  expect(two?.value).toEqual([...bytes(4)]);
});

test.each<[string, readonly Uint8Array[], number, number[][]]>([
  ['one frame in one fragment', [uint32(), bytes(6)], 1, [[...bytes(6)]]],
  ['one frame in several', [uint32(0), bytes(6), bytes(4, 7)], 1, [[...bytes(10)]]],
  ['a fragment for each frame', [uint32(), bytes(6), bytes(4, 7)], 2, [[...bytes(6)], [...bytes(4, 7)]]],
  [
    'frames by the offset table',
    [uint32(0, 28), bytes(6), bytes(6, 7), bytes(4, 13)],
    2,
    [[...bytes(12)], [...bytes(4, 13)]],
  ],
  ['several fragments, and no table', [uint32(), bytes(6), bytes(6, 7), bytes(4, 13)], 2, []],
  ['a table that points to nothing', [uint32(0, 2000), bytes(6), bytes(6, 7), bytes(4, 13)], 2, []],
])('%s', (_what, fragments, frames, expected) => {
  const { frames: read, value, transferSyntax } = found(JPEG, fragments, { frames, bits: 128 })!;
  expect(read).toEqual(expected);
  expect(value).toEqual(fragments.slice(1).flatMap((one) => [...one]));
  expect(transferSyntax).toBe(JPEG);
});

test.each(['1.2.840.10008.1.2.1.99', '1.2.840.10008.1.2.2'])('not in %s', (syntax) => {
  expect(found(syntax, bytes(16), { frames: 1, bits: 128 })).toBeUndefined();
});

test('a file that is cut has no frames, wherever it is cut, and nothing throws', () => {
  for (const pixels of [bytes(16), [uint32(0), bytes(16)]]) {
    const file = new Uint8Array(
      imageObject('1.2.3', pixels instanceof Uint8Array ? IMPLICIT : RLE, SMALL, pixels),
    );
    for (let length = 0; length < file.length; length += 3)
      expect(framePlaces(file.slice(0, length), { frames: 1, bits: 128 })).toBeUndefined();
  }
});

test('a document has none, and is known by its meta information', () => {
  const file = writePart10({
    '00080016': { vr: 'UI', Value: ['1.2.840.10008.5.1.4.1.1.88.11'] },
    '00080018': { vr: 'UI', Value: ['1.2.3.4'] },
  });
  expect(framePlaces(file, { frames: 1, bits: 8 })).toBeUndefined();
  expect(fileMeta(file)).toMatchObject({
    sopClass: '1.2.840.10008.5.1.4.1.1.88.11',
    uid: '1.2.3.4',
    transferSyntax: EXPLICIT,
  });
  expect(fileMeta(new TextEncoder().encode('no file'))).toBeUndefined();
});
