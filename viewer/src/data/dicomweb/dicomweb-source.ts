import type { Attribute, Instance } from '../../domain/instance.ts';
import type { FrameName, ImageLocation } from '../../domain/study.ts';
import type { BulkOptions, FrameBytes, ImageSource } from '../source.ts';
import { damaged, type Answer, type Transport } from '../transport.ts';
import { mediaTypeOf, onlyPart, partsOf } from './multipart.ts';
import { acceptFrames, transferSyntaxOf } from './transfer-syntaxes.ts';

const MB = 1024 * 1024;
const MOST_METADATA = 128 * MB;
const MOST_PICTURE = 32 * MB;
const MOST_FRAME = 512 * MB;
const PICTURES = 'image/jpeg, image/png;q=0.9, image/webp;q=0.8, image/gif;q=0.7';
const VALUES =
  'multipart/related; type="application/octet-stream", application/octet-stream;q=0.9, */*;q=0.5';
/** Files as they are stored; servers that do not know `*` choose a transfer syntax themselves (PS3.18 §8.7.3.5). */
const FILES =
  'multipart/related; type="application/dicom"; transfer-syntax=*, multipart/related; type="application/dicom";q=0.9';

/** Any DICOMweb server (PS3.18 §10.4). */
export class DicomwebSource implements ImageSource {
  readonly #transport: Transport;
  /** True after a picture that came slowly; undefined before the first. */
  #isSlow: boolean | undefined;
  /** UIDs of series that are stored without compression. */
  readonly #plain = new Set<string>();

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  async series(
    at: ImageLocation,
    name: { study: string; series: string },
    signal: AbortSignal,
  ): Promise<Instance[]> {
    const url = `${addressOf(at, name)}/metadata`;
    const accept = 'application/dicom+json, application/json;q=0.9';
    const answer = await this.#transport.json(url, { accept, signal, most: MOST_METADATA });
    if (!Array.isArray(answer) || !answer.every(isObject)) throw damaged(url, 'is no list of instances');
    if (answer.every(isPlain)) this.#plain.add(name.series);
    return answer.map((one) => withAbsoluteUris(one as Instance, url));
  }

  async frame(
    at: ImageLocation,
    name: FrameName,
    signal: AbortSignal,
    wished: string | undefined = this.preferred(name.series),
  ): Promise<FrameBytes> {
    const url = `${addressOf(at, name)}/frames/${name.frame}`;
    const accept = acceptFrames(wished);
    const answer = await this.#transport.send(url, { accept, signal, most: MOST_FRAME });
    const { bytes, mediaType, transferSyntax } = partOf(url, answer);
    const syntax = transferSyntax ?? transferSyntaxOf(mediaType, bytes);
    if (syntax === undefined) throw damaged(url, 'is no frame');
    if (bytes.length === 0) throw damaged(url, 'is empty');
    return { bytes: atBeginning(bytes), transferSyntax: syntax };
  }

  /** Frames that are stored without compression are compressed for a slow line. */
  preferred(series: string): string | undefined {
    return this.#onSlowLine && this.#plain.has(series) ? COMPRESSED : undefined;
  }

  get #onSlowLine(): boolean {
    return this.#isSlow ?? cameSlowly(import.meta.url, VERY_SLOW);
  }

  rendered(
    at: ImageLocation,
    name: { study: string; series?: string; instance?: string; frame?: number },
    size: { width: number; height: number },
    signal: AbortSignal,
  ): Promise<Blob> {
    const frame = name.instance !== undefined && name.frame !== undefined ? `/frames/${name.frame}` : '';
    const viewport = `${Math.ceil(size.width)},${Math.ceil(size.height)}`;
    const quality = this.#onSlowLine ? `&quality=${SLOW_QUALITY}` : '';
    return this.#picture(`${addressOf(at, name)}${frame}/rendered?viewport=${viewport}${quality}`, signal);
  }

  thumbnail(at: ImageLocation, name: { study: string; series: string }, signal: AbortSignal): Promise<Blob> {
    return this.#picture(`${addressOf(at, name)}/thumbnail`, signal);
  }

  async *instances(
    at: ImageLocation,
    name: { study: string; series: string },
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    const url = addressOf(at, name);
    const { headers, chunks } = await this.#transport.stream(url, { accept: FILES, signal });
    if (!(yield* partsOf(headers.get('content-type') ?? '', chunks))) throw damaged(url, 'is cut');
  }

  async bulk(url: string, signal: AbortSignal, options?: BulkOptions): Promise<Uint8Array> {
    const answer = await this.#transport.send(url, { accept: VALUES, signal, most: MOST_FRAME, ...options });
    options?.heard(answer.headers);
    return partOf(url, answer).bytes;
  }

  async #picture(url: string, signal: AbortSignal): Promise<Blob> {
    const { bytes, mediaType } = await this.#transport.send(url, {
      accept: PICTURES,
      signal,
      most: MOST_PICTURE,
    });
    if (!mediaType.startsWith('image/') || bytes.length === 0) throw damaged(url, 'is no picture');
    this.#isSlow ||= cameSlowly(url, SLOW);
    return new Blob([bytes], { type: mediaType });
  }
}

/** HTJ2K, without loss: a server that can do it sends less than half of the bytes. */
const COMPRESSED = '1.2.840.10008.1.2.4.201';
/** Bytes in a second. On a faster line a frame as it is stored comes sooner than one that is compressed for the line first. */
const SLOW = 1_000_000;
/** Of the page's own script, before the first picture: it also came slowly where the machine was busy. */
const VERY_SLOW = 400_000;

/**
 * Returns true if the body of an answer has come slowly. The browser has measured it, apart from what the page did meanwhile;
 * of another server only if that allows it (Timing-Allow-Origin).
 */
function cameSlowly(url: string, limit: number): boolean {
  const [entry] = performance.getEntriesByName(url, 'resource').slice(-1) as PerformanceResourceTiming[];
  if (!entry?.encodedBodySize) return false;
  const seconds = (entry.responseEnd - entry.responseStart) / 1000;
  return entry.encodedBodySize < limit * seconds;
}

/** Of a picture on a slow line, 1 to 100 (PS3.18 §8.3.5.1.2): half of the bytes, and the image follows. */
const SLOW_QUALITY = 70;

/** Implicit and explicit little endian, deflated, and big endian. */
const PLAIN = /^1\.2\.840\.10008\.1\.2(\.1(\.99)?|\.2)?$/;

/** Returns true if the metadata say that an instance is stored without compression (Available Transfer Syntax UID). */
function isPlain(instance: unknown): boolean {
  const available = (instance as Instance)['00083002']?.Value ?? [];
  return available.length > 0 && available.every((uid) => PLAIN.test(String(uid)));
}

/** Returns the address of a study, series or instance (PS3.18 §10.1.2). */
function addressOf(
  { dicomweb }: ImageLocation,
  { study, series, instance }: { study: string; series?: string; instance?: string },
): string {
  const base = `${dicomweb}/studies/${encodeURIComponent(study)}`;
  if (series === undefined) return base;
  const ofSeries = `${base}/series/${encodeURIComponent(series)}`;
  return instance === undefined ? ofSeries : `${ofSeries}/instances/${encodeURIComponent(instance)}`;
}

/** Returns the bytes of an answer of one part, or without parts. @throws Trouble `damaged` */
function partOf(url: string, { bytes, mediaType, headers }: Answer) {
  if (!mediaType.startsWith('multipart/')) {
    if (/^text\/|json$|xml$/.test(mediaType)) throw damaged(url, 'has another media type');
    return { bytes, mediaType: mediaTypeOf(mediaType), transferSyntax: undefined };
  }
  const part = onlyPart(headers.get('content-type') ?? '', bytes);
  if (!part) throw damaged(url, 'is cut, or has not one part');
  return part;
}

/**
 * Moves bytes to the beginning of their buffer, which has nothing else that is needed: decoders view them as 16-bit numbers,
 * which have to begin at an even place.
 */
function atBeginning({ buffer, byteOffset, byteLength }: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return new Uint8Array(buffer).copyWithin(0, byteOffset, byteOffset + byteLength).subarray(0, byteLength);
}

const isObject = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Makes the addresses of bulk data absolute: servers may give them relative to the metadata (PS3.18 §F.2.2). */
function withAbsoluteUris(instance: Instance, base: string): Instance {
  const attributes = Object.entries(instance).map(([tag, attribute]): [string, Attribute] => {
    const { BulkDataURI: uri, vr, Value: values } = attribute;
    if (uri !== undefined && URL.canParse(uri, base))
      return [tag, { ...attribute, BulkDataURI: new URL(uri, base).href }];
    if (vr !== 'SQ' || !values) return [tag, attribute];
    const items = values.map((item) => (isObject(item) ? withAbsoluteUris(item as Instance, base) : item));
    return [tag, { ...attribute, Value: items }];
  });
  return Object.fromEntries(attributes);
}
