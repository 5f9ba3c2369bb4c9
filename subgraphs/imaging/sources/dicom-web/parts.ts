import { UID } from '../../../../schema/dicom.ts';
import type { BufferPool } from '../../buffer-pool.ts';
import {
  boundaryOf,
  HEADER_LIMIT,
  parsePartHead,
  readMultipart,
  type IncomingPart,
} from '../../multipart.ts';
import { asFault, nonsense, type Answer } from './client.ts';

/**
 * The parts of an answer; a server that sends one object without multipart is as good, if one can tell that it is whole
 * (DW-13).
 */
export async function* partsOf({
  contentType,
  size,
  endless,
  body,
}: Answer): AsyncGenerator<IncomingPart, void, void> {
  const boundary = boundaryOf(contentType);
  try {
    if (boundary) {
      for await (const part of readMultipart(body, boundary)) yield { ...part, body: faulting(part.body) };
    } else {
      if (endless) throw nonsense(new Error('An object without a boundary, a length and chunks.'));
      const headers = { 'content-type': contentType };
      yield { headers, ...(size !== undefined && { size }), body: faulting(body) };
    }
  } catch (error) {
    throw asFault(error);
  } finally {
    body.destroy();
  }
}

/**
 * The header of an answer's first part, names in lower case; the answer is as unread as before.
 * @throws Fault `bad_gateway` where it has none, and what the archive failed with
 */
export async function firstHeader({ contentType, size, body }: Answer): Promise<Omit<IncomingPart, 'body'>> {
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
  throw nonsense();
}

/** The bytes; where they fail, with the archive's fault. */
async function* faulting(body: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  try {
    yield* body;
  } catch (error) {
    throw asFault(error);
  }
}

/** A frame that says it is larger is gathered as it comes: what an archive says makes us set no memory aside. */
const MOST_AT_ONCE = 8 * 1024 * 1024;

/**
 * Frame by frame, each whole.
 * @param buffers whose memory they are put into
 */
export async function* gathered(
  parts: AsyncIterable<IncomingPart>,
  expected: number,
  buffers: BufferPool,
): AsyncGenerator<Uint8Array> {
  let count = 0;
  for await (const part of parts) {
    count++;
    yield await whole(part, buffers);
  }
  if (count !== expected) throw nonsense();
}

async function whole({ size, body }: IncomingPart, buffers: BufferPool): Promise<Buffer> {
  if (size !== undefined && size <= MOST_AT_ONCE) {
    const frame = buffers.take(size);
    let at = 0;
    for await (const chunk of body) at += chunk.copy(frame, at);
    // What is not written over is another's.
    if (at !== size) throw nonsense();
    return frame;
  }
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
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
