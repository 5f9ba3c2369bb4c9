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
import { nonsense } from '../../parsing/archive/nonsense.ts';

/**
 * The parts of an answer; a server that sends one object without multipart is as good, if one can tell that it is whole
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
      if (endless) throw nonsense(new Error('An object without a boundary, a length and chunks.'));
      const headers = { 'content-type': contentType };
      yield { headers, ...(size !== undefined && { size }), body: faulting(body, answer) };
    }
  } catch (error) {
    throw faultOf(error, answer);
  } finally {
    body.destroy();
  }
}

/**
 * The header of an answer's first part, names in lower case; the answer is as unread as before.
 * @throws Fault `bad_gateway` where it has none, and what the archive failed with
 */
export async function firstHeader(answer: Answer): Promise<Omit<IncomingPart, 'body'>> {
  const { contentType, size, body } = answer;
  const boundary = boundaryOf(contentType);
  if (!boundary) return { headers: { 'content-type': contentType }, ...(size !== undefined && { size }) };
  const opening = `--${boundary}`;
  let head: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of body.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      head = head.length > 0 ? Buffer.concat([head, chunk]) : chunk;
      // A delimiter begins a line (RFC 2046 §5.1.1).
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

/** The bytes; where they fail, with the archive's fault. */
async function* faulting(body: AsyncIterable<Buffer>, answer: Answer): AsyncGenerator<Buffer, void, void> {
  try {
    yield* body;
  } catch (error) {
    throw faultOf(error, answer);
  }
}

/** Where the end of an answer tells nothing, one that is short was cut: by an archive that went away. */
export function faultOf(error: unknown, { endless }: Pick<Answer, 'endless'>): unknown {
  return endless && error instanceof TruncatedMultipart ? brokenOff(error) : asFault(error);
}

/**
 * Frame by frame, each whole: in memory, or in a file where it is large or does not say how large it is.
 * @param buffers whose memory they are put into
 * @throws Fault `unavailable` with `retryAfter` where the disk takes no more
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
  if (count !== expected) throw nonsense();
}

async function whole({ size, body }: IncomingPart, buffers: BufferPool): Promise<FrameBytes> {
  if (size !== undefined && size <= MOST_IN_MEMORY) {
    const frame = buffers.take(size);
    let at = 0;
    for await (const chunk of body) at += chunk.copy(frame, at);
    // What is not written over is another's.
    if (at !== size) throw nonsense();
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

/** The bytes of one part, or a range of them: servers do not give ranges of a part. */
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
    // Only after the closing delimiter is the part known to be whole (DW-13).
    if (!(await parts.next()).done) return;
  } finally {
    await parts.return();
  }
}

const MEDIA_TYPE = /^[\w!#$&^.+-]{1,100}\/[\w!#$&^.+-]{1,100}$/;
/** What a browser would run, as if it were ours. */
const ACTIVE = /html|xml|script/;

/**
 * `image/jpeg; transfer-syntax=1.2…` → the media type and the transfer syntax; both go into answers of ours, and are
 * left out where they are none.
 */
export function mediaTypeOf(contentType: string | undefined): [mediaType: string, transferSyntax?: string] {
  const [media = '', ...parameters] = (contentType ?? '').split(';').map((part) => part.trim());
  const syntax = parameters.find((parameter) => /^transfer-syntax=/i.test(parameter));
  const value = syntax?.slice('transfer-syntax='.length).replace(/^"|"$/g, '') ?? '';
  const type = MEDIA_TYPE.test(media) && !ACTIVE.test(media.toLowerCase()) ? media.toLowerCase() : '';
  return UID.test(value) ? [type, value] : [type];
}
