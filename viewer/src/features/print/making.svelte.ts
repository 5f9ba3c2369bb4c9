import { tick } from 'svelte';
import { Trouble } from '../../data/trouble.ts';
import type { Instance } from '../../domain/instance.ts';
import { printSize, trueScaleOf, type PaperSize, type TrueScale } from '../../domain/measure/print-size.ts';
import { placeOf } from '../../domain/series/image-reference.ts';
import type { KeyImage } from '../../domain/series/key-image.ts';
import type { StackFrame } from '../../domain/series/stacks.ts';
import { middleOf, sizeOf } from '../../domain/space/between-images.ts';
import { frameId, type Study } from '../../domain/study.ts';
import { aimOf, panTo } from '../../state/stage/aim.ts';
import { Cell } from '../../state/stage/cell.svelte.ts';
import { enlarged } from '../../state/stage/enlarged-view.ts';
import type { Imaging } from '../../state/stage/imaging.ts';
import { copyOf } from './copy.ts';
import { untilStill, untilThere } from './waiting.svelte.ts';

/** CSS pixels of a millimetre. (CSS Values 4 §6.2) */
const MM = 96 / 25.4;
/** Pixels of a picture for one of CSS: a little more than 300 dpi. */
const MOST_PIXELS = 3.15;
/** Of a picture for one of its image: more show nothing more. */
const PIXELS_OF_IMAGE = 2;
/** The part by which a true size may differ. */
const TOLERANCE = 0.005;

export interface PrintedPicture {
  key: KeyImage;
  metadata: Instance;
  /** Millimetres. */
  size: PaperSize & { isCut: boolean };
  /** Set where it has its true size. */
  scale: TrueScale | undefined;
  copy: HTMLElement;
}

type Camera = Cell['camera'];

interface Asked {
  paper: PaperSize;
  isTrueSize: boolean;
}

/** The place in which a picture is made, in CSS pixels. */
interface Place {
  width: number;
  height: number;
  /** Of what the engine draws. */
  enlargement: number;
  /** True if texts are shown. */
  overlays: boolean;
}

/** Makes pictures for paper, one after the other. */
export class Making {
  readonly cell: Cell;
  place = $state.raw<Place>();
  /** Of the place. */
  element: HTMLElement | undefined;
  readonly #studies: readonly Study[];

  constructor(imaging: Imaging, studies: readonly Study[]) {
    this.#studies = studies;
    this.cell = new Cell({
      images: imaging.images,
      openSeries: (...asked) => imaging.openSeries(...asked),
      retry: (frame) => imaging.retry(frame),
      engine: async () => {
        const engine = await imaging.engine();
        return {
          open: (element) =>
            enlarged(engine.open(element), element.offsetWidth / element.getBoundingClientRect().width),
        };
      },
    });
  }

  /** Makes a picture of an image as it was marked. @throws Trouble, or the reason of the signal */
  async picture(key: KeyImage, { paper, isTrueSize }: Asked, signal: AbortSignal): Promise<PrintedPicture> {
    const { cell } = this;
    const { metadata } = await this.#open(key, signal);
    const scale = isTrueSize ? trueScaleOf(metadata) : undefined;
    const { rotation, flipped } = key.camera;
    const size = printSize(metadata, { rotation, scale, paper });
    this.place = placeFor(size, { key, metadata, scale });
    try {
      await this.#shown(key, signal);
      await tick();
      await untilStill(this.element!, signal);
      const zoom = scale ? this.#trueZoom(scale) : key.camera.zoom;
      const centre = scale && !size.isCut ? undefined : key.camera.centre;
      const pan = (centre && panTo(centre, cell, { zoom, rotation, flipped })) ?? [0, 0];
      cell.setWindow(key.window);
      cell.setInverted(key.inverted);
      cell.setCamera(() => ({ zoom, rotation, flipped, pan }));
      await this.#shown(key, signal, cell.camera);
      await tick();
      await untilStill(this.element!, signal);
      const isTrue = scale !== undefined && this.#hasScale(scale, metadata);
      return { key, metadata, size, scale: isTrue ? scale : undefined, copy: await copyOf(this.element!) };
    } finally {
      this.place = undefined;
    }
  }

  close(): void {
    this.cell.close();
  }

  /** Opens the series of an image, unless it is open, and wants the image. */
  async #open({ image }: KeyImage, signal: AbortSignal): Promise<StackFrame> {
    const { cell } = this;
    const study = this.#studies.find(({ uid }) => uid === image.study);
    const series = study?.series.find(({ uid }) => uid === image.series);
    if (!study || !series) throw new Trouble('not-found', 'the record has no such series');
    const reference = { ...image, frames: [image.frame, image.frame] } as const;
    if (cell.series?.uid !== series.uid || cell.stacks.length === 0) {
      await cell.open(study, series, { find: (stacks) => placeOf(reference, stacks) });
      signal.throwIfAborted();
      if (cell.trouble) throw cell.trouble.trouble;
    }
    const place = placeOf(reference, cell.stacks);
    if (!place) throw new Trouble('not-found', 'the series has no such image');
    cell.show(place);
    return place.stack.frames[place.index]!;
  }

  /** Waits until an image is on the glass as it is asked for. */
  async #shown(key: KeyImage, signal: AbortSignal, camera?: Camera): Promise<void> {
    const { cell } = this;
    await untilThere(() => {
      const { shown, trouble, behind } = cell;
      // The store asks a busy server again.
      if (trouble && trouble.trouble.kind !== 'busy') throw trouble.trouble;
      if (!shown || behind || shown.frame !== frameId(key.image)) return undefined;
      if (!camera) return true;
      const isWindow = !key.window || isNear([shown.window?.centre, key.window.centre], [shown.window?.width, key.window.width]); // prettier-ignore
      const isSame = isWindow && shown.inverted === key.inverted && isSameCamera(shown.camera, camera);
      return isSame || undefined;
    }, signal);
  }

  /** Returns the zoom at which a pixel of the image takes its size in the patient. */
  #trueZoom({ across }: TrueScale): number {
    const aim = aimOf(this.cell);
    if (!aim) throw new Trouble('graphics', 'the image is not on the glass');
    return (across * MM) / aim.fit[0];
  }

  /** True if what is drawn has the scale, measured on the glass. */
  #hasScale({ across, down }: TrueScale, metadata: Instance): boolean {
    const aim = aimOf(this.cell);
    if (!aim || !sizeOf(metadata)) return false;
    const { zoom } = this.cell.camera;
    const isRight = (drawn: number, mm: number) => Math.abs((drawn * zoom) / (mm * MM) - 1) < TOLERANCE;
    return isRight(aim.fit[0], across) && isRight(aim.fit[1], down);
  }
}

/** Returns the place of a picture: as many pixels as the image has to show, up to those of a good printer. */
function placeFor(
  size: PaperSize,
  { key, metadata, scale }: { key: KeyImage; metadata: Instance; scale: TrueScale | undefined },
): Place {
  const [width, height] = [Math.round(size.width * MM), Math.round(size.height * MM)];
  const [middle] = middleOf(sizeOf(metadata) ?? [width, height]);
  const isTurned = key.camera.rotation % 180 !== 0;
  const ofImage = scale
    ? 1 / (scale.across * MM)
    : (2 * middle + 1) / ((isTurned ? height : width) * key.camera.zoom);
  const pixels = Math.min(Math.max(ofImage * PIXELS_OF_IMAGE, 1), MOST_PIXELS);
  return { width, height, enlargement: Math.max(pixels / devicePixelRatio, 1), overlays: key.overlays };
}

const isNear = (...pairs: readonly (readonly [number | undefined, number])[]): boolean =>
  pairs.every(([one = NaN, other]) => Math.abs(one - other) < 1e-3 * Math.max(Math.abs(other), 1));

function isSameCamera(one: Camera, other: Camera): boolean {
  return (
    one.flipped === other.flipped &&
    isNear(
      [one.zoom, other.zoom],
      [one.rotation, other.rotation],
      [one.pan[0], other.pan[0]],
      [one.pan[1], other.pan[1]],
    )
  );
}
