import { Fault } from '../../../schema/fault/fault.ts';

/** A request that waits for room. */
interface Waiting {
  weight: number;
  held: number;
  start(): void;
  refuse(reason: Error): void;
}

export interface LaneOptions {
  /** Bytes that all entries may take together. */
  bytes: number;
  /** Number of requests that may wait. */
  queue: number;
  /** Bytes that waiting requests may hold (default: any). */
  held?: number;
  /** Tells whether one more may enter, regardless of its bytes (default: always). */
  open?: () => boolean;
}

/** Grants bytes in the order of requests. A waiting request may leave. */
export class Lane {
  /** Number of entries. */
  running = 0;
  readonly #options: LaneOptions;
  readonly #waiting = new Set<Waiting>();
  #used = 0;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  /** True if a request waits. */
  get isWaitedFor(): boolean {
    return this.#waiting.size > 0;
  }

  /**
   * Waits until there is room.
   * @param weight bytes to take, which `leave` gives back
   * @param held bytes that are in memory while it waits
   * @throws Fault `unavailable` with `retryAfter` when too many wait; the reason of the signal when it aborts first
   */
  async enter(weight: number, signal?: AbortSignal, held = 0): Promise<void> {
    signal?.throwIfAborted();
    if (this.#waiting.size > 0 || !this.#hasRoom(weight)) await this.#wait(weight, held, signal);
    else this.#begin(weight);
  }

  leave(weight: number): void {
    this.running--;
    this.#used -= weight;
    this.startWaiting();
  }

  /** Admits waiting requests for which there is room. */
  startWaiting(): void {
    for (const { weight, start } of this.#waiting) {
      if (!this.#hasRoom(weight)) return;
      this.#begin(weight);
      start();
    }
  }

  /** Refuses all waiting requests. */
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

  #wait(weight: number, held: number, signal: AbortSignal | undefined): Promise<void> {
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
        weight,
        held,
        start: () => leaving(resolve),
        refuse: (reason) => leaving(() => reject(reason)),
      };
      const abort = (): void => {
        waiting.refuse(signal!.reason as Error);
        // There may be room for a smaller request behind it.
        this.startWaiting();
      };
      this.#waiting.add(waiting);
      signal?.addEventListener('abort', abort, { once: true });
    });
  }
}

function tooMany(): Fault {
  const message = 'Too many images are being decoded or rendered at the same time; ask again.';
  return new Fault('unavailable', message, { service: 'imaging', retryAfter: 2 });
}
