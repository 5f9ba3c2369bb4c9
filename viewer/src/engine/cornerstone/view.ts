/** One element that shows a stack. What is wanted and what is on the glass are two values. */
import { Enums, utilities, type Types } from '@cornerstonejs/core';
import { Trouble } from '../../data/trouble.ts';
import type { Pixels } from '../../domain/grey/pixels.ts';
import type { Stack } from '../../domain/series/stacks.ts';
import type { FrameStore } from '../../pixels/frame-store.ts';
import type { Camera, Point, Shown, View, Window } from '../port.ts';
import { applyCamera, glassPoint, imagePoint, WHOLE_IMAGE } from './camera.ts';
import { addImages, decode, imageIdOf } from './images.ts';
import { nearestLoaded } from './nearest-loaded.ts';

/** So many images in the direction of scrolling are decoded before they are wanted. */
const DECODE_AHEAD = 2;

interface Opened {
  stack: Stack;
  imageIds: string[];
  forget: () => void;
}

/** The members of an engine that a view uses. It may give the view another viewport when the graphics are restarted. */
export interface Glass {
  viewport(): Types.IStackViewport;
  /** False while the graphics have stopped: what is drawn then is not on the screen. */
  works(): boolean;
  close(): void;
}

type TroubleListener = Parameters<View['onTrouble']>[0];

export class CornerstoneView implements View {
  #element: HTMLDivElement;
  #store: FrameStore;
  #glass: Glass;
  /** The stack that is wanted, and the one on the glass; the second is the first soon after. */
  #opened: Opened | undefined;
  #drawn: { opened: Opened; index: number } | undefined;
  #wanted = 0;
  #begun = false;
  #direction = 1;
  #window: Window | undefined;
  #inverted = false;
  #camera: Camera = WHOLE_IMAGE;
  #shownListeners = new Set<(shown: Shown) => void>();
  #troubleListeners = new Set<TroubleListener>();
  /** Cornerstone's id of the image that was rendered last. */
  #renderedId: string | undefined;
  #told: { frame: string; trouble: Trouble } | undefined;
  #drawing = false;
  #closed = false;
  #ends: (() => void)[];

  constructor(element: HTMLDivElement, store: FrameStore, glass: Glass) {
    this.#element = element;
    this.#store = store;
    this.#glass = glass;
    const onRendered = () => this.#rendered();
    element.addEventListener(Enums.Events.IMAGE_RENDERED, onRendered);
    this.#ends = [
      store.subscribe(() => this.#update()),
      () => element.removeEventListener(Enums.Events.IMAGE_RENDERED, onRendered),
    ];
  }

  setStack(stack: Stack, index: number): void {
    const before = this.#opened;
    this.#opened = { stack, imageIds: stack.frames.map(imageIdOf), forget: addImages(stack, this.#store) };
    // The one on the glass is forgotten when the new one is.
    if (before && before !== this.#drawn?.opened) before.forget();
    this.#window = undefined;
    this.#inverted = false;
    this.#camera = WHOLE_IMAGE;
    this.#wanted = -1;
    this.want(index);
  }

  want(index: number): void {
    if (!this.#opened || this.#closed) return;
    const { stack } = this.#opened;
    const within = Math.min(Math.max(Math.round(index), 0), stack.frames.length - 1);
    if (within === this.#wanted) return;
    this.#direction = within < this.#wanted ? -1 : 1;
    this.#wanted = within;
    this.#told = undefined;
    this.#aim();
    this.#update();
  }

  /**
   * Reads ahead when the first image is on the glass, or is known not to come: on a slow line its decoder comes before.
   * Coarse planes are soon others, and computing them would hold up the slices.
   */
  #aim(): void {
    const stack = this.#opened?.stack;
    const isAlone = !this.#begun || stack?.reformatted?.coarse !== undefined;
    if (stack) this.#store.aim(this, { stack, index: this.#wanted, alone: isAlone });
  }

  #begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    this.#aim();
  }

  setWindow(window: Window | undefined): void {
    this.#window = window;
    this.#redraw((viewport) => this.#applyWindow(viewport));
  }

  setInverted(inverted: boolean): void {
    this.#inverted = inverted;
    this.#redraw((viewport) => this.#applyWindow(viewport));
  }

  setCamera(camera: Partial<Camera>): void {
    this.#camera = { ...this.#camera, ...camera };
    this.#redraw((viewport) => applyCamera(viewport, this.#element, this.#camera));
  }

  reset(): void {
    this.#window = undefined;
    this.#inverted = false;
    this.#camera = WHOLE_IMAGE;
    this.#redraw((viewport) => this.#applyAll(viewport));
  }

  toImage(glass: Point): Point | undefined {
    const viewport = this.#viewport();
    return viewport && imagePoint(viewport, glass);
  }

  toGlass(image: Point): Point | undefined {
    const viewport = this.#viewport();
    return viewport && glassPoint(viewport, image);
  }

  pixels(): Pixels | undefined {
    const image = this.#viewport()?.getCornerstoneImage();
    if (!image) return undefined;
    const { columns, rows, slope, intercept, preScale, voxelManager } = image;
    const values = image.getPixelData();
    // Without WebGL Cornerstone draws broken numbers by a copy of whole ones, and then calls the image not scaled.
    const hasCopy = voxelManager !== undefined && voxelManager.getScalarData() !== values;
    const isScaled = (preScale?.scaled ?? false) || hasCopy;
    return {
      columns,
      rows,
      values,
      samples: values.length / (columns * rows),
      ...(isScaled ? { slope: 1, intercept: 0 } : { slope, intercept }),
    };
  }

  picture(): HTMLCanvasElement | undefined {
    return this.#viewport()?.getCanvas();
  }

  onShown(listener: (shown: Shown) => void): () => void {
    this.#shownListeners.add(listener);
    return () => this.#shownListeners.delete(listener);
  }

  onTrouble(listener: TroubleListener): () => void {
    this.#troubleListeners.add(listener);
    return () => this.#troubleListeners.delete(listener);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const end of this.#ends) end();
    this.#store.aim(this, undefined);
    this.#glass.close();
    const stacks = new Set([this.#opened, this.#drawn?.opened]);
    for (const opened of stacks) opened?.forget();
  }

  /** The element has another size. */
  resized(): void {
    this.#redraw((viewport) => applyCamera(viewport, this.#element, this.#camera));
  }

  /** The graphics have stopped: says so of the image on the glass. */
  stopped(trouble: Trouble): void {
    const frame = this.#drawn && this.#drawn.opened.stack.frames[this.#drawn.index];
    if (frame) for (const listener of this.#troubleListeners) listener({ frame: frame.id, trouble });
  }

  /** The glass has a new viewport: draws all again. */
  restarted(): void {
    const opened = this.#drawn?.opened;
    this.#drawn = undefined;
    if (opened && opened !== this.#opened) opened.forget();
    this.#update();
  }

  /** Returns the viewport if an image is on its glass: not while it holds one that is not drawn yet. */
  #viewport(): Types.IStackViewport | undefined {
    if (!this.#drawn || this.#closed || !this.#glass.works()) return undefined;
    const viewport = this.#glass.viewport();
    return viewport.getCornerstoneImage()?.imageId === this.#renderedId ? viewport : undefined;
  }

  #update(): void {
    this.#tellTrouble();
    void this.#draw();
  }

  /** Says once why the wanted image is not there. */
  #tellTrouble(): void {
    const frame = this.#opened?.stack.frames[this.#wanted];
    if (!frame) return;
    const state = this.#store.state(frame.id);
    const trouble =
      state.at === 'failed' ? state.trouble : state.at === 'queued' ? state.waits?.trouble : undefined;
    if (!trouble || (this.#told?.frame === frame.id && this.#told.trouble === trouble)) return;
    this.#told = { frame: frame.id, trouble };
    this.#begin();
    for (const listener of this.#troubleListeners) listener({ frame: frame.id, trouble });
  }

  /** Draws the nearest loaded image until it is on the glass; one at a time. */
  async #draw(): Promise<void> {
    if (this.#drawing) return;
    this.#drawing = true;
    try {
      while (!this.#closed && this.#opened && this.#glass.works()) {
        const opened = this.#opened;
        const index = this.#target(opened);
        if (index === undefined) break;
        await this.#drawOne(opened, index);
      }
    } finally {
      this.#drawing = false;
    }
    this.#decodeAhead();
  }

  /** Returns the image to draw next; undefined if it is on the glass, or there is none. */
  #target(opened: Opened): number | undefined {
    const { frames } = opened.stack;
    const current = this.#drawn?.opened === opened ? this.#drawn.index : undefined;
    const isLoaded = (at: number) => this.#store.state(frames[at]!.id).at === 'ready';
    const nearest = nearestLoaded(this.#wanted, frames.length, isLoaded);
    if (nearest === undefined || nearest === current) return undefined;
    // Of two that are as near, the one on the glass stays.
    const distance = (at: number) => Math.abs(at - this.#wanted);
    return current !== undefined && distance(current) <= distance(nearest) ? undefined : nearest;
  }

  async #drawOne(opened: Opened, index: number): Promise<void> {
    if (!(await this.#decode(opened, index)) || this.#closed || this.#opened !== opened) return;
    const viewport = this.#glass.viewport();
    const isNew = this.#drawn?.opened !== opened;
    try {
      await (isNew ? viewport.setStack([...opened.imageIds], index) : viewport.setImageIdIndex(index));
      // With WebGL Cornerstone tells nobody when it has not worked.
      const isSet = viewport.getCornerstoneImage()?.imageId === opened.imageIds[index];
      if (!isSet) throw new Error('the image was not set');
    } catch (cause) {
      const isCurrent = !this.#closed && this.#glass.works() && viewport === this.#glass.viewport();
      if (isCurrent) this.#refuse(opened, index, new Trouble('undecodable', 'not drawn', { cause }));
      // Cornerstone counts the image as set: only the whole stack sets it once more.
      if (!isNew) this.#drawn = undefined;
      return;
    }
    const before = this.#drawn?.opened;
    this.#drawn = { opened, index };
    if (isNew) before?.forget();
    // The camera stays from image to image; the window may be that of the image.
    if (isNew) this.#applyAll(viewport);
    else this.#applyWindow(viewport);
    viewport.render();
  }

  /** @returns false if the image cannot be decoded; its frame has failed then */
  async #decode(opened: Opened, index: number): Promise<boolean> {
    try {
      await decode(opened.imageIds[index]!);
      return true;
    } catch (error) {
      this.#refuse(opened, index, error as Trouble);
      return false;
    }
  }

  #refuse(opened: Opened, index: number, trouble: Trouble): void {
    // Of a stack that is closed it says nothing: its metadata may have been missing.
    if (this.#opened !== opened || this.#closed) return;
    this.#store.refuse(opened.stack.frames[index]!.id, trouble);
    this.#begin();
  }

  #decodeAhead(): void {
    const opened = this.#opened;
    if (!opened || this.#closed || this.#drawn?.index !== this.#wanted) return;
    for (let step = 1; step <= DECODE_AHEAD; step++) {
      const frame = opened.stack.frames[this.#wanted + step * this.#direction];
      if (frame && this.#store.state(frame.id).at === 'ready') {
        void this.#decode(opened, this.#wanted + step * this.#direction);
      }
    }
  }

  #redraw(apply: (viewport: Types.IStackViewport) => void): void {
    if (!this.#drawn || this.#drawn.opened !== this.#opened || !this.#glass.works()) return;
    const viewport = this.#glass.viewport();
    apply(viewport);
    viewport.render();
  }

  #applyAll(viewport: Types.IStackViewport): void {
    this.#applyWindow(viewport);
    applyCamera(viewport, this.#element, this.#camera);
  }

  /** Sets the user's window, or the image's own: without WebGL Cornerstone would keep that of the image before. */
  #applyWindow(viewport: Types.IStackViewport): void {
    const image = viewport.getCornerstoneImage();
    const { centre, width } = this.#windowOf(image);
    viewport.setProperties({
      voiRange: utilities.windowLevel.toLowHighRange(width, centre, image.voiLUTFunction),
      invert: this.#inverted !== image.invert,
    });
  }

  #windowOf({ windowCenter, windowWidth }: Types.IImage): Window {
    const first = (value: number | number[]) => (Array.isArray(value) ? value[0]! : value);
    return this.#window ?? { centre: first(windowCenter), width: first(windowWidth) };
  }

  #rendered(): void {
    if (!this.#glass.works() || this.#closed || !this.#drawn) return;
    const viewport = this.#glass.viewport();
    const { opened, index } = this.#drawn;
    // The event tells of an element; the image is the one that its viewport holds.
    const image = viewport.getCornerstoneImage();
    if (image?.imageId !== opened.imageIds[index]) return;
    this.#renderedId = image.imageId;
    const shown: Shown = {
      frame: opened.stack.frames[index]!.id,
      index,
      window: image.color ? undefined : this.#windowOf(image),
      inverted: this.#inverted,
      camera: this.#camera,
    };
    for (const listener of this.#shownListeners) listener(shown);
    this.#begin();
  }
}
