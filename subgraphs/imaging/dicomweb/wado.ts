import { Readable } from 'node:stream';
import { DICOM, UID } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { chunksOf } from '../multipart/chunks.ts';
import { isTransferSyntax, negotiateBulkData, negotiateFrames, objectForms } from './accept.ts';
import type { MediaRange } from '../../../schema/http/media-ranges.ts';
import { piecesOf, type FrameBytes } from '../multipart/frame-bytes.ts';
import { enclosed } from '../multipart/buffer-pool.ts';
import {
  aroundOne,
  lengthOfOne,
  randomBoundary,
  writeMultipart,
  type OutgoingPart,
} from '../multipart/multipart.ts';
import { byteRange, rangeHeaders, wholeOrRange, withinRange } from '../study/byte-range.ts';
import { type Payload, warningsOf } from '../study/answer.ts';
import { noSuchObject } from '../../../schema/fault/refusals.ts';
import { objectType, typeWith } from '../sources/stored/file-meta.ts';
import type { Frames, InstanceTarget, StoredInstance, Target } from '../sources/source.ts';
import type { AuthorizedStudies } from '../study/authorized-studies.ts';
import type { Study } from '../study/study.ts';
import { WrittenBody } from '../multipart/written-body.ts';
import { closing, instancesFrom, opened } from './opened-instances.ts';
import { writeZip, type ZipEntry } from './zip-writer.ts';

/** WADO-RS (PS3.18 §10.4) over the core: makes answers, without HTTP. */

/**
 * Retrieves a study, series or instance (DW-5, IA-21).
 * @param asked `imaging` knows the sources that did not answer, which a zip names
 * @throws Fault `not_acceptable` if none of the forms can be given, `not_found`, and the faults of the core
 */
export async function retrieveObjects(
  study: Pick<Study, 'objects' | 'relay'>,
  target: Target,
  { accept, imaging }: { accept: readonly MediaRange[]; imaging: Pick<AuthorizedStudies, 'sourceFaults'> },
): Promise<Payload> {
  const forms = objectForms(accept, target.instanceUid !== undefined);
  let refused = notAcceptable(`Objects are given as multipart/related; type="${DICOM}".`);
  for (const { form, transferSyntax } of forms) {
    if (!isTransferSyntax(transferSyntax)) continue;
    try {
      if (form === 'single') return await singlePart(await study.objects(target, transferSyntax));
      if (form === 'zip') return await zip(await study.objects(target, transferSyntax), imaging);
      return await multipart(study, target, transferSyntax);
    } catch (error) {
      if (!(error instanceof Fault) || !['not_acceptable', 'too_large'].includes(error.code)) throw error;
      refused = error;
    }
  }
  throw refused;
}

async function singlePart(instances: AsyncIterable<StoredInstance>): Promise<Payload> {
  const { first, iterator } = await opened(instances);
  if (first.done) throw noSuchObject();
  const headers: Record<string, string> = { 'content-type': objectType(first.value) };
  if (first.value.size !== undefined) headers['content-length'] = String(first.value.size);
  const body = Readable.from(bytesOf(first.value, iterator), { objectMode: false });
  return { headers, body: closing(body, iterator, first.value.stream) };
}

/** Yields the bytes of one object; it ends well only if the source has ended well, too (DW-13). */
async function* bytesOf(
  instance: StoredInstance,
  iterator: AsyncIterator<StoredInstance>,
): AsyncGenerator<Uint8Array> {
  try {
    yield* chunksOf(instance.stream);
    await iterator.next();
  } finally {
    instance.stream.destroy();
    await iterator.return?.();
  }
}

async function multipart(
  study: Pick<Study, 'objects' | 'relay'>,
  target: Target,
  transferSyntax: string,
): Promise<Payload> {
  const headers = (boundary: string) => ({
    'content-type': `multipart/related; type="${DICOM}"; boundary=${boundary}`,
  });
  const relayed = await study.relay(target, transferSyntax);
  if (relayed) return { headers: headers(relayed.boundary), body: relayed.body };
  const boundary = randomBoundary();
  const { first, iterator } = await opened(await study.objects(target, transferSyntax));
  const body = writeMultipart(partsOf(first, iterator), boundary);
  return { headers: headers(boundary), body: closing(body, iterator, first.value?.stream) };
}

async function* partsOf(
  first: IteratorResult<StoredInstance>,
  iterator: AsyncIterator<StoredInstance>,
): AsyncGenerator<OutgoingPart> {
  for await (const instance of instancesFrom(first, iterator)) {
    const { size, stream } = instance;
    const headers = { 'Content-Type': objectType(instance) };
    yield { headers, size, body: stream };
  }
}

const MAX_FRAMES = 10_000;
/** Maximum repeated frames of a list: a short URL must not ask for any number of frames (DW-24). */
const MAX_REPEATED = 4;

/**
 * Parses the frame list of a path, PS3.18 §10.4.1.1.6: `1,3,5`, from 1.
 * @throws Fault `invalid_request` for a list that is not valid
 */
export function frameList(text: string): number[] {
  const numbers = text.split(',').map((item) => (/^\d{1,9}$/.test(item) ? Number(item) : 0));
  if (numbers.some((number) => number < 1) || numbers.length > MAX_FRAMES) {
    throw new Fault('invalid_request', 'A frame list is numbers from 1, separated by commas.');
  }
  if (numbers.length - new Set(numbers).size > MAX_REPEATED) {
    const message = `A frame list names each frame once: at most ${MAX_REPEATED} are repeated. Ask for each once.`;
    throw new Fault('invalid_request', message);
  }
  return numbers;
}

/**
 * Gives the frames of one instance in an accepted form (DW-7).
 * @param asked `range` is the header, for one frame without multipart
 */
export async function givenFrames(
  stored: Frames,
  numbers: readonly number[],
  { accept, range }: { accept: readonly MediaRange[]; range?: string | undefined },
): Promise<Payload> {
  const form = negotiateFrames(accept, stored.mediaType, stored.transferSyntax, numbers.length === 1);
  const given = form?.transcodeTo ? await transcoded(stored, form.transcodeTo) : stored;
  if (!form || !given) {
    // Opened objects end with the request: a generator that has not begun has nothing to close.
    const several = numbers.length > 1 ? ', several of them in multipart/related' : '';
    throw notAcceptable(`These frames are given as ${stored.mediaType}${several}.`);
  }
  const { mediaType } = form;
  const type = typeWith(mediaType, given.transferSyntax);
  const boundary = randomBoundary();
  const headersOf = (size: number | undefined) => {
    const one = numbers.length === 1 && size !== undefined && { headers: { 'Content-Type': type }, size };
    return {
      'content-type': `multipart/related; type="${mediaType}"; boundary=${boundary}`,
      ...(one && { 'content-length': String(lengthOfOne(one, boundary)) }),
    };
  };
  if (form.multipart && given.relay) {
    const { size, open } = given.relay;
    return { headers: headersOf(size), body: await open(boundary, type) };
  }
  const iterator = given.frames[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (first.done) throw noSuchObject();
  if (!form.multipart) {
    try {
      const { body, ...answer } = onePart(first.value, mediaType, range);
      if (!(body instanceof Uint8Array)) return { ...answer, body: closing(body, iterator) };
      await iterator.return?.();
      return { ...answer, body };
    } catch (error) {
      await iterator.return?.();
      throw error;
    }
  }
  const { length } = first.value;
  const whole =
    numbers.length === 1 && first.value instanceof Uint8Array && wholeBody(first.value, type, boundary);
  if (whole) await iterator.return?.();
  const body = whole || closing(writeMultipart(frameParts(first, iterator, type), boundary), iterator);
  return { headers: headersOf(length), body };
}

/** Gives a frame without multipart, or a range of it (RFC 9110 §14): the first bytes of RPCL are a smaller picture. */
function onePart(frame: FrameBytes, mediaType: string, rangeHeader: string | undefined): Payload {
  const range = byteRange(rangeHeader, frame.length);
  const { headers, ...status } = rangeHeaders(range, frame.length);
  const answer = { ...status, headers: { 'content-type': mediaType, ...headers } };
  if (frame instanceof Uint8Array)
    return { ...answer, body: range ? frame.subarray(range.start, range.end + 1) : frame };
  const pieces = piecesOf(frame);
  return { ...answer, body: new WrittenBody(range ? withinRange(pieces, range) : pieces) };
}

/** Makes the multipart body of one frame where it is, which takes much less time than a stream; undefined if it cannot. */
function wholeBody(frame: Uint8Array, type: string, boundary: string): Buffer | undefined {
  const part = { headers: { 'Content-Type': type }, size: frame.length };
  return enclosed(frame, ...aroundOne(part, boundary));
}

/** Transcodes frames; undefined if they cannot be transcoded. */
async function transcoded(frames: Frames, transferSyntax: string): Promise<Frames | undefined> {
  try {
    return await frames.transcoded?.(transferSyntax);
  } catch (error) {
    if (error instanceof Fault && error.code === 'not_acceptable') return undefined;
    throw error;
  }
}

async function* frameParts(
  first: IteratorResult<FrameBytes>,
  iterator: AsyncIterator<FrameBytes>,
  type: string,
): AsyncGenerator<OutgoingPart> {
  try {
    for (let item = first; !item.done; item = await iterator.next()) {
      yield { headers: { 'Content-Type': type }, size: item.value.length, body: item.value };
    }
  } finally {
    await iterator.return?.();
  }
}

/**
 * Retrieves bulk data by the URL of the metadata, or a range of them (DW-10, RFC 9110 §14). With multipart the range is
 * ignored, as RFC 9110 §14.2 allows: it would cover headers and boundaries, which change each time.
 */
export async function retrieveBulkData(
  study: Pick<Study, 'bulkdata' | 'usedCopy'>,
  target: InstanceTarget,
  path: string,
  { accept, range }: { accept: readonly MediaRange[]; range: string | undefined },
): Promise<Payload> {
  const bulk = await study.bulkdata(target, path);
  const form = negotiateBulkData(accept, bulk.mediaType);
  if (!form) throw notAcceptable(`These data are given as ${bulk.mediaType}.`);
  if (form === 'multipart') {
    const boundary = randomBoundary();
    const size = bulk.size === undefined ? {} : { size: bulk.size };
    const part = { headers: { 'Content-Type': bulk.mediaType }, ...size };
    const one = (async function* () {
      yield { ...part, body: bulk.open() };
    })();
    return {
      headers: { 'content-type': `multipart/related; type="${bulk.mediaType}"; boundary=${boundary}` },
      body: writeMultipart(one, boundary),
    };
  }
  // A range of one copy does not fit another, which may be encoded differently.
  return wholeOrRange(bulk, study.usedCopy ? undefined : range);
}

function notAcceptable(message: string): Fault {
  return new Fault('not_acceptable', message);
}

/** Returns the objects of a study, series or instance as a zip; each file is named by its UID (DW-5). */
async function zip(
  instances: AsyncIterable<StoredInstance>,
  { sourceFaults }: Pick<AuthorizedStudies, 'sourceFaults'>,
): Promise<Payload> {
  const { first, iterator } = await opened(instances);
  const body = writeZip(entriesOf(first, iterator, sourceFaults));
  return {
    headers: { 'content-type': 'application/zip' },
    body: closing(body, iterator, first.value?.stream),
  };
}

async function* entriesOf(
  first: IteratorResult<StoredInstance>,
  iterator: AsyncIterator<StoredInstance>,
  sourceFaults: readonly Fault[],
): AsyncGenerator<ZipEntry> {
  // An unpacked zip has no headers, so it contains the warnings of the answer.
  if (sourceFaults.length > 0)
    yield { name: 'WARNING.txt', body: Readable.from([Buffer.from(note(sourceFaults))]) };
  const names = new Set<string>();
  for await (const { sopInstanceUid = '', stream } of instancesFrom(first, iterator)) {
    // Only a UID becomes a name, and no object replaces another when the zip is unpacked.
    const named = UID.test(sopInstanceUid) && !names.has(sopInstanceUid);
    const name = named ? sopInstanceUid : `object-${names.size + 1}`;
    names.add(name);
    yield { name: `${name}.dcm`, body: stream };
  }
}

function note(sourceFaults: readonly Fault[]): string {
  return ['This may not be all of the study.', ...warningsOf(sourceFaults), ''].join('\r\n');
}
