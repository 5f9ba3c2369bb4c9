import {
  clipOf,
  frameAt,
  isMultiFrame,
  LEAST_SHOWN,
  rateOf,
  SPEEDS,
  timingOf,
  TRUE_SPEED,
} from '../../domain/series/film-timing.ts';
import type { Stack } from '../../domain/series/stacks.ts';
import type { Cell } from '../../state/stage/cell.svelte.ts';
import { onePer } from '../../state/browser/one-per.ts';

/** The rate that was reached is counted over this time. Milliseconds. */
const COUNTED = 1000;

/** Plays the images of a cell. Time goes on as it does: images that do not come onto the glass in time are skipped. */
class Player {
  readonly cell: Cell;
  playing = $state(false);
  /** True while the next image has not arrived: then the film waits. */
  loading = $state(false);
  swing = $state(false);
  /** True once the person has played something here. */
  used = $state(false);
  /** Images a second that were on the glass; undefined while there are as many as there should be. */
  reached = $state<number>();
  #speed = $state(TRUE_SPEED);
  /** Of the multi-frame instance that is shown. */
  readonly #instance = $derived.by(() => {
    const frame = this.cell.stack?.frames[this.cell.wanted];
    return frame && isMultiFrame(frame) ? frame.name.instance : undefined;
  });
  readonly #clip = $derived.by(() => clipOf(this.cell.stack?.frames ?? [], this.#instance));
  readonly timing = $derived.by(() => timingOf(this.#clip));
  /** Milliseconds of film. */
  #elapsed = 0;
  #before = 0;
  #wanted: { stack: Stack; index: number } | undefined;
  #seen: { index: number; times: number[]; since: number } = { index: -1, times: [], since: 0 };
  #frame = 0;

  constructor(cell: Cell) {
    this.cell = cell;
  }

  /** True if there is something to play. */
  get possible(): boolean {
    return this.#clip.frames.length > 1;
  }

  /** Index in `SPEEDS`. */
  get speed(): number {
    return this.#speed;
  }

  set speed(at: number) {
    this.#speed = Math.min(Math.max(at, 0), SPEEDS.length - 1);
    this.#count(performance.now());
  }

  get factor(): number {
    return SPEEDS[this.#speed]!;
  }

  /** Images a second, as they should be. */
  get rate(): number {
    return rateOf(this.timing) * this.factor;
  }

  toggle(): void {
    if (this.playing) this.pause();
    else this.play();
  }

  play(): void {
    const { stack, wanted } = this.cell;
    if (this.playing || !stack || !this.possible) return;
    this.playing = this.used = true;
    this.#elapsed = this.timing.begins[wanted - this.#clip.from] ?? 0;
    this.#wanted = { stack, index: wanted };
    this.#before = performance.now();
    this.#count(this.#before);
    document.addEventListener('visibilitychange', this.#onHidden);
    this.#frame = requestAnimationFrame(this.#tick);
  }

  readonly pause = (): void => {
    cancelAnimationFrame(this.#frame);
    document.removeEventListener('visibilitychange', this.#onHidden);
    this.playing = this.loading = this.cell.playing = false;
    this.reached = undefined;
  };

  readonly #onHidden = (): void => {
    if (document.hidden) this.pause();
  };

  readonly #tick = (): void => {
    const now = performance.now();
    const passed = (now - this.#before) * this.factor;
    this.#before = now;
    if (this.#isInterrupted()) return this.pause();
    if (!this.loading) this.#elapsed += passed;
    const index = this.#clip.from + frameAt(this.timing, this.#elapsed, this.swing);
    const loading = !this.cell.isReady(index);
    if (loading || this.loading) this.#count(now);
    this.loading = loading;
    this.cell.playing = !loading;
    if (index !== this.cell.wanted) this.cell.want(index);
    this.#wanted = { stack: this.cell.stack!, index };
    this.#watch(now);
    this.#frame = requestAnimationFrame(this.#tick);
  };

  /** True if the person has gone to another image, or the image cannot be shown. */
  #isInterrupted(): boolean {
    const { stack, wanted, trouble } = this.cell;
    return trouble !== undefined || stack !== this.#wanted?.stack || wanted !== this.#wanted?.index;
  }

  /** Begins to count what comes onto the glass. */
  #count(now: number): void {
    this.#seen = { index: -1, times: [], since: now };
    this.reached = undefined;
  }

  #watch(now: number): void {
    const seen = this.#seen;
    const shown = this.cell.shown?.index ?? -1;
    if (shown !== seen.index) seen.times.push(now);
    seen.index = shown;
    while (seen.times.length > 0 && seen.times[0]! < now - COUNTED) seen.times.shift();
    if (now - seen.since < COUNTED) return;
    // Said at most twice a second: a number that flickers cannot be read.
    seen.since = now - COUNTED / 2;
    const count = (seen.times.length * 1000) / COUNTED;
    // One image more or less is a matter of where the second begins.
    this.reached = count < this.rate * LEAST_SHOWN - 1 ? count : undefined;
  }
}

/** Returns the one player of a cell: its keys and its bar share it. */
export const playerOf = onePer((cell: Cell) => new Player(cell));
