/** Whether a server may be asked now: one that is busy or away is left alone, then asked by one request. */
import type { Trouble } from '../data/trouble.ts';

/** The time, as the store sees it; tests give their own. */
export interface Clock {
  /** Milliseconds. */
  now(): number;
  /** Calls back after a time in milliseconds. @returns a function that prevents it */
  after(delay: number, run: () => void): () => void;
}

/** Without a word of the server, it is asked again after this time, doubled each time up to the longest. Milliseconds. */
const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 30_000;
/** After so many refusals in a row, only what somebody looks at is asked for. */
const REFUSALS = 3;

/** One server's state. `changed` is called when it may be asked again. */
export class ServerGate {
  #clock: Clock;
  #changed: () => void;
  #closed: { trouble: Trouble; until: number } | undefined;
  #probing = false;
  #waits = 0;
  #refusals = 0;
  #stop: (() => void) | undefined;

  constructor(clock: Clock, changed: () => void) {
    this.#clock = clock;
    this.#changed = changed;
  }

  /** Why the server is left alone, and until when (milliseconds of the clock; Infinity: until `open()`). */
  get closed(): { trouble: Trouble; until: number } | undefined {
    return this.#closed;
  }

  /** @param wanted true if somebody looks at what is asked for */
  mayAsk(wanted: boolean): boolean {
    if (this.#closed) return !this.#probing && this.#clock.now() >= this.#closed.until;
    return wanted || this.#refusals < REFUSALS;
  }

  /** A request begins. @returns true if it is the one that tries a closed server; to be told with its outcome */
  ask(): boolean {
    if (this.#closed) this.#probing = true;
    return this.#closed !== undefined;
  }

  /** The request was ended by us, and says nothing about the server. */
  cancelled(probe: boolean): void {
    if (probe) this.#probing = false;
  }

  /** A request that was under way when the server closed does not shorten the wait. */
  answered(probe: boolean): void {
    this.#refusals = 0;
    if (this.#closed && !probe) return;
    this.#waits = 0;
    this.open();
  }

  /** @returns true if the request may be repeated later; false if its failure is the frame's own */
  failed(trouble: Trouble, probe: boolean): boolean {
    const isLate = this.#closed !== undefined && !probe;
    if (trouble.passes || trouble.kind === 'signed-out') {
      const until = this.#endOfWait(trouble, isLate);
      this.#close(trouble, isLate ? Math.max(until, this.#closed!.until) : until);
      return true;
    }
    if (!isLate) this.open();
    if (trouble.kind !== 'damaged') this.#refusals++;
    return false;
  }

  /** Lets requests through again. */
  open(): void {
    this.#stop?.();
    this.#closed = undefined;
    this.#probing = false;
  }

  /** The browser is back on the network, or the user asks: the next request may go at once. */
  tryNow(): void {
    this.#refusals = 0;
    if (this.#closed) this.#closed.until = 0;
    this.#changed();
  }

  close(): void {
    this.#stop?.();
  }

  #endOfWait(trouble: Trouble, isLate: boolean): number {
    if (trouble.kind === 'signed-out') return Infinity;
    const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.#waits);
    if (!isLate) this.#waits++;
    return this.#clock.now() + (trouble.retryAfter ?? wait);
  }

  #close(trouble: Trouble, until: number): void {
    this.#stop?.();
    this.#probing = false;
    this.#closed = { trouble, until };
    if (Number.isFinite(until)) this.#stop = this.#clock.after(until - this.#clock.now(), this.#changed);
  }
}
