import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Fault } from '../../../../schema/fault.ts';
import { noSuchObject } from '../../not-found.ts';
import { noRoom } from '../no-room.ts';
import type { Target } from '../source.ts';
import type { Holding, RetrievalCache } from './cache.ts';
import type { StoreRequest } from './messages.ts';
import type { Plan } from './plan.ts';
import { isWithin, moved, Spool, type SpooledInstance } from './spool.ts';
import { failure } from './status.ts';

/** Milliseconds for which a retrieval that nobody waits for goes on: the next request for it may be on its way. */
const GRACE = 250;
/** Instances that may lie unread where there is no room for all of them. */
const AHEAD = 2;
/** Milliseconds for which the archive is then let wait for its readers: less than it takes archives to give up. */
const HELD = 5000;

/** How a retrieval is done. */
export interface Steps {
  plan(signal: AbortSignal): Promise<Plan>;
  /** Resolves with the number of objects that the archive says it sent. */
  fetch(plan: Plan, signal: AbortSignal): Promise<number>;
}

/** One who reads a retrieval. */
interface Reader {
  /** Which of the instances that arrived it is at. */
  at: number;
}

/**
 * One retrieval, shared by all who ask for the same (DW-16): instances are read while they arrive. It is given up when
 * nobody waits for it any more. Where there is no room to keep it, each instance is deleted once all have read it, and
 * who comes later begins another.
 */
export class Retrieval {
  readonly target: Target;
  readonly #cache: RetrievalCache;
  readonly #abort = new AbortController();
  readonly #holding: Promise<Holding>;
  readonly #arrived: SpooledInstance[] = [];
  readonly #uids = new Set<string>();
  readonly #readers = new Set<Reader>();
  #received = 0;
  #planned = Infinity;
  #passing = false;
  /** How many of the instances that arrived are deleted again. */
  #deleted = 0;
  #wake: () => void = () => undefined;
  #change: Promise<void>;
  /** Rejects with the failure; awaited by each who follows. */
  readonly done: Promise<void>;
  #ended = false;

  /** @param key names it in the cache */
  constructor(key: string, target: Target, cache: RetrievalCache, steps: Steps) {
    this.target = target;
    this.#cache = cache;
    this.#holding = cache.begin().catch((cause: unknown) => {
      throw noRoom(cause);
    });
    this.#change = this.#nextChange();
    this.done = this.#run(key, steps);
    this.done.catch(() => undefined);
  }

  /** Takes the bytes of an object that arrives. */
  spool(request: StoreRequest): Spool {
    return new Spool(this.#cache.incoming, request, {
      take: (instance) => this.take(instance),
      failed: (cause) => this.broken(cause),
    });
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
    if (!this.#cache.grow(kept.size)) this.#passing = true;
    this.#changed();
    if (this.#passing) await this.#heldBack();
    return true;
  }

  /** What arrives cannot be written: all ends, and what is kept of others makes room for the next. */
  broken(cause: unknown): void {
    this.#cache.clear();
    this.#abort.abort(noRoom(cause));
  }

  /** Whether nobody should join it any more. */
  get givenUp(): boolean {
    return this.#abort.signal.aborted || this.#deleted > 0;
  }

  /** Whether a part of the target has arrived and is there. */
  has(target: Target): boolean {
    return this.#arrived.findIndex((instance) => isWithin(instance, target)) >= this.#deleted;
  }

  /**
   * The instances, each as soon as it is there; it stays until the next one is asked for.
   * @param part only those within it
   */
  async *follow(signal?: AbortSignal, part = this.target): AsyncGenerator<SpooledInstance, void, void> {
    const reader = { at: this.#deleted };
    const leave = await this.#enter(reader);
    try {
      for (; ; reader.at++, this.#clear()) {
        while (reader.at === this.#arrived.length && !this.#ended) await this.#waiting(this.#change, signal);
        const instance = this.#arrived[reader.at];
        if (!instance) return await this.done;
        if (isWithin(instance, part)) yield instance;
      }
    } finally {
      leave();
    }
  }

  cancel(): void {
    this.#abort.abort(new Fault('unavailable', 'The server is stopping.', { retryAfter: 5 }));
  }

  async #enter(reader: Reader): Promise<() => void> {
    this.#readers.add(reader);
    const release = (await this.#holding).read();
    return () => {
      this.#readers.delete(reader);
      release();
      this.#clear();
      if (this.#readers.size > 0 || this.#ended) return;
      // Only the archive's last word is missing then.
      if (this.#uids.size >= this.#planned && !this.#passing) return;
      setTimeout(() => this.#readers.size === 0 && this.#abort.abort(), GRACE).unref();
    };
  }

  async #run(key: string, { plan, fetch }: Steps): Promise<void> {
    const { signal } = this.#abort;
    const holding = await this.#holding;
    try {
      const planned = await plan(signal);
      const { count } = planned;
      this.#planned = count;
      const sent = await fetch(planned, signal);
      if (this.#received === 0 && sent === 0) throw noSuchObject();
      // Success is not believed of an archive that sent less than it said: a part would pass for the whole (DW-13).
      if (this.#received < sent || this.#uids.size < count) throw failure(0xb000, count - this.#uids.size);
      this.#ended = true;
      if (this.#passing) holding.discard();
      else await this.#cache.keep(key, { holding, count });
    } catch (error) {
      this.#ended = true;
      holding.discard();
      throw error;
    } finally {
      this.#cache.ended(holding);
      this.#changed();
    }
  }

  /** Deletes what all have read, where there is no room for it. */
  #clear(): void {
    if (!this.#passing || this.#ended || this.#readers.size === 0) return;
    const read = Math.min(...[...this.#readers].map(({ at }) => at));
    for (; this.#deleted < read; this.#deleted++) void this.#remove(this.#arrived[this.#deleted]!);
    this.#changed();
  }

  async #remove(instance: SpooledInstance): Promise<void> {
    const { instances } = await this.#holding;
    if (this.#ended) return;
    instances.splice(instances.indexOf(instance), 1);
    this.#cache.grow(-instance.size);
    await rm(instance.path, { force: true });
  }

  /** Lets the archive wait while too much lies unread: it sends on when it has its answer. */
  async #heldBack(): Promise<void> {
    const late = sleep(HELD, 'late' as const, { ref: false });
    while (!this.#ended && !this.#abort.signal.aborted && this.#arrived.length - this.#deleted > AHEAD) {
      if ((await Promise.race([this.#change, late])) === 'late') return;
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
