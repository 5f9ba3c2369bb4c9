import { boundaryOf, readMultipart, type IncomingPart } from '../../multipart.ts';
import { asFault, nonsense, type Answer } from './client.ts';

/** The parts of an answer; a server that sends one object without multipart is as good. */
export async function* partsOf({
  contentType,
  size,
  body,
}: Answer): AsyncGenerator<IncomingPart, void, void> {
  const boundary = boundaryOf(contentType);
  try {
    if (boundary) yield* readMultipart(body, boundary);
    else {
      const headers = { 'content-type': contentType };
      yield { headers, ...(size !== undefined && { size }), body: all(body) };
    }
  } catch (error) {
    throw asFault(error);
  } finally {
    body.destroy();
  }
}

async function* all(body: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  yield* body;
}

/** Frame by frame, each whole. */
export async function* gathered(
  first: IncomingPart,
  parts: AsyncGenerator<IncomingPart, void, void>,
  expected: number,
): AsyncGenerator<Uint8Array> {
  let count = 0;
  try {
    for (let part: IncomingPart | undefined = first; part; part = (await parts.next()).value ?? undefined) {
      const chunks: Buffer[] = [];
      for await (const chunk of part.body) chunks.push(chunk);
      count++;
      yield chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
    }
    if (count !== expected) throw nonsense();
  } finally {
    await parts.return();
  }
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

/** `image/jpeg; transfer-syntax=1.2…` → the media type and the transfer syntax. */
export function mediaTypeOf(contentType: string | undefined): [mediaType: string, transferSyntax?: string] {
  const [media = '', ...parameters] = (contentType ?? '').split(';').map((part) => part.trim());
  const syntax = parameters.find((parameter) => /^transfer-syntax=/i.test(parameter));
  const value = syntax?.slice('transfer-syntax='.length).replace(/^"|"$/g, '');
  return value ? [media.toLowerCase(), value] : [media.toLowerCase()];
}
