import { frameShownAt, middleOf, type Film } from '../../domain/documents/video.ts';
import type { Instance } from '../../domain/instance.ts';
import { LEAST_SHOWN, SPEEDS, TRUE_SPEED } from '../../domain/series/film-timing.ts';
import type { StreamedVideo } from './streamed-video.ts';
import type { ShownVideo } from '../../state/stage/shown-video.svelte.ts';

/** The rate that was reached is counted over this time. Milliseconds. */
const COUNTED = 1000;

/** Plays a video by the browser, frame for frame. The frame that it names is the one that the browser says to be on the glass. */
export class VideoPlayer implements ShownVideo {
  readonly instance: Instance;
  readonly film: Film;
  playing = $state(false);
  frame = $state<number>();
  loop = $state(false);
  muted = $state(false);
  /** True if the browser cannot decode it, or cannot go on. */
  failed = $state(false);
  /** Frames a second that were on the glass; undefined while there are as many as there should be. */
  reached = $state<number>();
  #speed = $state(TRUE_SPEED);
  readonly #stream: Pick<StreamedVideo, 'want' | 'again'> | undefined;
  #video: HTMLVideoElement | undefined;
  /** Seconds of the browser's clock at which the first frame begins. */
  #origin: number | undefined;
  /** The frame to which the last step leads; undefined after it has played. */
  #wanted: number | undefined;
  /** The frame that the browser is looking for. */
  #sought: number | undefined;
  #seen = { presented: 0, since: 0 };

  /** @param stream of a video that comes in pieces */
  constructor(instance: Instance, film: Film, stream?: Pick<StreamedVideo, 'want' | 'again'>) {
    this.instance = instance;
    this.film = film;
    this.#stream = stream;
  }

  get count(): number {
    return this.film.begins.length;
  }

  /** Index in `SPEEDS`. */
  get speed(): number {
    return this.#speed;
  }

  set speed(at: number) {
    this.#speed = Math.min(Math.max(at, 0), SPEEDS.length - 1);
    if (this.#video) this.#video.playbackRate = this.factor;
    this.#seen.since = 0;
    this.reached = undefined;
  }

  get factor(): number {
    return SPEEDS[this.#speed]!;
  }

  /** Frames a second, as they should be. */
  get rate(): number {
    const { begins, end } = this.film;
    return begins.length > 0 && end > begins[0]! ? (begins.length / (end - begins[0]!)) * this.factor : 0;
  }

  toggle(): void {
    // A browser that does not let it play says so itself; the button stays.
    if (this.#video?.paused) void this.#video.play().catch(() => undefined);
    else this.#video?.pause();
  }

  /** Asks again for what has not come. */
  again(): void {
    this.#stream?.again();
  }

  step(by: number): void {
    this.want((this.#wanted ?? this.frame ?? 0) + by);
  }

  /** Stops at a frame. @param frame from 0 */
  want(frame: number): void {
    if (this.count === 0) return;
    this.#video?.pause();
    this.#wanted = Math.min(Math.max(frame, 0), this.count - 1);
    this.#seek();
  }

  picture(): HTMLCanvasElement | undefined {
    const video = this.#video;
    if (!video || video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return undefined;
    const canvas = Object.assign(document.createElement('canvas'), {
      width: video.videoWidth,
      height: video.videoHeight,
    });
    canvas.getContext('2d')!.drawImage(video, 0, 0);
    return canvas;
  }

  /** Shows it by an element. @returns a function that ends it */
  readonly attach = (video: HTMLVideoElement): (() => void) => {
    this.#video = video;
    const closing = new AbortController();
    const { signal } = closing;
    const on = (type: string, heard: () => unknown) => video.addEventListener(type, heard, { signal });
    on('play', () => this.#onPlay(true));
    on('pause', () => this.#onPlay(false));
    on('error', () => (this.failed = true));
    // Sound without pictures: their coding is unknown to the browser.
    on('loadedmetadata', () => (this.failed = video.videoWidth === 0));
    // Not every browser says that the first frame is on the glass before something has been sought.
    on('loadeddata', () => this.#origin === undefined && (video.currentTime = 0));
    on('seeked', () => {
      this.#onSought();
      this.#onStill(video);
    });
    for (const moved of ['seeking', 'timeupdate']) on(moved, () => this.#stream?.want(video.currentTime));
    document.addEventListener('visibilitychange', () => document.hidden && video.pause(), { signal });
    const look = (now: number, { mediaTime, presentedFrames }: VideoFrameCallbackMetadata) => {
      if (signal.aborted) return;
      this.#onFrame(mediaTime);
      this.#count(now, presentedFrames);
      video.requestVideoFrameCallback(look);
      this.#onStill(video);
    };
    // Some browsers do not say when a frame is on the glass, but only where they are.
    if (Reflect.has(video, 'requestVideoFrameCallback')) video.requestVideoFrameCallback(look);
    else
      for (const moved of ['loadeddata', 'timeupdate', 'seeked'])
        on(moved, () => this.#onFrame(video.currentTime));
    return () => {
      closing.abort();
      this.#video = undefined;
    };
  };

  #onPlay(playing: boolean): void {
    this.playing = playing;
    if (playing) this.#wanted = undefined;
    this.#seen.since = 0;
    this.reached = undefined;
  }

  /** One seek at a time, after the first frame: steps that come meanwhile lead further. */
  #seek(): void {
    const [origin, wanted] = [this.#origin, this.#wanted];
    if (!this.#video || origin === undefined || wanted === undefined || this.#sought !== undefined) return;
    this.#sought = wanted;
    this.#video.currentTime = origin + middleOf(this.film, wanted);
  }

  #onSought(): void {
    const isThere = this.#sought === this.#wanted;
    this.#sought = undefined;
    if (!isThere) this.#seek();
  }

  #onFrame(seconds: number): void {
    const { begins } = this.film;
    if (begins.length === 0) return;
    const isFirst = this.#origin === undefined;
    // Nothing has been sought before the first one.
    this.#origin ??= seconds - begins[0]!;
    this.frame = frameShownAt(this.film, seconds - this.#origin);
    if (isFirst) this.#seek();
  }

  /**
   * Asks the browser for the frame on the glass while nothing plays. It does not say a frame that comes after it has decided to
   * say an earlier one and before it is asked again, and then no other follows.
   */
  #onStill(video: HTMLVideoElement): void {
    const isThere = video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA;
    if (!video.paused || !isThere || !Reflect.has(window, 'VideoFrame')) return;
    const frame = new VideoFrame(video);
    this.#onFrame(frame.timestamp / 1_000_000);
    frame.close();
  }

  /** Compares how many frames have come onto the glass with how many there should be. */
  #count(now: number, presented: number): void {
    if (!this.playing) return;
    if (this.#seen.since === 0) this.#seen = { presented, since: now };
    const passed = now - this.#seen.since;
    if (passed < COUNTED) return;
    const reached = ((presented - this.#seen.presented) * 1000) / passed;
    this.#seen = { presented, since: now };
    // One frame more or less is a matter of where the second begins.
    this.reached = reached < this.rate * LEAST_SHOWN - 1 ? reached : undefined;
  }
}
