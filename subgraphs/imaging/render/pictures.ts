import { Tag, text, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { heldTag, tagOf } from '../../../schema/http/entity-tag.ts';
import type { MediaRange } from '../../../schema/http/media-ranges.ts';
import { framesPart } from '../study/audit-trail.ts';
import { answerTag, notModified, type Payload } from '../study/answer.ts';
import { BUILD_ID } from '../dicom/build-id.ts';
import { giveBack } from '../multipart/buffer-pool.ts';
import type { ParsingThreads } from '../threads/parsing-threads.ts';
import { pixelDescription } from '../pixels/codecs/description.ts';
import { canDecode } from '../pixels/codecs/frame.ts';
import type { PixelDescription } from '../dicom/pixel-description.ts';
import { HEAVY_BYTES } from '../threads/admission.ts';
import { rasterWeight, renderWeight } from '../pixels/weights.ts';
import type { Target } from '../sources/source.ts';
import type { InstanceOfStudy, Version } from '../study/study.ts';
import { drawing, drawnWaveform, isPdf, pdf, report, SVG } from './documents.ts';
import { fetchFrames, valueReader, type RenderedStudy } from './fetched-frames.ts';
import type { PictureType, RasterTask } from './image/encode.ts';
import { frameAttributes, PER_FRAME_GROUPS, withTables } from './image/frame-attributes.ts';
import { pixelAspect, regionBetween, regionWithin, shownSize } from './image/geometry.ts';
import { modalityIcon } from './image/icon.ts';
import { labelsOf } from './labels.ts';
import { negotiated, renderingOf, type Rendering } from './rendering-parameters.ts';
import type { PictureTask } from './image/picture-task.ts';
import { representative } from './representative.ts';
import type { ThumbnailCache } from './thumbnail-cache.ts';
import { videoInstead } from './video.ts';
import { frameDelays, representativeFrame } from './image/timing.ts';
import { refuseTooMany, STILL, tooLarge, wantedFrames } from './wanted-frames.ts';

export interface PicturesOptions {
  /** Decodes, applies the display transformations and encodes, off the event loop, once there is room. */
  render(task: Prepared<PictureTask>): Promise<Uint8Array>;
  rasterize(task: Prepared<RasterTask>): Promise<Uint8Array>;
  /** Select what rendering needs of metadata, and make documents of them, off the event loop. */
  threads: Pick<ParsingThreads, 'run'>;
  thumbnails: ThumbnailCache;
  /** Seconds since the epoch. */
  now(): number;
}

/** Work whose size in bytes is known before its input is read. */
export interface Prepared<Input> {
  weight: number;
  input(): Promise<Input>;
  signal: AbortSignal | undefined;
}

/** The core of one request. `read` records everything that the work reads as one retrieval of the part (IA-30). */
export interface ReadableImages {
  read<T>(target: Target, part: string, work: (study: RenderedStudy) => Promise<T>): Promise<T>;
}

export interface PictureRequest {
  target: Target;
  /** Frame numbers, from 1; undefined if no frames are named. */
  frames?: readonly number[] | undefined;
  query: URLSearchParams;
  accept: readonly MediaRange[];
  /**
   * The header If-None-Match: 304 for what the caller already has, before anything is drawn if the source has versions.
   */
  ifNoneMatch?: string | undefined;
  /** Returns the header Range if it applies, for a video. @param tag of the whole */
  range?: ((tag: string | undefined) => string | undefined) | undefined;
  /** Aborted when the caller leaves. */
  signal?: AbortSignal | undefined;
}

/** Maximum pixels of a side: those of WebP, which has the lowest limit. */
const MAX_SIDE = 16_383;

const THUMBNAIL = { width: 128, height: 128 };
/** Maximum pixels of a side of a picture that is kept. */
const PREVIEW = 1024;
/** Samples of an image that takes longer to decode than to read from the disk what was made of it. */
const LARGE = 4_000_000;
/** Seconds for which a thumbnail is given if the source cannot tell whether its instance has changed. */
const UNVERSIONED_SECONDS = 600;
/** Assumed pixels of a drawing without a viewport: pages of paper at 96 pixels per inch. */
const DRAWING = { width: 1600, height: 1600 };
/** Maximum bytes of a table or an overlay. */
const MAX_TABLE = 16 * 1024 * 1024;

/** Rendered resources and thumbnails, PS3.18 §10.4.1.1.3 and §10.4.1.1.5 (DW-8, DW-9): makes answers, without HTTP. */
export class Pictures {
  readonly #options: PicturesOptions;

  constructor(options: PicturesOptions) {
    this.#options = options;
  }

  /**
   * Renders a study, series, instance or frames for a browser: pictures, reports as HTML, documents as PDF,
   * electrocardiograms as SVG. Of an instance of many frames, an animated format gets all, any other format one. A video is
   * given as it is stored (DW-28).
   * @throws Fault `invalid_request` for a bad parameter, `not_acceptable`, `too_large`, `not_found` also for an object
   *   that cannot be rendered, and the faults of the core
   */
  async rendered(imaging: ReadableImages, request: PictureRequest): Promise<Payload> {
    return this.shown(imaging, request, renderingOf(request.query));
  }

  /** Renders the same with parsed parameters, for the parameter names of PS3.18 §9.5. */
  async shown(
    imaging: ReadableImages,
    { target, frames, accept, ifNoneMatch, range, signal }: Omit<PictureRequest, 'query'>,
    rendering: Rendering,
  ): Promise<Payload> {
    return imaging.read(target, partOf(frames, 'rendered'), async (study) => {
      const instance = await representative(study, target);
      const made = [study.uid, instance, frames, accept, rendering];
      const version = await study.version(instance);
      const tag = answerTag(version, 'rendered', ...made);
      const held = tag && heldTag(ifNoneMatch, tag);
      if (held) return notModified(held);
      try {
        // Without a version nobody knows whether the object is still the same.
        const key =
          isPreview(rendering) && version.stamp !== undefined
            ? this.#keyOf(version, 'preview', study.uid, instance, frames, rendering)
            : undefined;
        const payload = await this.#draw(study, instance, { frames, accept, rendering, key, signal });
        return tagged(payload, study.usedCopy ? undefined : tag);
      } catch (error) {
        if (frames) throw error;
        return videoInstead(error, { study, instance, accept, range, tag });
      }
    });
  }

  async #draw(
    study: RenderedStudy,
    instance: InstanceOfStudy,
    { frames, accept, ...shown }: Pick<PictureRequest, 'frames' | 'accept'> & Shown,
  ): Promise<Payload> {
    const { json, dataset } = await this.#described(study, instance);
    const pixels = pixelDescription(dataset);
    if (pixels) {
      const { numbers, type } = wantedFrames(dataset, pixels, { frames, accept });
      return this.#picture(study, instance, { json, dataset, pixels, numbers, type, ...shown });
    }
    if (frames) throw nothingToRender();
    const { threads } = this.#options;
    if (dataset['0040A730']) return report(() => threads.run('report', { json }), accept);
    if (isPdf(dataset)) return pdf(study, instance, dataset, accept);
    if (!dataset['54000100']) throw nothingToRender();
    const type = negotiated(accept, [SVG, ...STILL]);
    const svg = await this.#waveform(study, instance, dataset);
    return type === SVG ? drawing(svg) : this.#raster(svg, type, shown);
  }

  /** Makes a thumbnail of any object: one that has no picture gets the icon of its modality. */
  async thumbnail(imaging: ReadableImages, request: PictureRequest): Promise<Payload> {
    const { target, frames, query, accept, ifNoneMatch, signal } = request;
    const { viewport = THUMBNAIL } = renderingOf(query);
    if ('region' in viewport)
      throw new Fault('invalid_request', 'The viewport of a thumbnail is its size alone, vw,vh.');
    const type = negotiated(accept, STILL);
    return imaging.read(target, partOf(frames, 'thumbnail'), async (study) => {
      const instance = await representative(study, target);
      // This also checks the caller's right, before the cache is read.
      const version = await study.version(instance);
      const made = [study.uid, instance, frames?.[0], type, viewport];
      const tag = answerTag(version, 'thumbnail', ...made);
      if (tag && heldTag(ifNoneMatch, tag)) return notModified(`W/${tag}`);
      const key = this.#keyOf(version, ...made);
      const kept = await this.#options.thumbnails.get(key);
      if (kept) return tagged({ headers: { 'content-type': type }, body: kept }, tag);
      const rendering: Rendering = { viewport, annotation: [] };
      const payload = await this.#small(study, instance, { frame: frames?.[0], type, rendering, signal });
      if (study.usedCopy) return tagged(payload, undefined);
      await this.#options.thumbnails.put(key, payload.body);
      return tagged(payload, tag);
    });
  }

  /** Returns the key under which a picture is kept. */
  #keyOf({ source, patient, stamp }: Version, ...made: readonly unknown[]): readonly unknown[] {
    const until = stamp ?? Math.floor(this.#options.now() / UNVERSIONED_SECONDS);
    return [BUILD_ID, source, patient, ...made, until];
  }

  async #small(
    study: RenderedStudy,
    instance: InstanceOfStudy,
    { frame, type, ...shown }: Shown & { frame: number | undefined; type: PictureType },
  ): Promise<Still> {
    const { json, dataset } = await this.#described(study, instance);
    const pixels = pixelDescription(dataset);
    if (pixels) {
      const numbers = [frame ?? representativeFrame(dataset, pixels.numberOfFrames)];
      const made = this.#picture(study, instance, { json, dataset, pixels, numbers, type, ...shown });
      const picture = await (frame === undefined ? made.catch(withoutPicture) : made);
      if (picture) return picture;
    } else if (frame !== undefined) throw nothingToRender();
    const svg = dataset['54000100'] && (await this.#waveform(study, instance, dataset).catch(withoutPicture));
    const icon = () => modalityIcon(text(dataset, Tag.Modality) ?? '');
    return this.#raster(svg ?? icon(), type, shown);
  }

  async #described(study: RenderedStudy, instance: InstanceOfStudy): Promise<Described> {
    const { json } = await study.metadata(instance);
    // The thread gets a copy: the original is still needed here.
    return { json, dataset: await this.#options.threads.run('describeImage', { json: json.slice() }) };
  }

  #waveform(study: RenderedStudy, instance: InstanceOfStudy, dataset: DicomJson): Promise<string> {
    return drawnWaveform(study, instance, dataset, (task) => this.#options.threads.run('waveform', task));
  }

  /** Returns the attributes that decide how each of these frames looks. */
  async #looks(
    json: Uint8Array,
    dataset: DicomJson,
    frames: readonly number[],
  ): Promise<readonly DicomJson[]> {
    const shared = frameAttributes(dataset, 1);
    if (!dataset[PER_FRAME_GROUPS]) return frames.map(() => shared);
    const own = await this.#options.threads.run('describeFrames', { json, frames });
    return own.map((look) => ({ ...shared, ...look }));
  }

  async #raster(svg: string, type: PictureType, { rendering: { viewport }, signal }: Shown): Promise<Still> {
    const weight = svg.length + rasterWeight(type, viewport ?? DRAWING);
    if (weight > HEAVY_BYTES) throw tooLarge('ask for a smaller viewport');
    const body = await this.#options.rasterize({
      weight,
      signal,
      input: async () => ({ svg, type, viewport }),
    });
    return { headers: { 'content-type': type }, body };
  }

  /** Draws a picture, or returns the one that is kept: of a large image, it takes long to decode. */
  async #picture(study: RenderedStudy, instance: InstanceOfStudy, wanted: Wanted): Promise<Still> {
    const { pixels, numbers, type, key: asked } = wanted;
    const isLarge = pixels.rows * pixels.columns * pixels.samplesPerPixel >= LARGE;
    const key = isLarge && asked && numbers.length === 1 ? [...asked, type] : undefined;
    const { thumbnails } = this.#options;
    const kept = key && (await thumbnails.get(key));
    if (kept) return { headers: { 'content-type': type }, body: kept };
    const picture = await this.#drawn(study, instance, wanted);
    if (key && !study.usedCopy) await thumbnails.put(key, picture.body);
    return picture;
  }

  async #drawn(
    study: RenderedStudy,
    instance: InstanceOfStudy,
    { json, dataset, pixels, numbers, type, rendering, signal }: Wanted,
  ): Promise<Still> {
    const { viewport, edges, window, quality, annotation } = rendering;
    const image = { width: pixels.columns, height: pixels.rows };
    const looks = await this.#looks(json, dataset, numbers);
    const region = edges ? regionBetween(edges, image) : regionWithin(viewport?.region, image);
    const part = region ? { width: Math.abs(region.width), height: Math.abs(region.height) } : image;
    const size = shownSize(part, pixelAspect(looks[0]!), viewport);
    refuseTooMany(Math.max(image.width * image.height, size.width * size.height), numbers.length);
    if (Math.max(size.width, size.height) > MAX_SIDE) throw tooLarge('give a viewport');
    const overlays = annotation.length > 0;
    const held = await fetchFrames(study, instance, numbers);
    try {
      const { transferSyntax } = held;
      if (!canDecode(transferSyntax)) throw cannotRender();
      const shown = await looksOf(looks, overlays, valueReader(study, instance, MAX_TABLE));
      const labels = labelsOf(dataset, shown[0]!, annotation, window);
      const outline = { transferSyntax, pixels, type, size, region, overlays };
      const weight = held.bytes + renderWeight(outline, numbers.length);
      if (weight > HEAVY_BYTES)
        throw tooLarge('ask for a smaller viewport or for image/jpeg, or retrieve its frames');
      const moving = numbers.length > 1 && { delays: frameDelays(dataset, numbers.length) };
      let read: readonly Uint8Array[] = [];
      const body = await this.#options.render({
        weight,
        input: async () => {
          read = await held.read();
          const frames = read.map((bytes, i) => ({ bytes, number: numbers[i]!, attributes: shown[i]! }));
          return { ...outline, window, quality, labels, ...moving, frames };
        },
        signal,
      });
      // Only now: a task that its caller has left may not have been given its copy yet.
      read.forEach(giveBack);
      return { headers: { 'content-type': type }, body };
    } finally {
      await held.close();
    }
  }
}

/** Metadata of an instance, and the attributes that `describeImage` selected from them. */
interface Described {
  json: Uint8Array;
  dataset: DicomJson;
}

/** The rendering of an object, and the time until which its caller waits. */
interface Shown extends Pick<PictureRequest, 'signal'> {
  rendering: Rendering;
  /** Under which the picture may be kept, with its type; undefined if it may not. */
  key?: readonly unknown[] | undefined;
}

interface Wanted extends Described, Shown {
  pixels: PixelDescription;
  /** From 1. */
  numbers: readonly number[];
  type: PictureType;
}

interface Still {
  headers: Record<string, string>;
  body: Uint8Array;
}

/** Adds the tag of what the payload is made from or, if the source has no version, of the picture itself. */
function tagged(payload: Payload, tag: string | undefined): Payload {
  const made = tag ?? (payload.body instanceof Uint8Array ? tagOf(payload.body) : undefined);
  // Weak: a report may still be compressed on its way.
  return made ? { ...payload, headers: { ...payload.headers, etag: `W/${made}` } } : payload;
}

/** Returns true for a whole image at the size of a screen, with its own window: viewers begin with it. */
function isPreview({ viewport, edges, window, annotation }: Rendering): boolean {
  if (!viewport || viewport.region || edges || window || annotation.length > 0) return false;
  return Math.max(viewport.width, viewport.height) <= PREVIEW;
}

function partOf(frames: readonly number[] | undefined, what: string): string {
  return frames ? `${framesPart(frames)}/${what}` : what;
}

/** Returns the attributes of each frame, with its tables. If all frames look the same, the tables are read once. */
async function looksOf(
  looks: readonly DicomJson[],
  overlays: boolean,
  read: (uri: string) => Promise<Uint8Array>,
): Promise<DicomJson[]> {
  const known = new Map<DicomJson, DicomJson>();
  const shown: DicomJson[] = [];
  for (const look of looks) {
    const whole = known.get(look) ?? (await withTables(look, overlays, read));
    known.set(look, whole);
    shown.push(whole);
  }
  return shown;
}

/**
 * Lets an object without a picture, or with one that cannot be decoded, get the icon. Other failures are thrown: their
 * icon would be cached.
 */
function withoutPicture(error: unknown): undefined {
  if (!(error instanceof Fault && ['not_found', 'not_acceptable'].includes(error.code))) throw error;
}

function cannotRender(): Fault {
  return new Fault('not_acceptable', 'These pixels cannot be rendered here; retrieve the frames as stored.');
}

function nothingToRender(): Fault {
  return new Fault('not_found', 'The object has nothing that can be rendered.');
}
