import { once } from 'node:events';
import { Readable } from 'node:stream';
import { DICOM_JSON, frameMediaType, isVideo, Tag, TransferSyntax } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import type { ImagesConfig } from '../../../schema/tenant/tenant.ts';
import { BufferPool } from '../multipart/buffer-pool.ts';
import { boundaryOf, TruncatedMultipart } from '../multipart/multipart.ts';
import { MultipartRelay, type RelayOptions } from '../multipart/multipart-relay.ts';
import { noSuchObject } from '../../../schema/fault/refusals.ts';
import { CircuitBreaker } from '../../../schema/outbound/circuit-breaker.ts';
import { readPalettes } from './dicom-web/palettes.ts';
import type { ObjectMetadata } from '../parsing/object-metadata.ts';
import type { Parsing } from '../threads/parsing-threads.ts';
import { bulkDataCandidates } from '../parsing/archive/bulk-data-uri.ts';
import { readArchiveMetadata } from './dicom-web/archive-metadata.ts';
import { checkedObject } from './dicom-web/checked-object.ts';
import {
  ACCEPT_FRAMES,
  acceptObjects,
  asFault,
  DicomWebClient,
  pathOf,
  type Answer,
  type ClientOptions,
  type GetOptions,
  type Purpose,
} from './dicom-web/client.ts';
import { invalidAnswer } from '../parsing/archive/archive-faults.ts';
import { faultOf, firstHeader, gathered, mediaTypeOf, partsOf, within } from './dicom-web/parts.ts';
import { PatientLists } from './dicom-web/patient-lists.ts';
import { readRows } from './dicom-web/rows.ts';
import { searchServer, type AnsweredRows } from './dicom-web/search.ts';
import { objectTypeOf, peekFileMeta } from './stored/file-meta.ts';
import { InstanceReader } from './stored/instance-reader.ts';
import { bulkDataOfInstance, framesOfInstance } from './stored/spooled-instance.ts';
import type { BulkData, Frames, ImagingSource, InstanceTarget, StoredInstance, Target } from './source.ts';
import { framesOfVideo } from './video.ts';

/** Faults of servers that cannot give frames of an object (Orthanc: HTJ2K, RLE, waveforms). */
const CANNOT = new Set(['not_acceptable', 'bad_gateway']);

const isMissing = (error: unknown) => error instanceof Fault && error.code === 'not_found';

/** A search that finds nothing, by the key that every server takes. */
const SMALLEST = `/studies?${Tag.StudyInstanceUID}=2.25.0`;

const OCTETS = 'application/octet-stream';
/** Path of Pixel Data in Orthanc, and in other servers. */
const PIXEL_DATA = /^bulkdata\/(bulk\/)?7FE00010$/i;

export interface DicomWebOptions extends ClientOptions {
  /** Called for each object that is refused because another was requested (DW-26). */
  onOtherObject?: () => void;
}

/** A QIDO-RS and WADO-RS server (DW-15). */
export function dicomWebSource(
  config: Extract<ImagesConfig, { type: 'dicom-web' }>,
  now: () => number,
  parsing: Parsing,
  { dispatcher, breaker = new CircuitBreaker(), onOtherObject }: DicomWebOptions = {},
): ImagingSource {
  const { threads, objectElements } = parsing;
  const client = new DicomWebClient(config, now, { dispatcher, breaker });
  const reader = new InstanceReader(parsing);
  const buffers = new BufferPool();
  const lists = new PatientLists();

  /** Time of the last answer to a search. */
  let searchedAt = -Infinity;

  async function read<T>(answer: Answer, parse: (body: Answer['body']) => Promise<T[]>): Promise<T[]> {
    const { status, body } = answer;
    try {
      const found = status === 204 ? [] : await parse(body);
      breaker.answered();
      return found;
    } catch (error) {
      throw asFault(error);
    } finally {
      body.destroy();
    }
  }

  async function rows(path: string, options: Pick<GetOptions, 'signal' | 'purpose'>): Promise<AnsweredRows> {
    const asked = { accept: DICOM_JSON, purpose: 'searches', ...options } as const;
    const answer = path.startsWith('/studies/')
      ? await object(path, asked)
      : // A server answers 200 or 204 to a search that finds nothing (PS3.18 §10.6.3.1).
        await client.get(path, { ...asked, statuses: { 404: 'no_server', 410: 'no_server' } });
    const found = await read(answer, readRows);
    searchedAt = performance.now();
    return { rows: found, cut: answer.cut ?? false };
  }

  /** Asks for something of a study. */
  async function object(path: string, options: GetOptions): Promise<Answer> {
    const begun = performance.now();
    try {
      return await client.get(path, options);
    } catch (error) {
      if (isMissing(error)) await confirmSearches(begun, options.signal);
      throw error;
    }
  }

  /** Makes sure that the server answers searches: that an object is not there is believed only then. */
  async function confirmSearches(since: number, signal: AbortSignal | undefined): Promise<void> {
    if (searchedAt < since) await rows(SMALLEST, { signal });
  }

  async function metadata(target: Target, signal?: AbortSignal): Promise<ObjectMetadata[]> {
    const answer = await object(`${pathOf(target)}/metadata`, {
      accept: DICOM_JSON,
      purpose: 'searches',
      signal,
    });
    const found = await read(answer, (body) =>
      readArchiveMetadata(body, { target, objectElements }, threads),
    );
    const whole: ObjectMetadata[] = [];
    for (const one of found) {
      if ('metadata' in one) whole.push(one.metadata);
      else {
        // Not limited as retrievals: transcoding frames is a retrieval, and waits for this.
        const read = (target: InstanceTarget, path: string) => bulkdata(target, path, signal, 'searches');
        const palettes = await readPalettes(one.palettes, { bulkdata: read }, signal);
        whole.push(await threads.run('withPalettes', { row: one.row, palettes, target, objectElements }));
      }
    }
    return whole;
  }

  const stored = (target: Target, transferSyntax: string, signal: AbortSignal | undefined) =>
    object(pathOf(target), {
      accept: acceptObjects(transferSyntax),
      signal,
      // Orthanc answers 400 or 500 for a transfer syntax that it cannot produce.
      ...(transferSyntax !== '*' && { statuses: { 400: 'not_acceptable', 500: 'not_acceptable' } as const }),
    });

  async function relay(
    target: Target,
    transferSyntax: string,
    boundary: string,
    signal?: AbortSignal,
  ): Promise<Readable> {
    const answer = await stored(target, transferSyntax, signal);
    return passedOn(answer, { own: boundary, partType: objectTypeOf });
  }

  async function* retrieve(
    target: Target,
    transferSyntax: string,
    signal?: AbortSignal,
  ): AsyncGenerator<StoredInstance> {
    const answer = await stored(target, transferSyntax, signal);
    for await (const { body, size } of partsOf(answer)) {
      const { meta, bytes } = await peekFileMeta(body);
      const sopInstanceUid = meta.sopInstanceUid ?? target.instanceUid;
      yield {
        transferSyntax: meta.transferSyntax ?? (transferSyntax === '*' ? '' : transferSyntax),
        sopInstanceUid,
        size,
        stream: Readable.from(await checkedObject(bytes, target, onOtherObject), {
          objectMode: false,
          highWaterMark: 128 * 1024,
        }),
      };
    }
  }

  async function frames(
    target: InstanceTarget,
    numbers: readonly number[],
    signal?: AbortSignal,
  ): Promise<Frames> {
    const answer = await object(`${pathOf(target)}/frames/${numbers.join(',')}`, {
      accept: ACCEPT_FRAMES,
      signal,
      statuses: { 400: 'not_acceptable' },
    }).catch((error: unknown) => {
      if (error instanceof Fault && CANNOT.has(error.code)) return undefined;
      throw error;
    });
    if (!answer) {
      for await (const instance of retrieve(target, '*', signal)) {
        // Its many bytes are left where they are.
        if (isVideo(instance.transferSyntax)) throw framesOfVideo();
        // Awaited here, because leaving the loop ends the retrieval.
        return await framesOfInstance(instance, numbers, reader, signal);
      }
      throw noSuchObject();
    }
    const { headers, size } = await firstHeader(answer);
    const [media = '', stated = ''] = mediaTypeOf(headers['content-type']);
    if (isVideo(stated) || media.startsWith('video/')) {
      answer.body.destroy();
      throw framesOfVideo();
    }
    // Servers also use octets for frames whose media type they do not know.
    const octets = media === OCTETS || media === '';
    const inflated = !stated || stated === TransferSyntax.DeflatedExplicitVRLittleEndian;
    const transferSyntax = octets && inflated ? TransferSyntax.ExplicitVRLittleEndian : stated;
    return {
      mediaType: octets ? frameMediaType(transferSyntax) : media,
      transferSyntax,
      frames: gathered(partsOf(answer), numbers.length, buffers),
      ...(boundaryOf(answer.contentType) && {
        relay: {
          size,
          open: (own: string, type: string) =>
            passedOn(answer, { own, partType: () => type, parts: numbers.length }),
        },
      }),
    };
  }

  /**
   * Reads encapsulated pixels from the stored object; undefined when they are not encapsulated. Orthanc gives only
   * their first item, the offset table, as bulk data.
   */
  async function encapsulatedPixels(target: InstanceTarget, signal?: AbortSignal) {
    for await (const instance of retrieve(target, '*', signal)) {
      const { transferSyntax } = instance;
      if (frameMediaType(transferSyntax) === OCTETS && !isVideo(transferSyntax)) return undefined;
      return await bulkDataOfInstance(instance, 'bulkdata/7FE00010', reader, signal);
    }
    return undefined;
  }

  async function bulkdata(
    target: InstanceTarget,
    path: string,
    signal?: AbortSignal,
    purpose: Purpose = 'retrievals',
  ): Promise<BulkData> {
    const pixels = PIXEL_DATA.test(path) && (await encapsulatedPixels(target, signal));
    if (pixels) return pixels;
    let answer: Answer | undefined;
    const begun = performance.now();
    for (const candidate of bulkDataCandidates(path)) {
      answer = await client
        .get(`${pathOf(target)}/${candidate}`, {
          accept: 'multipart/related; type="application/octet-stream"',
          purpose,
          signal,
          statuses: { 400: 'not_found' },
        })
        .catch((error: unknown) => {
          if (isMissing(error)) return undefined;
          throw error;
        });
      if (answer) break;
    }
    if (!answer) {
      await confirmSearches(begun, signal);
      throw noSuchObject();
    }
    const parts = partsOf(answer);
    const first = await parts.next();
    if (first.done) throw invalidAnswer();
    const { headers, size, body } = first.value;
    return {
      mediaType: mediaTypeOf(headers['content-type'])[0] || OCTETS,
      size,
      open: (range) => Readable.from(within(body, parts, range), { objectMode: false }),
    };
  }

  breaker.probeBy((signal) => rows(SMALLEST, { signal, purpose: 'probe' }));

  return {
    search: (query, signal) => searchServer(query, (path) => rows(path, { signal }), lists),
    metadata,
    retrieve,
    relay,
    frames,
    bulkdata: (target, path, signal) => bulkdata(target, path, signal),
    async check(signal) {
      await rows('/studies?limit=1', { signal, purpose: 'probe' });
    },
    close: () => client.close(),
  };
}

/**
 * Relays the answer as a multipart body with a new boundary. Resolves when there are bytes.
 * @throws Fault `bad_gateway` for an answer that is not multipart
 */
async function passedOn(answer: Answer, options: Omit<RelayOptions, 'boundary'>): Promise<Readable> {
  const { contentType, body } = answer;
  const boundary = boundaryOf(contentType);
  if (!boundary) {
    body.destroy();
    throw invalidAnswer();
  }
  const relayed = new MultipartRelay({ boundary, ...options });
  // Does the same as `pipeline`, at a lower cost for each frame: the reader gets an error of the archive, also an
  // earlier one, and the archive's body is closed when the reader leaves.
  const cut = () => {
    if (!body.readableEnded) relayed.destroy(body.errored ?? new TruncatedMultipart('The body was cut off.'));
  };
  if (body.closed) cut();
  else body.once('close', cut);
  // An error before anything reads must not end the process.
  relayed.on('error', () => undefined).once('close', () => body.destroy());
  body.pipe(relayed);
  try {
    if (relayed.readableLength === 0) await once(relayed, 'readable');
  } catch (error) {
    throw faultOf(error, answer);
  }
  return relayed;
}
