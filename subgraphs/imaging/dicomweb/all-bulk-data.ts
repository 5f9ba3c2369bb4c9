import type { Readable } from 'node:stream';
import { Fault } from '../../../schema/fault/fault.ts';
import { noPixelData } from '../../../schema/fault/refusals.ts';
import type { MediaRange } from '../../../schema/http/media-ranges.ts';
import { randomBoundary, writeMultipart, type OutgoingPart } from '../multipart/multipart.ts';
import { invalidAnswer } from '../parsing/archive/archive-faults.ts';
import type { BulkDataUrisTask } from '../parsing/bulk-data-uris.ts';
import type { Target } from '../sources/source.ts';
import { firstBytes } from '../sources/timeout.ts';
import type { Payload } from '../study/answer.ts';
import type { Study } from '../study/study.ts';
import type { ParsingThreads } from '../threads/parsing-threads.ts';
import { takesOctetParts } from './accept.ts';
import { closing } from './opened-instances.ts';

/** Bulk data and pixel data of a study, series or instance (DW-29, PS3.18 §10.4.1.1.5 and §10.4.1.1.6). */

export type Values = BulkDataUrisTask['values'];

/** The address of a value, from the base of the service. */
const ADDRESS = /^\/studies\/[^/]+\/series\/([^/]+)\/instances\/([^/]+)\/(bulkdata\/.+)$/;

export interface AllBulkDataRequest {
  target: Target;
  values: Values;
  accept: readonly MediaRange[];
  /** Of the addresses of the values. */
  base: string;
  /** Read the metadata, off the event loop. */
  threads: Pick<ParsingThreads, 'run'>;
}

/**
 * Gives every value that the metadata of a target give by reference: one part each, with its address as Content-Location. Its
 * bytes are those at the address. All are given, or the body is cut off (IA-24).
 * @throws Fault `not_acceptable`; `not_found` if there is no such value; the faults of the core
 */
export async function retrieveAllBulkData(
  study: Pick<Study, 'encodedMetadata' | 'bulkdata'>,
  { target, values, accept, base, threads }: AllBulkDataRequest,
): Promise<Payload> {
  if (!takesOctetParts(accept)) {
    const message = 'These values are given as multipart/related; type="application/octet-stream".';
    throw new Fault('not_acceptable', message);
  }
  const metadata = await study.encodedMetadata(target);
  const json = await metadata.encoded('', 'identity');
  // A copy, because its buffer is transferred to the thread.
  const uris = await threads.run('bulkDataUris', () => ({ json: new Uint8Array(json), values }));
  const [first, ...others] = uris;
  if (first === undefined)
    throw values === 'pixeldata' ? noPixelData() : new Fault('not_found', 'The object has no bulk data.');
  const opened = await openedValue(study, first);
  const parts = (async function* (): AsyncGenerator<OutgoingPart> {
    yield partOf(opened, base + first);
    for (const uri of others) yield partOf(await openedValue(study, uri), base + uri);
  })();
  const boundary = randomBoundary();
  return {
    headers: { 'content-type': `multipart/related; type="${opened.mediaType}"; boundary=${boundary}` },
    body: closing(writeMultipart(parts, boundary), parts, opened.stream),
  };
}

interface OpenedValue {
  mediaType: string;
  size: number | undefined;
  stream: Readable;
}

/** Opens a value, and waits for its first bytes. @throws Fault `bad_gateway` also for a value that is not there */
async function openedValue(study: Pick<Study, 'bulkdata'>, uri: string): Promise<OpenedValue> {
  const [, seriesUid, instanceUid, path] = ADDRESS.exec(uri) ?? [];
  if (path === undefined) throw invalidAnswer();
  const instance = { seriesUid: seriesUid!, instanceUid: instanceUid! };
  const { mediaType, size, open } = await study.bulkdata(instance, path).catch((error: unknown) => {
    // The metadata name it.
    throw error instanceof Fault && error.code === 'not_found' ? invalidAnswer(error) : error;
  });
  const stream = open();
  await firstBytes(stream);
  return { mediaType, size, stream };
}

function partOf({ mediaType, size, stream }: OpenedValue, address: string): OutgoingPart {
  const headers = { 'Content-Type': mediaType, 'Content-Location': address };
  return { headers, size, body: stream };
}
