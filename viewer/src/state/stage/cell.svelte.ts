import { Trouble } from '../../data/trouble.ts';
import type { Place } from '../../domain/series/image-reference.ts';
import { startsInverted } from '../../domain/grey/inverted.ts';
import type { Instance } from '../../domain/instance.ts';
import { openingIndex, openingPlace, within } from '../../domain/series/opening-place.ts';
import type { ImagePoint } from '../../domain/space/geometry.ts';
import { hasImages, mayBeVideo } from '../../domain/series/series-content.ts';
import type { Stack, StackFrame } from '../../domain/series/stacks.ts';
import type { FrameId, Series, Study } from '../../domain/study.ts';
import type { Camera, Shown, View, Window } from '../../engine/port.ts';
import type { CellImaging, OpenedSeries } from './imaging.ts';
import { Picture } from './picture.svelte.ts';
import { troubleOf } from '../browser/trouble-of.ts';

/** The image with which a series is opened. */
export interface Start {
  stack?: string;
  /** From 1. */
  image?: number;
  /** Finds the image once the stacks are known; it comes before `stack` and `image`. */
  find?: (stacks: readonly Stack[]) => Place | undefined;
  /** SOP Instance UID, in a series of documents. */
  document?: string;
  window?: Window;
  /** The place on the image that `find` finds. */
  point?: ImagePoint | undefined;
}

/** An image that is on the glass. Everything written on it comes from here. */
export interface ShownImage extends Shown {
  stack: Stack;
  image: StackFrame;
}

/** Window, camera and inversion as somebody has set them; undefined for those of the images. */
export interface Setting {
  window: Window | undefined;
  camera: Camera | undefined;
  inverted: boolean | undefined;
}

/** The picture that stands in for an image until it is there. */
export const PREVIEW = { width: 512, height: 512 };
const NEUTRAL: Camera = { zoom: 1, pan: [0, 0], rotation: 0, flipped: false };
const ZOOM = { least: 0.1, most: 30 };

/** Returns the zoom that a cell takes in place of a smaller or larger one. */
export function zoomWithin(zoom: number): number {
  return Math.min(Math.max(zoom, ZOOM.least), ZOOM.most);
}

/** One place of the stage: the series that is open in it, the image that is wanted, and the one that is shown. */
export class Cell {
  study = $state.raw<Study>();
  series = $state.raw<Series>();
  /** Metadata of all instances of the series, documents included. */
  instances = $state.raw<readonly Instance[]>([]);
  /** SOP Instance UID of the document that is read; undefined for the first, and in series of images. */
  document = $state<string>();
  stacks = $state.raw<readonly Stack[]>([]);
  stack = $state.raw<Stack>();
  /** True while the metadata of the series are asked for. */
  opening = $state(false);
  /** From 0, in the stack. */
  wanted = $state(0);
  /** True if the stack was opened at an image that somebody or something named, and not just in its middle. */
  placed = false;
  shown = $state.raw<ShownImage>();
  /** Why the series, or the frame that is wanted, is not shown. */
  trouble = $state.raw<{ trouble: Trouble; frame?: FrameId }>();
  /** Frames of the series that are ready. */
  ready = $state(0);
  /** The window that the person has set. */
  window = $state.raw<Window>();
  /** A place on an image that is pointed at for a moment. */
  pointed = $state.raw<{ frame: FrameId; point: ImagePoint }>();
  readonly preview = new Picture();
  /** True while images follow one another by themselves: one that is late by a moment is not said to be loading. */
  playing = $state(false);
  /** The view that draws; undefined until the engine is loaded. */
  view = $state.raw<View>();
  readonly #imaging: CellImaging;
  #camera: Camera | undefined;
  #inverted: boolean | undefined;
  /** The first image of the open series: a try again begins there too. */
  #start: Start | undefined;
  #opening: AbortController | undefined;
  #opened: OpenedSeries | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;

  constructor(imaging: CellImaging) {
    this.#imaging = imaging;
  }

  get count(): number {
    return this.stack?.frames.length ?? 0;
  }

  /** As it is set, which may not be drawn yet. */
  get camera(): Camera {
    return this.#camera ?? this.shown?.camera ?? NEUTRAL;
  }

  /** True while something else is on the glass than what is wanted. */
  get behind(): boolean {
    return this.shown !== undefined && (this.shown.index !== this.wanted || this.shown.stack !== this.stack);
  }

  /**
   * Opens a series. Its preview is asked for in parallel with its metadata; where that may be refused because it is a video,
   * when they say that it is none.
   */
  async open(study: Study, series: Series, start: Start = {}): Promise<void> {
    this.close();
    this.study = study;
    this.series = series;
    this.#start = start;
    // Another one may be set while the series is opened.
    this.window = start.window;
    const at = series.location ?? study.location;
    if (!at) {
      this.trouble = { trouble: new Trouble('not-found', 'no archive has this series') };
      return;
    }
    const name = { study: study.uid, series: series.uid };
    const opening = (this.#opening = new AbortController());
    this.opening = true;
    const preview = () =>
      void this.preview.load((signal) => this.#imaging.images.rendered(at, name, PREVIEW, signal));
    if (hasImages(series) && !mayBeVideo(series)) preview();
    try {
      const opened = await this.#imaging.openSeries(at, name, opening.signal);
      if (opening.signal.aborted) return opened.close();
      this.adopt(opened, start);
      if (mayBeVideo(series) && this.count > 0 && !this.shown) preview();
    } catch (error) {
      if (!opening.signal.aborted) this.#failed(troubleOf(error), () => this.open(study, series, start));
    } finally {
      if (this.#opening === opening) this.opening = false;
    }
  }

  /** Shows what is open already in place of what the cell has; window and camera stay. */
  adopt(opened: OpenedSeries, start: Start = {}): void {
    this.#opened?.close();
    this.#opened = opened;
    this.instances = opened.instances;
    this.document = start.document;
    const stacks = (this.stacks = opened.stacks);
    const found = start.find?.(stacks);
    const place = found ?? openingPlace(stacks, start);
    if (!place) return this.preview.close();
    this.placed = found !== undefined || start.image !== undefined;
    this.#put(place.stack, place.index);
    if (found && start.point) this.pointAt(start.point);
  }

  /** Shows another stack of the series. @param index the middle if it is not given, of a film the beginning */
  choose(stack: Stack, index?: number): void {
    this.placed = index !== undefined;
    this.#put(stack, index ?? openingIndex(stack));
  }

  #put(stack: Stack, index: number): void {
    this.stack = stack;
    this.wanted = within(stack, index);
    this.trouble = undefined;
    this.view?.setStack(stack, this.wanted);
    if (this.window) this.view?.setWindow(this.window);
    this.#applyInverted();
    if (this.#camera) this.view?.setCamera(this.#camera);
  }

  want(index: number): void {
    if (!this.stack) return;
    this.wanted = within(this.stack, index);
    this.trouble = undefined;
    this.view?.want(this.wanted);
  }

  /** Goes to an image of the series. */
  show({ stack, index }: Place): void {
    if (stack === this.stack) this.want(index);
    else this.choose(stack, index);
  }

  step(by: number): void {
    this.want(this.wanted + by);
  }

  /** True if an image of the stack can be shown at once. */
  isReady(index: number): boolean {
    const frame = this.stack?.frames[index];
    return frame !== undefined && (this.#opened?.isReady(frame.id) ?? false);
  }

  /** Tries again what is in trouble. */
  again(): void {
    if (!this.trouble) return;
    if (this.trouble.frame !== undefined) this.#imaging.retry(this.trouble.frame);
    if (this.stack) this.want(this.wanted);
    else if (this.study && this.series) void this.open(this.study, this.series, this.#start);
  }

  /** @param window undefined for that of each image */
  setWindow(window: Window | undefined): void {
    this.window = window && { centre: window.centre, width: Math.max(window.width, 1) };
    this.view?.setWindow(this.window);
  }

  /** Moves the window by a part of its width. */
  adjustWindow({ centre, width }: { centre: number; width: number }): void {
    const window = this.window ?? this.shown?.window;
    if (!window) return;
    this.setWindow({
      centre: window.centre + centre * window.width,
      width: window.width * Math.max(1 + width, 0.05),
    });
  }

  setCamera(change: (camera: Camera) => Partial<Camera>): void {
    const changed = { ...this.camera, ...change(this.camera) };
    this.#camera = { ...changed, zoom: zoomWithin(changed.zoom) };
    this.view?.setCamera(this.#camera);
  }

  /** Shows the whole image that is wanted, and points at a place on it. */
  pointAt(point: ImagePoint | undefined): void {
    this.setCamera(() => ({ zoom: 1, pan: [0, 0] }));
    const frame = this.stack?.frames[this.wanted]?.id;
    this.pointed = point && frame !== undefined ? { frame, point } : undefined;
  }

  invert(): void {
    this.setInverted(!this.#isInverted);
  }

  setInverted(inverted: boolean): void {
    if (inverted === this.#inverted) return;
    this.#inverted = inverted;
    this.view?.setInverted(inverted);
  }

  get #isInverted(): boolean {
    return this.#inverted ?? this.shown?.inverted ?? false;
  }

  /** Window, camera and inversion as the images have them. */
  reset(): void {
    this.window = this.#camera = this.#inverted = undefined;
    this.view?.reset();
    this.#applyInverted();
  }

  /** Inverts as the person has done, or else what is read so; the view begins without. */
  #applyInverted(): void {
    const first = this.stack?.frames[0];
    if (this.#inverted ?? (first && startsInverted(first.metadata))) this.view?.setInverted(true);
  }

  get setting(): Setting {
    return { window: this.window, camera: this.#camera, inverted: this.#inverted };
  }

  set setting({ window, camera, inverted }: Setting) {
    this.reset();
    if (window) this.setWindow(window);
    if (camera) this.setCamera(() => camera);
    if (inverted === undefined) return;
    this.#inverted = inverted;
    this.view?.setInverted(inverted);
  }

  /** Shows the picture that the server draws of the wanted frame, for frames that this browser cannot decode. */
  showRendered(): void {
    const frame = this.stack?.frames[this.wanted];
    const at = this.series?.location ?? this.study?.location;
    if (!frame || !at) return;
    this.trouble = undefined;
    this.shown = undefined;
    void this.preview.load((signal) => this.#imaging.images.rendered(at, frame.name, PREVIEW, signal));
  }

  /** Draws into an element. @returns a function that ends it */
  readonly attach = (element: HTMLElement): (() => void) => {
    const closing = new AbortController();
    this.#imaging.engine().then(
      (engine) => {
        if (!closing.signal.aborted) this.#draw(engine.open(element), closing.signal);
      },
      (error: unknown) => (this.trouble = { trouble: troubleOf(error) }),
    );
    return () => closing.abort();
  };

  /** Counts again what is ready. */
  readonly countReady = (): void => {
    this.ready = this.#opened?.ready() ?? 0;
  };

  /** Empties the cell. */
  close(): void {
    this.#opening?.abort();
    this.#opened?.close();
    this.#opened = undefined;
    clearTimeout(this.#retry);
    this.preview.close();
    this.study = this.series = this.stack = this.shown = this.trouble = this.window = undefined;
    this.document = this.#start = this.pointed = undefined;
    this.#camera = this.#inverted = undefined;
    this.stacks = [];
    this.instances = [];
    this.wanted = this.ready = 0;
    this.opening = false;
  }

  #draw(view: View, signal: AbortSignal): void {
    this.view = view;
    const ends = [
      view.onShown((shown) => this.#onShown(shown)),
      view.onTrouble(({ frame, trouble }) => {
        if (this.stack?.frames[this.wanted]?.id === frame) this.trouble = { trouble, frame };
      }),
    ];
    signal.addEventListener('abort', () => {
      for (const end of ends) end();
      view.close();
      if (this.view === view) this.view = this.shown = undefined;
    });
    if (this.stack) this.#put(this.stack, this.wanted);
  }

  /** An image of a series that was closed in the meantime is no longer on the glass when this returns. */
  #onShown(shown: Shown): void {
    for (const stack of this.stacks) {
      const image = stack.frames[shown.index];
      if (image?.id !== shown.frame) continue;
      this.shown = { ...shown, stack, image };
      this.preview.close();
      if (!this.behind) this.trouble = undefined;
      return;
    }
  }

  #failed(trouble: Trouble, again: () => Promise<void>): void {
    this.trouble = { trouble };
    if (trouble.passes && trouble.retryAfter !== undefined)
      this.#retry = setTimeout(() => void again(), trouble.retryAfter);
  }
}
