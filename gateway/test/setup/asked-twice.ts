/** Answers of one request by two ways, in a form that can be compared. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { request } from 'undici';
import { boundaryOf, readMultipart } from '../../../subgraphs/imaging/multipart/multipart.ts';

/** Headers of one connection, of one server, or of one request. */
const OF_ONE = [
  'connection',
  'keep-alive',
  'transfer-encoding',
  'content-length',
  'date',
  'server',
  'x-request-id',
  'server-timing',
];

export interface Asked {
  status: number;
  /** Without those of one connection, server or request; `boundary` is removed from Content-Type. */
  headers: Record<string, unknown>;
  /** All of them. */
  raw: Record<string, unknown>;
  /** Media type, transfer syntax and digest of the bytes of each part; of a body without parts, its text. */
  parts: { media: string; syntax: string | undefined; digest: string }[] | string;
}

/** Sends a request and reads the answer. @param path with its query, which is sent unchanged */
export async function asked(
  origin: string,
  path: string,
  headers: Record<string, string>,
  method: 'GET' | 'HEAD' = 'GET',
): Promise<Asked> {
  const answer = await request(origin, { path, method, headers, reset: true } as never);
  const raw = answer.headers as Record<string, unknown>;
  const body = Buffer.from(await answer.body.arrayBuffer());
  const type = String(raw['content-type']);
  const boundary = boundaryOf(type);
  const kept = Object.entries({ ...raw, 'content-type': type.replace(/; *boundary=.*/, '') });
  return {
    status: answer.statusCode,
    headers: Object.fromEntries(kept.filter(([name]) => !OF_ONE.includes(name))),
    raw,
    parts: boundary && method === 'GET' ? await partsOf(body, boundary) : body.toString('latin1'),
  };
}

async function partsOf(body: Buffer, boundary: string): Promise<Exclude<Asked['parts'], string>> {
  const parts: Exclude<Asked['parts'], string> = [];
  for await (const part of readMultipart(Readable.from(body.length > 0 ? [body] : []), boundary)) {
    const hash = createHash('sha256');
    for await (const chunk of part.body) hash.update(chunk);
    const [media = '', syntax] = (part.headers['content-type'] ?? '').split(/; *transfer-syntax=/);
    parts.push({ media, syntax, digest: hash.digest('hex') });
  }
  return parts;
}
