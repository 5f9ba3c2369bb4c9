import { Fault } from '../../../schema/fault/fault.ts';
import { noSuchObject } from '../../../schema/fault/refusals.ts';
import { BufferPool } from '../multipart/buffer-pool.ts';
import { chunksOf } from '../multipart/chunks.ts';
import { inMemory, piecesOf, TemporaryFile, type FrameBytes } from '../multipart/frame-bytes.ts';
import type { BulkData } from '../sources/source.ts';
import type { InstanceOfStudy, Study } from '../study/study.ts';

/** Pieces of a study as rendering needs them: frames and large values, with a limit of what is in memory. */

/** The members of a study that rendering reads. */
export type RenderedStudy = Pick<
  Study,
  'uid' | 'usedCopy' | 'instances' | 'version' | 'metadata' | 'frames' | 'bulkdata'
>;

/** Frames that are fetched but not yet in memory, unless they are small. */
export interface FetchedFrames {
  transferSyntax: string;
  /** Size of all frames together. */
  bytes: number;
  read(): Promise<Uint8Array[]>;
  close(): Promise<void>;
}

/** Maximum bytes of all frames of one answer. */
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;

/** Fetches frames in the order asked for; the caller closes them. @throws Fault `too_large` beyond the limit */
export async function fetchFrames(
  study: Pick<Study, 'frames'>,
  instance: InstanceOfStudy,
  numbers: readonly number[],
): Promise<FetchedFrames> {
  const { transferSyntax, frames } = await study.frames(instance, numbers);
  return { transferSyntax, ...(await held(frames, numbers.length)) };
}

/** Holds one frame as its source gives it; several in a file, until there is room for them in memory. */
async function held(
  frames: AsyncIterable<FrameBytes>,
  count: number,
): Promise<Omit<FetchedFrames, 'transferSyntax'>> {
  const iterator = frames[Symbol.asyncIterator]();
  const close = async (): Promise<void> => void (await iterator.return?.());
  if (count === 1) {
    const { done, value } = await iterator.next();
    if (done) throw noSuchObject();
    if (value.length <= MAX_ANSWER_BYTES)
      return { bytes: value.length, read: async () => [await inMemory(value)], close };
    await close();
    throw tooLarge();
  }
  const lengths: number[] = [];
  const file = await TemporaryFile.written(measured(frames, lengths), new BufferPool());
  const read = async (): Promise<Uint8Array[]> => {
    const read: Uint8Array[] = [];
    let at = 0;
    for (const length of lengths) {
      read.push(await file.read(at, length));
      at += length;
    }
    return read;
  };
  if (lengths.length === count) return { bytes: file.length, read, close: () => file.close() };
  await file.close();
  throw noSuchObject();
}

async function* measured(frames: AsyncIterable<FrameBytes>, lengths: number[]): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const frame of frames) {
    lengths.push(frame.length);
    if ((bytes += frame.length) > MAX_ANSWER_BYTES) throw tooLarge();
    yield* piecesOf(frame);
  }
}

function tooLarge(): Fault {
  return new Fault('too_large', 'These frames are too large to be rendered at once; ask for fewer.');
}

/** Opens a large value. @param uri as in the metadata */
export function openValue(
  study: Pick<Study, 'bulkdata'>,
  instance: InstanceOfStudy,
  uri: string,
): Promise<BulkData> {
  return study.bulkdata(instance, uri.slice(Math.max(0, uri.indexOf('bulkdata/'))));
}

/** Returns a function that reads large values of an instance into memory. @throws Fault `too_large` beyond `most` bytes */
export function valueReader(study: Pick<Study, 'bulkdata'>, instance: InstanceOfStudy, most: number) {
  return async (uri: string): Promise<Uint8Array> => {
    const { size = 0, open } = await openValue(study, instance, uri);
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of size > most ? [] : chunksOf(open())) {
      chunks.push(chunk);
      if ((bytes += chunk.length) > most) break;
    }
    if (Math.max(size, bytes) > most)
      throw new Fault('too_large', 'The object is too large to be rendered here; retrieve it.');
    return Buffer.concat(chunks);
  };
}
