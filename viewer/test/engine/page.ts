/** A page with an engine, a frame store and nothing else, for tests. It is no part of the product. */
import { Trouble } from '../../src/data/trouble.ts';
import { stacksOf, type Coarse, type Slab, type Stack } from '../../src/domain/series/stacks.ts';
import { createEngine, type CornerstoneEngine } from '../../src/engine/cornerstone/engine.ts';
import { knownFrames } from '../../src/engine/cornerstone/images.ts';
import type { Camera, Engine, Point, Shown, View, Window } from '../../src/engine/port.ts';
import { sampleGridOf } from '../../src/domain/volume/volume-planes.ts';
import { isNoVolume, volumeOf } from '../../src/domain/volume/volume.ts';
import type { Orientation } from '../../src/domain/space/geometry.ts';
import { FrameStore } from '../../src/pixels/frame-store.ts';
import type { OpenedVolume, VolumeProgress } from '../../src/state/stage/imaging.ts';
import { volumesOf } from '../../src/volumes.ts';
import { spheresSource } from './spheres-source.ts';
import { syntheticSource } from './synthetic-source.ts';
import { testSource } from './test-source.ts';

const glass = document.querySelector<HTMLElement>('#glass')!;
const query = new URLSearchParams(location.search);
const dicomweb = `${location.origin}/open/dicomweb`;

interface Event {
  wanted: number;
  shown?: Shown;
  /** Of all pixels on the glass. */
  sum?: number;
  trouble?: { frame: string; kind: string };
}

class Page {
  readonly events: Event[] = [];
  readonly source = query.has('spheres')
    ? spheresSource()
    : query.has('synthetic')
      ? syntheticSource(query.get('synthetic')!)
      : testSource(query.has('htj2k'));
  readonly store = new FrameStore(this.source, { maxRequests: 6 });
  engine: CornerstoneEngine = createEngine(this.store, {
    rendering: (query.get('rendering') ?? undefined) as 'cpu' | 'webgl' | undefined,
    ...(query.has('card') && { detect: () => Promise.resolve('card') }),
  });
  view!: View;
  stacks: Stack[] = [];
  /** Of the series that was opened. */
  slices: Stack['frames'] = [];
  wanted = 0;
  readonly progress: VolumeProgress[] = [];
  #volume: OpenedVolume | undefined;
  #planes = false;
  #removes: (() => void)[] = [];

  /** Opens the first stack of a series at an index; the glass has the size of the image, or another. */
  async open(
    study: string,
    series: string,
    to: { index: number; width?: number; height?: number },
  ): Promise<number> {
    const instances = await this.source.series({ dicomweb }, { study, series }, new AbortController().signal);
    this.stacks = stacksOf({ study, series }, instances);
    const [stack] = this.stacks;
    if (!stack) throw new Trouble('damaged', 'no images');
    this.slices = stack.frames;
    this.#resizeGlass(stack, to);
    this.#removes.push(this.store.add(stack, { dicomweb }));
    if (!this.view) this.#openView(this.engine);
    this.wanted = to.index;
    this.view.setStack(stack, to.index);
    return stack.frames.length;
  }

  #resizeGlass(stack: Stack, to: { width?: number; height?: number }): void {
    const { metadata } = stack.frames[0]!;
    glass.style.width = `${to.width ?? Number(metadata['00280011']!.Value![0])}px`;
    glass.style.height = `${to.height ?? Number(metadata['00280010']!.Value![0])}px`;
  }

  #openView(engine: Engine): void {
    this.view = engine.open(glass);
    this.view.onShown((shown) => this.events.push({ wanted: this.wanted, shown, sum: checksum() }));
    this.view.onTrouble(({ frame, trouble }) =>
      this.events.push({ wanted: this.wanted, trouble: { frame, kind: trouble.kind } }),
    );
  }

  /**
   * Opens a plane of the volume of the first stack, which is opened with it. The glass has the size of the plane, or another.
   * @param to `ready`: so many slices are waited for; all if it is not given
   */
  async openPlane(
    plane: Orientation,
    { slab, ready, ...to }: { slab?: Slab; index: number; ready?: number; width?: number; height?: number },
  ): Promise<number> {
    this.#volume ??= await this.#openVolume(this.stacks[0]!, ready);
    const opened = this.#volume.plane(plane, slab);
    const stack = opened.stacks[0]!;
    this.#removes.push(opened.close);
    const engine = await this.#volume.imaging.engine();
    if (!this.#planes) {
      this.view.close();
      this.#planes = true;
      this.#openView(engine);
    }
    this.#resizeGlass(stack, to);
    this.wanted = to.index;
    this.events.length = 0;
    this.stacks = [stack];
    this.view.setStack(stack, to.index);
    return stack.frames.length;
  }

  /** Shows the plane again that is open, with the slices that are there now: all of them. */
  async refinePlane(): Promise<void> {
    await new Promise<void>((resolve) => {
      const check = () => this.#volume!.progress().ready === this.#volume!.progress().all && resolve();
      this.#volume!.onProgress(check);
      check();
    });
    const { plane, slab } = this.stacks[0]!.reformatted!;
    await this.openPlane(plane, { index: this.wanted, ...(slab && { slab }) });
  }

  /** The slices that the plane lacks. */
  coarse(): Coarse | undefined {
    return this.stacks[0]!.reformatted?.coarse;
  }

  /**
   * Reads the volume of another series at the pixels of the plane that is open: column, row and value of those inside.
   * @param index of the plane's image
   */
  async readOver(
    series: string,
    { plane, index }: { plane: Orientation; index: number },
  ): Promise<{ columns: number; values: number[] }> {
    const { signal } = new AbortController();
    const base = volumeOf(stacksOf({ study: '1', series: '2' }, await this.#instances('2'))[0]!);
    const [stack] = stacksOf({ study: '1', series }, await this.#instances(series));
    this.#removes.push(this.store.add(stack!, { dicomweb }));
    if (isNoVolume(base)) throw new Error(base.reason);
    const grid = sampleGridOf(base, { plane, index });
    const volume = await this.#openVolume(stack!);
    const values = await volume.sample(grid, signal);
    volume.close();
    return { columns: grid.size[0], values: [...values] };
  }

  #instances(series: string) {
    return this.source.series({ dicomweb }, { study: '1', series }, new AbortController().signal);
  }

  async #openVolume(stack: Stack, ready = stack.frames.length): Promise<OpenedVolume> {
    const geometry = volumeOf(stack);
    if (isNoVolume(geometry)) throw new Error(geometry.reason);
    const volume = await volumesOf(this.store)(stack, geometry);
    await new Promise<void>((resolve) => {
      const check = () => {
        this.progress.push(volume.progress());
        if (volume.progress().ready >= ready) resolve();
      };
      volume.onProgress(check);
      check();
    });
    return volume;
  }

  /** All values of the image on the glass, in what they mean: Hounsfield units for CT. */
  allValues(): { columns: number; rows: number; values: number[] } {
    const { columns, rows, values, slope, intercept } = this.view.pixels()!;
    return { columns, rows, values: Array.from(values, (value) => value * slope + intercept) };
  }

  want(index: number): void {
    this.wanted = index;
    this.view.want(index);
  }

  last(): Shown | undefined {
    return this.events.findLast(({ shown }) => shown)?.shown;
  }

  troubles(): Event['trouble'][] {
    return this.events.flatMap(({ trouble }) => (trouble ? [trouble] : []));
  }

  counts() {
    return this.store.counts(this.stacks[0]!);
  }

  states(): string[] {
    return this.stacks[0]!.frames.map(({ id }) => this.store.state(id).at);
  }

  instanceOf(index: number): { instance: string; frame: number } {
    return this.stacks[0]!.frames[index]!.name;
  }

  setWindow(window: Window): void {
    this.view.setWindow(window);
  }

  setCamera(camera: Partial<Camera>): void {
    this.view.setCamera(camera);
  }

  toImage(glass: Point): Point | undefined {
    return this.view.toImage(glass);
  }

  toGlass(image: Point): Point | undefined {
    return this.view.toGlass(image);
  }

  /** Values of the image on the glass as they are meant, some of them. */
  values(places: readonly Point[]): (number | undefined)[] {
    const pixels = this.view.pixels();
    return places.map(([column, row]) => {
      const value = pixels?.values[row * pixels.columns + column];
      return value === undefined ? undefined : value * pixels!.slope + pixels!.intercept;
    });
  }

  retry(index: number): void {
    this.store.retry(this.stacks[0]!.frames[index]!.id);
  }

  known(): number {
    return knownFrames();
  }

  close(): number {
    this.view.close();
    for (const remove of this.#removes) remove();
    return knownFrames();
  }
}

/** Pixels on the glass, RGBA. */
function pixels(): ImageData {
  const canvas = glass.querySelector('canvas')!;
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d')!;
  copy.drawImage(canvas, 0, 0);
  return copy.getImageData(0, 0, canvas.width, canvas.height);
}

/** The sum of all red values. */
function checksum(): number {
  let sum = 0;
  const { data } = pixels();
  for (let at = 0; at < data.length; at += 4) sum += data[at]!;
  return sum;
}

Object.assign(window, {
  page: new Page(),
  /** Width, height and the red, green and blue values of all pixels, in base64. */
  readGlass: async () => {
    const { width, height, data } = pixels();
    const colours = data.filter((_, at) => at % 4 < 3);
    const url = await new Promise<string>((resolve) => {
      const reader = new FileReader();
      reader.onload = () => resolve(reader.result as string);
      reader.readAsDataURL(new Blob([colours]));
    });
    return { width, height, data: url.slice(url.indexOf(',') + 1) };
  },
});

export type TestPage = Page;
