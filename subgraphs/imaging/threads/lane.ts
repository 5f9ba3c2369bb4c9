import { Fault } from '../../../schema/fault/fault.ts';

/** One who waits in a lane. */
interface Waiting {
  weight: number;
  held: number;
  start(): void;
  refuse(reason: Error): void;
}

export interface LaneOptions {
  /** Bytes that all who are in it may take together. */
  bytes: number;
  /** Who may wait. */
  queue: number;
  /** Bytes that those who wait may hold meanwhile (default: any). */
  held?: number;
  /** Whether one more may enter, whatever it takes (default: always). */
  open?: () => boolean;
}

/** Bytes that are given out in the order in which they are asked for; whoever waits may leave. */
export class Lane {
  /** How many are in it. */
  running = 0;
  readonly #options: LaneOptions;
  readonly #waiting = new Set<Waiting>();
  #used = 0;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  /** Whether anybody waits. */
  get isWaitedFor(): boolean {
    return this.#waiting.size > 0;
  }

  /**
   * Waits until there is room.
   * @param weight bytes, given back with `leave`
   * @param held of them, or others, that are in memory already
   * @throws Fault `unavailable` with `retryAfter` where too many wait; the reason of the signal when that comes first
   */
  async enter(weight: number, signal?: AbortSignal, held = 0): Promise<void> {
    signal?.throwIfAborted();
    if (this.#waiting.size > 0 || !this.#hasRoom(weight)) await this.#turn(weight, held, signal);
    else this.#begin(weight);
  }

  leave(weight: number): void {
    this.running--;
    this.#used -= weight;
    this.startWaiting();
  }

  /** Lets those in for whom there is room. */
  startWaiting(): void {
    for (const { weight, start } of this.#waiting) {
      if (!this.#hasRoom(weight)) return;
      this.#begin(weight);
      start();
    }
  }

  /** Refuses all who wait. */
  close(reason: Error): void {
    for (const one of [...this.#waiting]) one.refuse(reason);
  }

  #hasRoom(weight: number): boolean {
    const { bytes, open } = this.#options;
    return this.#used + weight <= bytes && (open?.() ?? true);
  }

  #begin(weight: number): void {
    this.running++;
    this.#used += weight;
  }

  #turn(weight: number, held: number, signal: AbortSignal | undefined): Promise<void> {
    const { queue, held: most = Infinity } = this.#options;
    const holding = [...this.#waiting].reduce((sum, one) => sum + one.held, held);
    if (this.#waiting.size >= queue || holding > most) throw tooMany();
    return new Promise((resolve, reject) => {
      const leaving = (done: () => void): void => {
        this.#waiting.delete(waiting);
        signal?.removeEventListener('abort', abort);
        done();
      };
      const waiting: Waiting = {
        ...{ weight, held },
        start: () => leaving(resolve),
        refuse: (reason) => leaving(() => reject(reason)),
      };
      const abort = (): void => {
        waiting.refuse(signal!.reason as Error);
        // A smaller one behind it may have room.
        this.startWaiting();
      };
      this.#waiting.add(waiting);
      signal?.addEventListener('abort', abort, { once: true });
    });
  }
}

function tooMany(): Fault {
  const message = 'Too many images are being made at the same time.';
  return new Fault('unavailable', message, { service: 'imaging', retryAfter: 2 });
}
