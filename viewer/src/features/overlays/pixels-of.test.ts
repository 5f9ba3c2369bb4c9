import { expect, test } from 'vitest';
import { frame, of, packed, segmentation } from '../../../test/setup/overlay-objects.ts';
import { Trouble } from '../../data/trouble.ts';
import { pixelsOf, type PixelsAsked } from './pixels-of.ts';

const EXPLICIT = '1.2.840.10008.1.2.1';
const RLE = '1.2.840.10008.1.2.5';
/** Three frames of 25 bits: the second and the third begin within bytes. */
const BITS = Array.from({ length: 75 }, (_, at) => (at % 7 === 0 || at % 11 === 3 ? 1 : 0));
const FRAMES = [0, 1, 2].map((index) => BITS.slice(25 * index, 25 * index + 25));

function asked(
  { stored, bulk, frames }: { stored?: string; bulk?: Uint8Array; frames?: (index: number) => Uint8Array },
  syntax = EXPLICIT,
) {
  const wished: (string | undefined)[] = [];
  const progress: number[] = [];
  const instance = segmentation({
    frames: FRAMES.map((_, index) => frame([0, 0, index])),
    more: {
      '7FE00010': { vr: 'OB', BulkDataURI: 'https://images.example/7FE00010' },
      ...(stored !== undefined && { '00083002': of('UI', stored) }),
    },
  });
  const images: PixelsAsked['images'] = {
    bulk: () => (bulk ? Promise.resolve(bulk) : Promise.reject(new Trouble('not-found', 'no value'))),
    frame: (_at, name, _signal, transferSyntax) => {
      wished.push(transferSyntax);
      if (!frames) return Promise.reject(new Error('not asked for'));
      return Promise.resolve({ bytes: frames(name.frame - 1), transferSyntax: syntax });
    },
  };
  const loading = pixelsOf({
    images,
    at: { dicomweb: 'https://images.example' },
    name: { study: '1', series: '2' },
    instance,
    signal: new AbortController().signal,
    onProgress: (part) => progress.push(part),
  });
  return { loading, wished, progress };
}

test.each([EXPLICIT, undefined])('one value where it is stored as %s', async (stored) => {
  const { loading } = asked({ ...(stored !== undefined && { stored }), bulk: packed(BITS) });
  expect(await loading).toEqual(packed(BITS));
});

test('fewer bytes than it says are left to the reader', async () => {
  expect(await asked({ stored: EXPLICIT, bulk: new Uint8Array(3) }).loading).toHaveLength(3);
});

test.each<[string, (index: number) => Uint8Array]>([
  ['as bits', (index) => packed(FRAMES[index]!)],
  ['as bytes, as some servers give them', (index) => Uint8Array.from(FRAMES[index]!)],
])('frame by frame where it is compressed: %s, without padding between them', async (_, frames) => {
  const { loading, wished, progress } = asked({ stored: RLE, frames });
  expect(await loading).toEqual(packed(BITS));
  expect(new Set(wished)).toEqual(new Set([EXPLICIT]));
  expect(progress.at(-1)).toBe(1);
});

test('a value of another length is compressed, where the archive does not say it', async () => {
  const { loading } = asked({ bulk: new Uint8Array(40), frames: (index) => packed(FRAMES[index]!) });
  expect(await loading).toEqual(packed(BITS));
});

test('a value that the archive does not give is asked for by frames', async () => {
  const { loading } = asked({ frames: (index) => packed(FRAMES[index]!) });
  expect(await loading).toEqual(packed(BITS));
});

test('a frame that is short, or still compressed, is a failure', async () => {
  const short = asked({ stored: RLE, frames: () => new Uint8Array(2) });
  await expect(short.loading).rejects.toMatchObject({ kind: 'damaged' } satisfies Partial<Trouble>);
  const compressed = asked({ stored: RLE, frames: () => new Uint8Array(20) }, RLE);
  await expect(compressed.loading).rejects.toMatchObject({ kind: 'undecodable' } satisfies Partial<Trouble>);
});
