import { describe, expect, test } from 'vitest';
import { TransferSyntax } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import type { Frames } from '../sources/source.ts';
import { framesWithFailover } from './failover.ts';

const JPEG = { mediaType: 'image/jpeg', transferSyntax: '1.2.840.10008.1.2.4.50' as string };
const NATIVE = {
  mediaType: 'application/octet-stream',
  transferSyntax: TransferSyntax.ExplicitVRLittleEndian,
};
const down = new Fault('unavailable', 'The disk fails.', { service: 'imaging' });

/** Frames of one byte each, after which the source fails if it has an error. */
const framesOf = (numbers: readonly number[], form: typeof JPEG, error?: Error): Frames => ({
  ...form,
  frames: (async function* () {
    for (const number of numbers) yield Uint8Array.of(number);
    if (error) throw error;
  })(),
});

/** What a reader gets, and the error with which it ends. */
async function read(first: Frames, other: () => Promise<Frames>) {
  const got: number[] = [];
  try {
    for await (const frame of framesWithFailover(first, other)) got.push((frame as Uint8Array)[0]!);
    return [got];
  } catch (error) {
    return [got, error];
  }
}

describe('DW-27 frames of a source that fails', () => {
  test.each<[what: string, frames: Frames, copy: () => Promise<Frames>, expected: unknown[]]>([
    [
      'before the first are those of its copy',
      framesOf([], JPEG, down),
      async () => framesOf([7, 8], JPEG),
      [[7, 8]],
    ],
    [
      'are not replaced by frames in another form: the header of the answer has said which',
      framesOf([], JPEG, down),
      async () => framesOf([7, 8], NATIVE),
      [[], down],
    ],
    [
      'after the first are not mixed with those of its copy',
      framesOf([1], JPEG, down),
      async () => framesOf([7, 8], JPEG),
      [[1], down],
    ],
    [
      'fail as it does where the copy fails too',
      framesOf([], JPEG, down),
      () => Promise.reject(new Error('another')),
      [[], down],
    ],
  ])('%s', async (_what, frames, copy, expected) => {
    expect(await read(frames, copy)).toEqual(expected);
  });

  test('for a reason of the request are not asked of its copy', async () => {
    const missing = new Fault('not_found', 'There is no such frame.');
    expect(await read(framesOf([], JPEG, missing), async () => framesOf([7], JPEG))).toEqual([[], missing]);
  });
});
