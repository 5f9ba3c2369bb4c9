import {
  fragmentOf,
  initialPart,
  piecesOf,
  shiftOf,
  type Piece,
} from '../../domain/documents/mp4-fragments.ts';
import type { VideoTrack } from '../../domain/documents/mp4.ts';

/** Reads bytes of the file. */
export type Read = (from: number, to: number, signal: AbortSignal) => Promise<Uint8Array>;

interface Reading {
  read: Read;
  onTrouble: (error: unknown) => void;
}

interface Streamed {
  track: VideoTrack;
  /** With its codecs, as `video/mp4; codecs="avc1.42e01e"`. */
  type: string;
  pixels: { columns: number; rows: number };
  /** Bytes of a piece, at least. */
  piece: number;
}

/** Seconds after the place that is shown for which pieces are asked for. */
const AHEAD = 10;
/** Pieces that the browser keeps; and of them so many at most after the place that is shown. */
const KEPT = 12;
const KEPT_AHEAD = 6;

/** A video that comes in pieces, as they are wanted: seeking asks for those at the new place, and for no others. */
export class StreamedVideo {
  readonly url: string;
  readonly #source = new MediaSource();
  readonly #track: VideoTrack;
  readonly #pixels: Streamed['pixels'];
  readonly #read: Read;
  readonly #pieces: readonly Piece[];
  readonly #there = new Set<Piece>();
  readonly #closing = new AbortController();
  /** True while one is on its way; at first while the browser is made ready. */
  #busy = true;
  #at = 0;
  /** True after a piece has not come, until it is asked for again. */
  #failed = false;
  readonly #onTrouble: (error: unknown) => void;

  constructor({ track, type, pixels, piece }: Streamed, { read, onTrouble }: Reading) {
    this.#track = track;
    this.#pixels = pixels;
    this.#read = read;
    this.#onTrouble = onTrouble;
    this.#pieces = piecesOf(track, piece);
    this.url = URL.createObjectURL(this.#source);
    this.#source.addEventListener('sourceopen', () => void this.#open(type).catch(onTrouble), { once: true });
  }

  /** Asks for what is wanted at a time. Who shows the video calls it when that changes. */
  want(seconds: number): void {
    this.#at = seconds;
    if (!this.#failed) void this.#fill();
  }

  again(): void {
    this.#failed = false;
    void this.#fill();
  }

  close(): void {
    this.#closing.abort();
    URL.revokeObjectURL(this.url);
  }

  async #open(type: string): Promise<void> {
    const buffer = this.#source.addSourceBuffer(type);
    buffer.timestampOffset = -shiftOf(this.#track) / this.#track.timescale;
    this.#source.duration = this.#pieces.at(-1)!.ends;
    await this.#append(initialPart(this.#track, this.#pixels));
    this.#busy = false;
    await this.#fill();
  }

  /** Asks for one piece after the other, until all are there that are wanted now. */
  async #fill(): Promise<void> {
    if (this.#busy || this.#source.readyState === 'closed') return;
    this.#busy = true;
    try {
      const missing = () => this.#wanted().find((piece) => !this.#there.has(piece));
      for (let next = missing(); next && !this.#closing.signal.aborted; next = missing()) {
        const bytes = await this.#read(next.begin, next.end, this.#closing.signal);
        await this.#makeRoom();
        await this.#append(fragmentOf(this.#track, next, bytes));
        this.#there.add(next);
      }
      // Otherwise the browser waits at the end for more.
      if (this.#there.has(this.#pieces.at(-1)!) && this.#source.readyState === 'open')
        this.#source.endOfStream();
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      this.#failed = true;
      this.#onTrouble(error);
    } finally {
      this.#busy = false;
    }
  }

  #wanted(): Piece[] {
    const isWanted = ({ starts, ends }: Piece) => ends > this.#at && starts < this.#at + AHEAD;
    return this.#pieces.filter(isWanted).slice(0, KEPT_AHEAD);
  }

  /** Forgets the piece that is furthest away, where there are too many. */
  async #makeRoom(): Promise<void> {
    if (this.#there.size < KEPT) return;
    const distance = ({ starts, ends }: Piece) => Math.max(starts - this.#at, this.#at - ends);
    const wanted = new Set(this.#wanted());
    const [furthest] = [...this.#there]
      .filter((one) => !wanted.has(one))
      .sort((a, b) => distance(b) - distance(a));
    this.#there.delete(furthest!);
    const [buffer] = this.#source.sourceBuffers;
    buffer!.remove(furthest!.starts, furthest!.ends);
    await updated(buffer!);
  }

  async #append(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const [buffer] = this.#source.sourceBuffers;
    buffer!.appendBuffer(bytes);
    await updated(buffer!);
  }
}

/** Waits until a buffer has done what it was asked for. @throws if it could not */
function updated(buffer: SourceBuffer): Promise<void> {
  return new Promise((resolve, reject) => {
    buffer.addEventListener('updateend', () => resolve(), { once: true });
    buffer.addEventListener('error', () => reject(new Error('the browser does not take this piece')), {
      once: true,
    });
  });
}
