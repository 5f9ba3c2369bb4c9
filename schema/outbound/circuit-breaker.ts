import { Fault } from '../fault/fault.ts';
import { isRefused, isTimeout, RETRY_SECONDS } from './unreachable.ts';

/** Milliseconds for which a late source may take to answer a probe before it counts as away. */
const SUSPECTED = 500;
/** Milliseconds: a late source that answers within this time was not away but slow, and gets twice its time from then on. */
const SLOW = 5000;
/** Milliseconds from the opening to the first probe. Each further wait is twice as long, up to the longest one. */
const FIRST_WAIT = 1000;
const LONGEST_WAIT = 30_000;
/** Milliseconds between two probes of a source that is asked for: its users get it back within this time. */
const WAIT_IF_ASKED = 4000;

export type CircuitState = 'closed' | 'open' | 'half-open';

/** The state of a source that does not answer. */
export interface OpenCircuit {
  state: Exclude<CircuitState, 'closed'>;
  /** Since when, in milliseconds since the epoch. */
  since: number;
  /** The failure by which it opened, for the log. */
  failure: Fault;
}

export interface CircuitBreakerOptions {
  /** Called when the source is found to be away, and with undefined when it answers again. */
  onChange?(now: OpenCircuit | undefined): void;
  /** Longest time in which the source may answer a probe, in milliseconds (default: 20 s). */
  patience?: number | undefined;
  /** Returns the failure of a source that answers neither a call nor a probe. */
  silence?(cause: Error): Fault;
}

/** Returns a failure that names no source. */
const silent = (cause: Error): Fault =>
  new Fault('unavailable', 'A source does not answer; ask again later.', {
    retryAfter: RETRY_SECONDS,
    cause,
  });

/**
 * Remembers that a source does not answer, so that only the first caller waits for it (DW-23). It opens when no connection
 * can be made, or when a call is late and the source does not answer a probe either: a slow retrieval opens nothing. While
 * it is open, every call is refused at once, known, foreign or absent (IA-7), and probes find out when the source is back.
 * Any answer closes it, whatever it says.
 */
export class CircuitBreaker {
  readonly #options: CircuitBreakerOptions;
  #probe: ((signal: AbortSignal) => Promise<unknown>) | undefined;
  readonly #calls = new Set<AbortController>();
  /** At most two: the newest, and an older one, because a source that is back may be slow. */
  #probes: AbortController[] = [];
  #open: (Omit<OpenCircuit, 'state'> & { refusal: Fault }) | undefined;
  #suspicion: NodeJS.Timeout | undefined;
  #suspectedAt = -Infinity;
  #mayTake = SUSPECTED;
  #timer: NodeJS.Timeout | undefined;
  #wait = FIRST_WAIT;
  /** Times of the last and the next probe, by `performance.now()`. */
  #probedAt = 0;
  #nextAt = 0;

  constructor(options: CircuitBreakerOptions = {}) {
    this.#options = options;
  }

  /** The state of the source while it is away. */
  get open(): OpenCircuit | undefined {
    if (!this.#open) return undefined;
    const { since, failure } = this.#open;
    return { since, failure, state: this.#probes.length > 0 ? 'half-open' : 'open' };
  }

  /** Sets the smallest request, which does not wait for a turn. Without it, the breaker never opens. */
  probeBy(probe: (signal: AbortSignal) => Promise<unknown>): void {
    this.#probe = probe;
  }

  /**
   * Runs an exchange with the source. It is ended when the source is found to be away, so that it occupies nothing.
   * @throws Fault `unavailable` at once while the source is away; the errors of the work
   */
  async run<T>(work: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (this.#open) {
      this.#askSoon();
      throw this.#open.refusal;
    }
    const call = new AbortController();
    this.#calls.add(call);
    try {
      // A stream that the work gives ends with the caller, also later. A listener for each call would stay until then.
      return await work(signal ? AbortSignal.any([signal, call.signal]) : call.signal);
    } catch (error) {
      this.#judge(error);
      throw error;
    } finally {
      this.#calls.delete(call);
    }
  }

  /** Notes a sign of the source, such as an answer of any status. */
  answered(): void {
    const took = performance.now() - this.#suspectedAt;
    if (took < SLOW) this.#mayTake = Math.max(SUSPECTED, 2 * took, this.#mayTake / 2);
    this.#suspectedAt = -Infinity;
    clearTimeout(this.#suspicion);
    this.#suspicion = undefined;
    if (!this.#open) return;
    this.#end();
    this.#options.onChange?.(undefined);
  }

  /** Notes that the source is late: it counts as away unless it answers a probe. */
  late(): void {
    if (this.#open || this.#suspicion || !this.#probe) return;
    this.#suspectedAt = performance.now();
    // A turn later, because the answer may wait in a busy event loop.
    this.#suspicion = setTimeout(
      () => setImmediate(() => this.#suspicion && this.#isAway()),
      this.#mayTake,
    ).unref();
    this.#ask();
  }

  close(): void {
    clearTimeout(this.#suspicion);
    this.#end();
  }

  #isAway(): void {
    const { silence = silent } = this.#options;
    this.#begin(silence(new Error('it answers no probe')));
    for (const call of this.#calls) call.abort(this.#open?.refusal);
  }

  #judge(error: unknown): void {
    if (!(error instanceof Fault)) return;
    if (isRefused(error.cause)) this.#begin(error);
    else if (isTimeout(error.cause)) this.late();
  }

  #begin(failure: Fault): void {
    clearTimeout(this.#suspicion);
    this.#suspicion = undefined;
    if (this.#open || !this.#probe) return;
    const { code, message, details } = failure;
    // The log has one line for the failure, and none for each request that meets it.
    const refusal = new Fault(code, message, { ...details, isLogged: true });
    this.#open = { since: Date.now(), failure, refusal };
    this.#wait = FIRST_WAIT;
    this.#askIn(this.#wait);
    this.#options.onChange?.(this.open);
  }

  #end(): void {
    this.#open = undefined;
    clearTimeout(this.#timer);
    for (const probe of this.#probes) probe.abort();
  }

  /** Probes sooner, because the source is asked for. */
  #askSoon(): void {
    const due = this.#probedAt + WAIT_IF_ASKED;
    if (due < this.#nextAt) this.#askIn(Math.max(0, due - performance.now()));
  }

  #askIn(milliseconds: number): void {
    clearTimeout(this.#timer);
    this.#nextAt = performance.now() + milliseconds;
    const ask = (): void => {
      this.#wait = Math.min(2 * this.#wait, LONGEST_WAIT);
      this.#askIn(this.#wait);
      this.#ask();
    };
    this.#timer = setTimeout(ask, milliseconds).unref();
  }

  #ask(): void {
    this.#probedAt = performance.now();
    if (this.#probes.length > 1) this.#probes.pop()!.abort();
    const probe = new AbortController();
    this.#probes.push(probe);
    const end = setTimeout(() => probe.abort(), this.#options.patience ?? 20_000).unref();
    const over = (): void => {
      clearTimeout(end);
      this.#probes = this.#probes.filter((one) => one !== probe);
    };
    this.#probe?.(probe.signal)
      .then(() => this.answered())
      .catch((error: unknown) => this.#judge(error))
      .finally(over);
  }
}
