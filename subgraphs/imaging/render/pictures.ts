import { Tag, text, type DicomJson } from '../../../schema/dicom.ts';
import { Fault } from '../../../schema/fault.ts';
import type { MediaRange } from '../accept.ts';
import { framesPart } from '../audited-studies.ts';
import { heldOf, notModified, tagOf, tagOfMade } from '../entity-tag.ts';
import { MADE_BY } from '../made-by.ts';
import { pixelDescription } from '../pixels/description.ts';
import { canDecode, type PixelDescription } from '../pixels/frame.ts';
import type { Target } from '../sources/source.ts';
import { studyReader, type InstanceOfStudy, type Reading, type StudyReader } from '../study-reader.ts';
import type { Payload } from '../wado.ts';
import { drawing, drawnWaveform, isPdf, pdf, report, SVG } from './documents.ts';
import type { PictureType, RasterTask } from './encode.ts';
import { frameAttributes, withTables } from './frame-attributes.ts';
import { pixelAspect, regionBetween, regionWithin, shownSize } from './geometry.ts';
import { modalityIcon } from './icon.ts';
import { labelsOf } from './labels.ts';
import { negotiated, renderingOf, type Rendering } from './parameters.ts';
import type { EncodedFrame, PictureTask } from './picture-task.ts';
import { representative } from './representative.ts';
import type { ThumbnailCache } from './thumbnail-cache.ts';
import { frameDelays, representativeFrame } from './timing.ts';

export interface PicturesOptions {
  /** Decodes, makes visible and encodes, off the event loop. */
  render(task: PictureTask): Promise<Uint8Array>;
  rasterize(task: RasterTask): Promise<Uint8Array>;
  thumbnails: ThumbnailCache;
  /** Seconds since the epoch. */
  now(): number;
}

/** The core of one request. `reading` records whatever the work reads as one retrieval of the part (IA-30). */
export interface ReadableImages {
  reading<T>(target: Target, part: string, work: (core: Reading) => Promise<T>): Promise<T>;
}

export interface PictureRequest {
  target: Target;
  /** From 1; undefined where no frames are named. */
  frames?: readonly number[] | undefined;
  query: URLSearchParams;
  accept: readonly MediaRange[];
  /** The header: what the caller holds already is 304, before anything is drawn where the source can tell. */
  ifNoneMatch?: string | undefined;
}

const STILL: readonly PictureType[] = ['image/jpeg', 'image/png', 'image/webp', 'image/gif'];
const MOVING: readonly PictureType[] = ['image/gif', 'image/webp'];

/** Pixels of one picture as it is stored and as it is given, and of all frames of one that moves. */
const MAX_PIXELS = 2 ** 26;
const MAX_MOVING_PIXELS = 2 ** 25;
const MAX_FRAMES = 10_000;
/** Of WebP, whose sides are the shortest. */
const MAX_SIDE = 16_383;

const THUMBNAIL = { width: 128, height: 128 };
/** Seconds for which a thumbnail is given where the source cannot tell whether its instance is still the same. */
const UNVERSIONED_SECONDS = 600;
/** Bytes of a table or an overlay. */
const MAX_TABLE = 16 * 1024 * 1024;

/** Rendered resources and thumbnails, PS3.18 §10.4.1.1.3 and §10.4.1.1.5 (DW-8, DW-9): what is answered, apart from HTTP. */
export class Pictures {
  private readonly options: PicturesOptions;

  constructor(options: PicturesOptions) {
    this.options = options;
  }

  /**
   * A study, series, instance or frames as a browser shows them: pictures, reports as HTML, documents as PDF,
   * electrocardiograms as SVG. Of an instance of many frames a format that can move gets them all, others one.
   * @throws Fault `invalid_request` that says what is wanted, `not_acceptable`, `too_large`, `not_found` also for what
   * cannot be seen, and what the core throws
   */
  async rendered(imaging: ReadableImages, request: PictureRequest): Promise<Payload> {
    return this.shown(imaging, request, renderingOf(request.query));
  }

  /** The same by other names of the parameters (PS3.18 §9.5). */
  async shown(
    imaging: ReadableImages,
    { target, frames, accept, ifNoneMatch }: Omit<PictureRequest, 'query'>,
    rendering: Rendering,
  ): Promise<Payload> {
    return imaging.reading(target, partOf(frames, 'rendered'), async (core) => {
      const study = studyReader(core, target.studyUid);
      const instance = await representative(study, target);
      const made = [study.studyUid, instance, frames, accept, rendering];
      const tag = tagOfMade(await study.version(instance), 'rendered', ...made);
      if (tag && heldOf(ifNoneMatch, tag)) return notModified(`W/${tag}`);
      return tagged(await this.drawn(study, instance, { frames, accept }, rendering), tag);
    });
  }

  private async drawn(
    study: StudyReader,
    instance: InstanceOfStudy,
    { frames, accept }: Pick<PictureRequest, 'frames' | 'accept'>,
    rendering: Rendering,
  ): Promise<Payload> {
    const dataset = await study.metadata(instance);
    const pixels = pixelDescription(dataset);
    if (pixels) {
      const { numbers, type } = wantedFrames(dataset, pixels, frames, accept);
      return this.picture(study, instance, dataset, { pixels, numbers, type, rendering });
    }
    if (frames) throw nothingToSee();
    if (dataset['0040A730']) return report(dataset, accept);
    if (isPdf(dataset)) return pdf(study, instance, dataset, accept);
    if (!dataset['54000100']) throw nothingToSee();
    const type = negotiated(accept, [SVG, ...STILL]);
    const svg = await drawnWaveform(study, instance, dataset);
    return type === SVG ? drawing(svg) : this.raster(svg, type, rendering.viewport);
  }

  /** The same in small, of everything: what has no picture gets the sign of its modality. */
  async thumbnail(imaging: ReadableImages, request: PictureRequest): Promise<Payload> {
    const { target, frames, query, accept, ifNoneMatch } = request;
    const { viewport = THUMBNAIL } = renderingOf(query);
    if ('region' in viewport)
      throw new Fault('invalid_request', 'The viewport of a thumbnail is its size alone, vw,vh.');
    const type = negotiated(accept, STILL);
    return imaging.reading(target, partOf(frames, 'thumbnail'), async (core) => {
      const study = studyReader(core, target.studyUid);
      const instance = await representative(study, target);
      // This is also the check of the caller's right, which what is kept must not pass by.
      const version = await study.version(instance);
      const made = [study.studyUid, instance, frames?.[0], type, viewport];
      const tag = tagOfMade(version, 'thumbnail', ...made);
      if (tag && heldOf(ifNoneMatch, tag)) return notModified(`W/${tag}`);
      const { source, stamp = Math.floor(this.options.now() / UNVERSIONED_SECONDS) } = version;
      const key = [MADE_BY, source, ...made, stamp];
      const kept = await this.options.thumbnails.get(key);
      if (kept) return tagged({ headers: { 'content-type': type }, body: kept }, tag);
      const rendering: Rendering = { viewport, annotation: [] };
      const payload = await this.small(study, instance, frames?.[0], type, rendering);
      await this.options.thumbnails.put(key, payload.body);
      return tagged(payload, tag);
    });
  }

  private async small(
    study: StudyReader,
    instance: InstanceOfStudy,
    frame: number | undefined,
    type: PictureType,
    rendering: Rendering,
  ): Promise<Still> {
    const dataset = await study.metadata(instance);
    const pixels = pixelDescription(dataset);
    if (pixels) {
      const numbers = [frame ?? representativeFrame(dataset, pixels.numberOfFrames)];
      const made = this.picture(study, instance, dataset, { pixels, numbers, type, rendering });
      const picture = await (frame === undefined ? made.catch(withoutPicture) : made);
      if (picture) return picture;
    } else if (frame !== undefined) throw nothingToSee();
    const svg = dataset['54000100'] && (await drawnWaveform(study, instance, dataset).catch(withoutPicture));
    return this.raster(svg ?? modalityIcon(text(dataset, Tag.Modality) ?? ''), type, rendering.viewport);
  }

  private async raster(svg: string, type: PictureType, viewport: Rendering['viewport']): Promise<Still> {
    const body = await this.options.rasterize({ svg, type, viewport });
    return { headers: { 'content-type': type }, body };
  }

  private async picture(
    study: StudyReader,
    instance: InstanceOfStudy,
    dataset: DicomJson,
    { pixels, numbers, type, rendering }: Wanted,
  ): Promise<Still> {
    const { viewport, edges, window, quality, annotation } = rendering;
    const image = { width: pixels.columns, height: pixels.rows };
    const region = edges ? regionBetween(edges, image) : regionWithin(viewport?.region, image);
    const part = region ? { width: Math.abs(region.width), height: Math.abs(region.height) } : image;
    const size = shownSize(part, pixelAspect(frameAttributes(dataset, numbers[0]!)), viewport);
    refuseTooMany(Math.max(image.width * image.height, size.width * size.height), numbers.length);
    if (Math.max(size.width, size.height) > MAX_SIDE) throw tooLarge('give a viewport');
    const read = await study.frames(instance, numbers);
    if (!canDecode(read.transferSyntax)) {
      throw new Fault(
        'not_acceptable',
        'These pixels cannot be rendered here; retrieve the frames as stored.',
      );
    }
    const overlays = annotation.length > 0;
    const frames = await encodedFrames(study, instance, dataset, numbers, read.frames, overlays);
    const labels = labelsOf(dataset, frames[0]!.attributes, annotation, window);
    const body = await this.options.render({
      ...{ frames, transferSyntax: read.transferSyntax, pixels, type, size, window, region, quality },
      ...{ overlays, labels },
      ...(numbers.length > 1 && { delays: frameDelays(dataset, numbers.length) }),
    });
    return { headers: { 'content-type': type }, body };
  }
}

interface Wanted {
  pixels: PixelDescription;
  /** From 1. */
  numbers: readonly number[];
  type: PictureType;
  rendering: Rendering;
}

interface Still {
  headers: Record<string, string>;
  body: Uint8Array;
}

/** With the tag of what it is made of or, where the source cannot tell, of the picture itself. */
function tagged(payload: Payload, tag: string | undefined): Payload {
  const made = tag ?? (payload.body instanceof Uint8Array ? tagOf(payload.body) : undefined);
  // Weak: a report may yet be compressed on its way.
  return made ? { ...payload, headers: { ...payload.headers, etag: `W/${made}` } } : payload;
}

function partOf(frames: readonly number[] | undefined, what: string): string {
  return frames ? `${framesPart(frames)}/${what}` : what;
}

function wantedFrames(
  dataset: DicomJson,
  { rows, columns, numberOfFrames }: PixelDescription,
  frames: readonly number[] | undefined,
  accept: readonly MediaRange[],
): { numbers: readonly number[]; type: PictureType } {
  if (frames && frames.length > 1) return { numbers: frames, type: negotiated(accept, MOVING) };
  const type = negotiated(accept, STILL);
  if (frames) return { numbers: frames, type };
  if (numberOfFrames > 1 && MOVING.includes(type)) {
    refuseTooMany(rows * columns, numberOfFrames);
    return { numbers: Array.from({ length: numberOfFrames }, (_, i) => i + 1), type };
  }
  return { numbers: [representativeFrame(dataset, numberOfFrames)], type };
}

function refuseTooMany(pixels: number, frames: number): void {
  if (
    pixels <= MAX_PIXELS &&
    (frames === 1 || (frames <= MAX_FRAMES && pixels * frames <= MAX_MOVING_PIXELS))
  )
    return;
  const advice =
    frames > 1 ? 'ask for fewer frames, one of them, or a smaller viewport' : 'retrieve its frames';
  throw tooLarge(advice);
}

function tooLarge(advice: string): Fault {
  return new Fault('too_large', `The picture is too large to be rendered here: ${advice}.`);
}

/** Frames with what says how they look; where all say the same, that is read once. */
async function encodedFrames(
  study: StudyReader,
  instance: InstanceOfStudy,
  dataset: DicomJson,
  numbers: readonly number[],
  frames: readonly Uint8Array[],
  overlays: boolean,
): Promise<EncodedFrame[]> {
  const read = (uri: string) => study.bytes(instance, uri, MAX_TABLE);
  const grouped = dataset['52009230'] !== undefined;
  const looks = new Map<number, Promise<DicomJson>>();
  const attributesOf = (frame: number): Promise<DicomJson> => {
    const key = grouped ? frame : 1;
    const known = looks.get(key) ?? withTables(frameAttributes(dataset, key), overlays, read);
    looks.set(key, known);
    return known;
  };
  const encoded: EncodedFrame[] = [];
  for (const [i, number] of numbers.entries())
    encoded.push({ number, bytes: frames[i]!, attributes: await attributesOf(number) });
  return encoded;
}

/** What has no picture, or one that nothing here decodes, gets the sign; what failed must not, and be kept as that. */
function withoutPicture(error: unknown): undefined {
  if (!(error instanceof Fault && ['not_found', 'not_acceptable'].includes(error.code))) throw error;
}

function nothingToSee(): Fault {
  return new Fault('not_found', 'The object has nothing that can be rendered.');
}
