import { Trouble } from '../../data/trouble.ts';
import { onePer } from '../../state/browser/one-per.ts';
import type { Clip } from '../../domain/series/film-timing.ts';
import type { Cell } from '../../state/stage/cell.svelte.ts';
import type { Page } from '../../ui/context.ts';
import { draw, pictureSize, type Place } from '../../ui/controls/picture-of.ts';
import type { Coding, Moment, VideoFacts } from './encoder.ts';
import { Interrupted, untilDrawn } from './glass.ts';
import { NotWritten, placeFor } from './video-file.ts';

export type VideoPhase =
  /** It is not known yet how a video can be coded. */
  | 'asking'
  /** This browser codes no videos. */
  | 'unable'
  /** The script did not come. */
  | 'not-loaded'
  | 'ready'
  | 'running'
  | 'done'
  | 'cancelled'
  | 'interrupted'
  /** An image cannot be shown. */
  | 'image'
  | 'encoder'
  | 'disk';

/** Images that are saved, and their look. */
export interface VideoChoice {
  clip: Clip;
  moments: readonly Moment[];
  /** True for the whole image; false as it is on the screen. */
  whole: boolean;
  names: boolean;
  /** Without its extension. */
  fileName: (extension: string) => string;
  title: string;
  comment: string;
}

/** Saves images of a cell as a video. They pass over the glass once, and each is coded as it is there. */
class VideoSaving {
  open = $state(false);
  phase = $state<VideoPhase>('asking');
  /** Images so far. */
  done = $state(0);
  /** Why an image is not shown, and its number from 1. */
  trouble = $state.raw<{ trouble: Trouble; image: number }>();
  #coding: Coding | undefined;
  #running: AbortController | undefined;

  /** Finds how a video of a cell can be coded: the name of its file is asked for right after the click. */
  async prepare(cell: Cell, rate: number): Promise<void> {
    if (this.phase === 'running') return;
    this.phase = 'asking';
    const facts = factsOf(placeOf(cell, false), rate);
    try {
      const { codingOf } = await import('./encoder.ts');
      this.#coding = facts && (await codingOf(facts));
      this.phase = this.#coding ? 'ready' : 'unable';
    } catch {
      this.phase = 'not-loaded';
    }
  }

  cancel(): void {
    this.#running?.abort();
  }

  async save(cell: Cell, choice: VideoChoice): Promise<void> {
    const coding = this.#coding;
    const place = placeOf(cell, choice.names);
    if (!coding || !place || this.phase === 'running') return;
    const { signal } = (this.#running = new AbortController());
    this.phase = 'running';
    this.done = 0;
    this.trouble = undefined;
    const { stack, wanted, camera } = cell;
    try {
      await this.#write(cell, place, { ...choice, coding, signal });
      this.phase = 'done';
    } catch (error) {
      this.phase = signal.aborted ? 'cancelled' : phaseOf(error);
      if (error instanceof Trouble) this.trouble = { trouble: error, image: cell.wanted + 1 };
    }
    // The stage as it was, unless something else was opened on it.
    if (cell.stack !== stack) return;
    cell.want(wanted);
    cell.setCamera(() => camera);
  }

  async #write(
    cell: Cell,
    place: Place,
    { coding, signal, ...choice }: VideoChoice & { coding: Coding; signal: AbortSignal },
  ): Promise<void> {
    const { moments } = choice;
    const file = await placeFor(choice.fileName(coding.extension));
    try {
      if (choice.whole) cell.setCamera(() => ({ zoom: 1, pan: [0, 0] }));
      const facts = factsOf(place, moments.length / (moments.at(-1)!.at + moments.at(-1)!.duration))!;
      const canvas = document.createElement('canvas');
      Object.assign(canvas, { width: facts.width, height: facts.height });
      const { encode } = await import('./encoder.ts');
      const pictures = this.#pictures({ cell, place, canvas, signal }, choice);
      const blob = await encode({ ...choice, canvas, coding, facts }, pictures, file.stream);
      signal.throwIfAborted();
      await file.keep(blob);
    } catch (error) {
      await file.drop();
      throw error;
    }
  }

  /** Yields each moment when its image is on the canvas. */
  async *#pictures(
    {
      cell,
      place,
      canvas,
      signal,
    }: { cell: Cell; place: Place; canvas: HTMLCanvasElement; signal: AbortSignal },
    { clip, moments }: VideoChoice,
  ): AsyncGenerator<Moment> {
    const context = canvas.getContext('2d', { alpha: false })!;
    const { width, height } = pictureSize(place);
    for (const [index, moment] of moments.entries()) {
      cell.want(clip.from + index);
      await untilDrawn(cell, place.around, signal);
      const now = pictureSize(place);
      if (now.width !== width || now.height !== height) throw new Interrupted();
      await draw(context, place);
      signal.throwIfAborted();
      yield moment;
      this.done = index + 1;
    }
  }
}

/** Returns what saves videos on a page. */
export const videoSavingOf = onePer((_page: Page) => new VideoSaving());

/** Returns where the image of a cell is in the page; undefined while there is none. */
function placeOf({ view }: Cell, names: boolean): Place | undefined {
  const canvas = view?.picture();
  const around = canvas?.closest('.surface');
  return canvas && around ? { canvas, around, names } : undefined;
}

/** Coders want even numbers of pixels: a black line is added, and nothing is scaled. */
function factsOf(place: Place | undefined, rate: number): VideoFacts | undefined {
  if (!place) return undefined;
  const { width, height } = pictureSize(place);
  return { width: width + (width % 2), height: height + (height % 2), rate };
}

function phaseOf(error: unknown): VideoPhase {
  if (error instanceof DOMException && error.name === 'AbortError') return 'cancelled';
  if (error instanceof Interrupted) return 'interrupted';
  if (error instanceof Trouble) return 'image';
  return error instanceof NotWritten ? 'disk' : 'encoder';
}
