import type { Attribute, Instance } from '../../domain/instance.ts';
import { loadedOnce } from '../../domain/loaded-once.ts';
import type { FrameName, ImageLocation } from '../../domain/study.ts';
import type { FrameBytes, ImageSource } from '../source.ts';
import { damaged, type Answer, type Transport } from '../transport.ts';

const MB = 1024 * 1024;
const MOST_METADATA = 128 * MB;
const MOST_PICTURE = 32 * MB;
const MOST_FRAME = 512 * MB;
const PICTURES = 'image/jpeg, image/png;q=0.9, image/webp;q=0.8, image/gif;q=0.7';
/** Files as they are stored; servers that do not know `*` choose a transfer syntax themselves (PS3.18 §8.7.3.5). */
const FILES =
  'multipart/related; type="application/dicom"; transfer-syntax=*, multipart/related; type="application/dicom";q=0.9';

/** Loads the modules that frames need and pictures do not: the first page is smaller without them. */
const forFrames = loadedOnce(() => Promise.all([import('./multipart.ts'), import('./transfer-syntaxes.ts')]));

/** Any DICOMweb server (PS3.18 §10.4). */
export class DicomwebSource implements ImageSource {
  readonly #transport: Transport;
  /** True after a picture that came slowly. */
  #isSlow = false;
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
    // Frames are asked for after the metadata.
    void forFrames().catch(() => undefined);
    const url = `${addressOf(at, name)}/metadata`;
    const accept = 'application/dicom+json, application/json;q=0.9';
    const answer = await this.#transport.json(url, { accept, signal, most: MOST_METADATA });
    if (!Array.isArray(answer) || !answer.every(isObject)) throw damaged(url, 'is no list of instances');
    if (answer.every(isPlain)) this.#plain.add(name.series);
    return answer.map((one) => withAbsoluteUris(one as Instance, url));
  }

  async frame(at: ImageLocation, name: FrameName, signal: AbortSignal): Promise<FrameBytes> {
    const url = `${addressOf(at, name)}/frames/${name.frame}`;
    const { acceptFrames, transferSyntaxOf } = (await forFrames())[1];
    // Frames come as stored, or compressed for a slow line.
    const accept = acceptFrames(this.#isSlow && this.#plain.has(name.series) ? COMPRESSED : []);
    const answer = await this.#transport.send(url, { accept, signal, most: MOST_FRAME });
    const { bytes, mediaType, transferSyntax } = await partOf(url, answer);
    const syntax = transferSyntax ?? transferSyntaxOf(mediaType, bytes);
    if (syntax === undefined) throw damaged(url, 'is no frame');
    if (bytes.length === 0) throw damaged(url, 'is empty');
    // A copy: decoders view it as 16-bit numbers, which have to begin at an even place.
    return { bytes: bytes.slice(), transferSyntax: syntax };
  }

  // eslint-disable-next-line @typescript-eslint/max-params -- as the interface has it
  rendered(
    at: ImageLocation,
    name: { study: string; series?: string; instance?: string; frame?: number },
    size: { width: number; height: number },
    signal: AbortSignal,
  ): Promise<Blob> {
    const frame = name.instance !== undefined && name.frame !== undefined ? `/frames/${name.frame}` : '';
    const viewport = `${Math.ceil(size.width)},${Math.ceil(size.height)}`;
    return this.#picture(`${addressOf(at, name)}${frame}/rendered?viewport=${viewport}`, signal);
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
    const [{ partsOf }] = await forFrames();
    const { headers, chunks } = await this.#transport.stream(url, { accept: FILES, signal });
    if (!(yield* partsOf(headers.get('content-type') ?? '', chunks))) throw damaged(url, 'is cut');
  }

  async bulk(url: string, signal: AbortSignal): Promise<Uint8Array> {
    const accept =
      'multipart/related; type="application/octet-stream", application/octet-stream;q=0.9, */*;q=0.5';
    const answer = await this.#transport.send(url, { accept, signal, most: MOST_FRAME });
    return (await partOf(url, answer)).bytes;
  }

  async #picture(url: string, signal: AbortSignal): Promise<Blob> {
    const { bytes, mediaType } = await this.#transport.send(url, {
      accept: PICTURES,
      signal,
      most: MOST_PICTURE,
    });
    if (!mediaType.startsWith('image/') || bytes.length === 0) throw damaged(url, 'is no picture');
    this.#isSlow ||= cameSlowly(url);
    return new Blob([bytes], { type: mediaType });
  }
}

/** HTJ2K, without loss: a server that can do it sends less than half of the bytes. */
const COMPRESSED = ['1.2.840.10008.1.2.4.201'];
/** Bytes in a second. On a faster line a frame as it is stored comes sooner than one that is compressed for the line first. */
const SLOW = 1_000_000;

/**
 * Returns true if the body of an answer has come slowly. The browser has measured it, apart from what the page did meanwhile;
 * of another server only if that allows it (Timing-Allow-Origin).
 */
function cameSlowly(url: string): boolean {
  const [entry] = performance.getEntriesByName(url, 'resource').slice(-1) as PerformanceResourceTiming[];
  if (!entry?.encodedBodySize) return false;
  const seconds = (entry.responseEnd - entry.responseStart) / 1000;
  return entry.encodedBodySize < SLOW * seconds;
}

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
async function partOf(url: string, { bytes, mediaType, headers }: Answer) {
  const [{ mediaTypeOf, onlyPart }] = await forFrames();
  if (!mediaType.startsWith('multipart/')) {
    if (/^text\/|json$|xml$/.test(mediaType)) throw damaged(url, 'has another media type');
    return { bytes, mediaType: mediaTypeOf(mediaType), transferSyntax: undefined };
  }
  const part = onlyPart(headers.get('content-type') ?? '', bytes);
  if (!part) throw damaged(url, 'is cut, or has not one part');
  return part;
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
