import { Fault } from '../../../../schema/fault.ts';
import { noSuchObject } from '../../not-found.ts';
import type { Target } from '../source.ts';
import type { Holding, RetrievalCache } from './cache.ts';
import type { StoreRequest } from './connection.ts';
import { isWithin, moved, Spool, type SpooledInstance } from './spool.ts';
import { failure } from './status.ts';

/** Milliseconds for which a retrieval that nobody waits for goes on: the next request for it may be on its way. */
const GRACE = 250;

/** What the archive has of a target, by C-FIND. */
export interface Plan {
  /** How many instances. */
  count: number;
  /** Of the instances, where they have to be named. */
  sopClasses: readonly string[];
}

/** How a retrieval is done. */
export interface Steps {
  plan(signal: AbortSignal): Promise<Plan>;
  /** Resolves with the number of objects that the archive says it sent. */
  fetch(plan: Plan, signal: AbortSignal): Promise<number>;
}

/**
 * One retrieval, shared by all who ask for the same (DW-16): instances are read while they arrive. It is given up when
 * nobody waits for it any more.
 */
export class Retrieval {
  readonly target: Target;
  readonly #cache: RetrievalCache;
  readonly #abort = new AbortController();
  readonly #holding: Promise<Holding>;
  readonly #arrived: SpooledInstance[] = [];
  readonly #uids = new Set<string>();
  #received = 0;
  #followers = 0;
  #wake: () => void = () => undefined;
  #change: Promise<void>;
  /** Rejects with the failure; awaited by each who follows. */
  readonly done: Promise<void>;
  #ended = false;

  /** @param key names it in the cache */
  constructor(key: string, target: Target, cache: RetrievalCache, steps: Steps) {
    this.target = target;
    this.#cache = cache;
    this.#holding = cache.begin();
    this.#change = this.#nextChange();
    this.done = this.#run(key, steps);
    this.done.catch(() => undefined);
  }

  /** Takes the bytes of an object that arrives. */
  spool(request: StoreRequest): Spool {
    return new Spool(this.#cache.incoming, request, (instance) => this.take(instance));
  }

  /** @returns false for an object that is not part of what was asked for */
  async take(instance: SpooledInstance): Promise<boolean> {
    if (this.#ended || !isWithin(instance, this.target)) return false;
    this.#received++;
    // Some send an object twice.
    if (this.#uids.has(instance.sopInstanceUid)) return true;
    this.#uids.add(instance.sopInstanceUid);
    const { directory, instances } = await this.#holding;
    const kept = await moved(instance, directory, `${this.#uids.size}.dcm`);
    instances.push(kept);
    this.#arrived.push(kept);
    this.#cache.grow(kept.size);
    this.#changed();
    return true;
  }

  /** Whether nobody should join it any more. */
  get givenUp(): boolean {
    return this.#abort.signal.aborted;
  }

  /** What has arrived of a part of the target. */
  has(target: Target): SpooledInstance | undefined {
    return this.#arrived.find((instance) => isWithin(instance, target));
  }

  /** The instances, each as soon as it is there. */
  async *follow(signal?: AbortSignal): AsyncGenerator<SpooledInstance, void, void> {
    const leave = await this.#enter();
    try {
      for (let next = 0; ; next++) {
        while (next === this.#arrived.length && !this.#ended) await this.#waiting(this.#change, signal);
        if (next < this.#arrived.length) yield this.#arrived[next]!;
        else return await this.done;
      }
    } finally {
      leave();
    }
  }

  /** All instances, in order, once the last has come; `release` lets go of their files. */
  async whole(signal?: AbortSignal): Promise<{ instances: readonly SpooledInstance[]; release: () => void }> {
    const leave = await this.#enter();
    try {
      await this.#waiting(this.done, signal);
      const { instances } = await this.#holding;
      return { instances, release: leave };
    } catch (error) {
      leave();
      throw error;
    }
  }

  cancel(): void {
    this.#abort.abort(new Fault('unavailable', 'The server is stopping.', { retryAfter: 5 }));
  }

  async #enter(): Promise<() => void> {
    this.#followers++;
    const holding = await this.#holding;
    const release = holding.read();
    let inside = true;
    return () => {
      if (!inside) return;
      inside = false;
      release();
      this.#followers--;
      if (this.#followers > 0 || this.#ended) return;
      setTimeout(() => this.#followers === 0 && this.#abort.abort(), GRACE).unref();
    };
  }

  async #run(key: string, { plan, fetch }: Steps): Promise<void> {
    const { signal } = this.#abort;
    const holding = await this.#holding;
    try {
      const planned = await plan(signal);
      const sent = await fetch(planned, signal);
      const { count } = planned;
      if (this.#received === 0 && sent === 0) throw noSuchObject();
      // Success is not believed of an archive that sent less than it said: a part would pass for the whole (DW-13).
      if (this.#received < sent || this.#uids.size < count) throw failure(0xb000, count - this.#uids.size);
      this.#ended = true;
      await this.#cache.keep(key, { holding, count });
    } catch (error) {
      this.#ended = true;
      holding.discard();
      throw error;
    } finally {
      this.#cache.ended(holding);
      this.#changed();
    }
  }

  async #waiting<T>(what: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    if (!signal) return what;
    signal.throwIfAborted();
    let leave: () => void = () => undefined;
    const left = new Promise<never>((_, reject) => {
      leave = () => reject(signal.reason as Error);
      signal.addEventListener('abort', leave, { once: true });
    });
    try {
      return await Promise.race([what, left]);
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }

  #nextChange(): Promise<void> {
    return new Promise((resolve) => (this.#wake = resolve));
  }

  #changed(): void {
    this.#wake();
    this.#change = this.#nextChange();
  }
}
