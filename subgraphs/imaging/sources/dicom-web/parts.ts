import { UID } from '../../../../schema/dicom/dicom.ts';
import type { BufferPool } from '../../multipart/buffer-pool.ts';
import {
  closeFrame,
  inMemory,
  MOST_IN_MEMORY,
  TemporaryFile,
  type FrameBytes,
} from '../../multipart/frame-bytes.ts';
import {
  boundaryOf,
  HEADER_LIMIT,
  parsePartHead,
  readMultipart,
  TruncatedMultipart,
  type IncomingPart,
} from '../../multipart/multipart.ts';
import { unlessNoRoom } from '../../disk/no-room.ts';
import { asFault, brokenOff, type Answer } from './client.ts';
import { invalidAnswer } from '../../parsing/archive/archive-faults.ts';

/**
 * Yields the parts of an answer. A single object without multipart is also accepted, if it is known to be complete
 * (DW-13).
 */
export async function* partsOf(answer: Answer): AsyncGenerator<IncomingPart, void, void> {
  const { contentType, size, endless, body } = answer;
  const boundary = boundaryOf(contentType);
  try {
    if (boundary) {
      for await (const part of readMultipart(body, boundary))
        yield { ...part, body: faulting(part.body, answer) };
    } else {
      if (endless) throw invalidAnswer(new Error('An object without a boundary, a length and chunks.'));
      const headers = { 'content-type': contentType };
      yield { headers, size, body: faulting(body, answer) };
    }
  } catch (error) {
    throw faultOf(error, answer);
  } finally {
    body.destroy();
  }
}

/**
 * Returns the header of an answer's first part, with names in lower case. The body can still be read from its start.
 * @throws Fault `bad_gateway` when it has none; the fault of the archive
 */
export async function firstHeader(answer: Answer): Promise<Omit<IncomingPart, 'body'>> {
  const { contentType, size, body } = answer;
  const boundary = boundaryOf(contentType);
  if (!boundary) return { headers: { 'content-type': contentType }, size };
  const opening = `--${boundary}`;
  let head: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of body.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      head = head.length > 0 ? Buffer.concat([head, chunk]) : chunk;
      // A delimiter is at the start of a line (RFC 2046 §5.1.1).
      const start =
        head.indexOf(opening, 0, 'latin1') === 0 ? 0 : head.indexOf(`\r\n${opening}`, 0, 'latin1');
      const end = start < 0 ? -1 : head.indexOf('\r\n\r\n', start + opening.length);
      if (end < 0 && head.length < HEADER_LIMIT) continue;
      body.unshift(head);
      if (end < 0) break;
      return parsePartHead(head.subarray(start + opening.length, end));
    }
  } catch (error) {
    throw asFault(error);
  }
  body.destroy();
  throw faultOf(new TruncatedMultipart('The body ended before the header of its first part.'), answer);
}

/** Yields bytes, and converts an error to the archive's fault. */
async function* faulting(body: AsyncIterable<Buffer>, answer: Answer): AsyncGenerator<Buffer, void, void> {
  try {
    yield* body;
  } catch (error) {
    throw faultOf(error, answer);
  }
}

/**
 * Returns the fault for an error. An answer without a marked end that is too short means that the archive went away.
 */
export function faultOf(error: unknown, { endless }: Pick<Answer, 'endless'>): unknown {
  return endless && error instanceof TruncatedMultipart ? brokenOff(error) : asFault(error);
}

/**
 * Yields whole frames, in memory, or in a file if a frame is large or has no Content-Length.
 * @param buffers memory for the frames
 * @throws Fault `unavailable` with `retryAfter` when the disk is full
 */
export async function* gathered(
  parts: AsyncIterable<IncomingPart>,
  expected: number,
  buffers: BufferPool,
): AsyncGenerator<FrameBytes> {
  let count = 0;
  for await (const part of parts) {
    count++;
    const frame = await whole(part, buffers);
    try {
      yield frame;
    } finally {
      await closeFrame(frame);
    }
  }
  if (count !== expected) throw invalidAnswer();
}

async function whole({ size, body }: IncomingPart, buffers: BufferPool): Promise<FrameBytes> {
  if (size !== undefined && size <= MOST_IN_MEMORY) {
    const frame = buffers.take(size);
    let at = 0;
    for await (const chunk of body) at += chunk.copy(frame, at);
    // Bytes that were not overwritten are from another frame.
    if (at !== size) throw invalidAnswer();
    return frame;
  }
  const file = await TemporaryFile.written(body, buffers).catch((error: unknown) => {
    throw unlessNoRoom(error);
  });
  if (file.length > MOST_IN_MEMORY) return file;
  const bytes = await inMemory(file);
  await file.close();
  return bytes;
}

/** Yields the bytes of one part, or a range of them. Servers do not give ranges of a part. */
export async function* within(
  body: AsyncIterable<Buffer>,
  parts: AsyncGenerator<IncomingPart, void, void>,
  range: { start: number; end: number } | undefined,
): AsyncGenerator<Buffer, void, void> {
  let at = 0;
  try {
    for await (const chunk of body) {
      const from = range ? Math.max(0, range.start - at) : 0;
      const to = range ? Math.min(chunk.length, range.end + 1 - at) : chunk.length;
      at += chunk.length;
      if (to > from) yield chunk.subarray(from, to);
      if (range && at > range.end) return;
    }
    // The part is known to be complete only after the closing delimiter (DW-13).
    if (!(await parts.next()).done) return;
  } finally {
    await parts.return();
  }
}

const MEDIA_TYPE = /^[\w!#$&^.+-]{1,100}\/[\w!#$&^.+-]{1,100}$/;
/** Media types that a browser would run in the gateway's origin. */
const ACTIVE = /html|xml|script/;

/**
 * Splits `image/jpeg; transfer-syntax=1.2…` into media type and transfer syntax. Both go into the gateway's answers,
 * and are omitted when they are not valid.
 */
export function mediaTypeOf(contentType: string | undefined): [mediaType: string, transferSyntax?: string] {
  const [media = '', ...parameters] = (contentType ?? '').split(';').map((part) => part.trim());
  const syntax = parameters.find((parameter) => /^transfer-syntax=/i.test(parameter));
  const value = syntax?.slice('transfer-syntax='.length).replace(/^"|"$/g, '') ?? '';
  const type = MEDIA_TYPE.test(media) && !ACTIVE.test(media.toLowerCase()) ? media.toLowerCase() : '';
  return UID.test(value) ? [type, value] : [type];
}
