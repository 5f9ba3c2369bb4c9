import type { LRUCache } from 'lru-cache';
import { EvenPace } from '../../../schema/process/even-pace.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import type { ImagesConfig } from '../../../schema/tenant/tenant.ts';
import { noSuchObject } from '../../../schema/fault/refusals.ts';
import { inTime, TimeBudget } from '../sources/timeout.ts';
import type { TenantImages } from '../sources/open.ts';
import type { ImagingSource, SourceQuery } from '../sources/source.ts';
import { SEARCH_TTL, type Rows, type StudyCache } from './study-cache.ts';
import type { PendingRetrievals } from '../sources/pending-retrievals.ts';

/** Answers that are kept: in this process, or by the gateways that share a cache. */
export type Memory = 'here' | 'shared';

/** How long refusals take, by tenant and source. */
export type Paces = LRUCache<string, EvenPace>;

export interface TenantSourceOptions {
  images: TenantImages;
  cache: StudyCache;
  paces: Paces;
  unfinished: PendingRetrievals;
  /** Seconds since the epoch. */
  now(): number;
  /** Ends what was begun for this request when its caller leaves. */
  signal?: AbortSignal | undefined;
}

/** One image source of a tenant as one request asks it: through the cache, and only as long as the tenant is patient. */
export class TenantSource {
  readonly #options: TenantSourceOptions;
  readonly #patience: TimeBudget;

  constructor(options: TenantSourceOptions) {
    this.#options = options;
    this.#patience = new TimeBudget(options.images.config.patience);
  }

  get config(): ImagesConfig {
    return this.#options.images.config;
  }

  /** Names tenant and source in caches. */
  get key(): string {
    return this.#options.images.key;
  }

  /** @throws Fault `unavailable` while the tenant delays this (REF, IA-19) */
  undelayed(what: 'lookupUntil' | 'retrieveUntil'): void {
    const left = this.config.delay[what] - this.#options.now();
    if (left <= 0) return;
    throw new Fault('unavailable', 'The images are still being fetched; ask again later.', {
      service: 'imaging',
      retryAfter: left,
    });
  }

  /** @throws Fault `not_implemented` where the backend is not built */
  open(): Promise<ImagingSource> {
    return this.#options.images.open();
  }

  /**
   * Rows of a search; at once where they are kept.
   * @param ttl seconds for which the answer is kept
   */
  ask(query: SourceQuery, ttl = SEARCH_TTL): Rows | Promise<Rows> {
    const { cache } = this.#options;
    const key = this.#question(query);
    const ask = async () => (await this.open()).search(query);
    const generation = async () => (await this.open()).generation?.();
    // Not ended with this request: others may wait for the same answer, and the next one finds it there (IA-19).
    return cache.atHand(key) ?? this.shared(cache.rows(key, { ttl, ask, generation }));
  }

  /** Where answers may be kept, the nearest first. */
  get memories(): readonly Memory[] {
    return this.#options.cache.isShared ? ['here', 'shared'] : ['here'];
  }

  /** Rows of a search that are kept; the source is not asked. */
  known(query: SourceQuery, where: Memory): Rows | undefined | Promise<Rows | undefined> {
    const { cache } = this.#options;
    const key = this.#question(query);
    return where === 'here' ? cache.atHand(key) : cache.sharedRows(key);
  }

  /** Rows of a search as they are now, which are not kept. */
  askAnew(query: SourceQuery): Promise<Rows> {
    const ask = async () => (await this.open()).search(query);
    return this.shared(this.#options.cache.anew(this.#question(query), ask));
  }

  /** Work of which a refusal takes no less time than another answer (IA-7). */
  evenly<T>(work: () => Promise<T>, refuses: (answer: T) => boolean): Promise<T> {
    const { paces } = this.#options;
    const pace = paces.get(this.key) ?? new EvenPace();
    paces.set(this.key, pace);
    return pace.of(work, refuses);
  }

  /** @throws Fault `unavailable` with `retryAfter` where what the source does not have may be away (DW-23) */
  throwIfAway(): Promise<void> {
    return this.shared(this.open().then((source) => source.throwIfAway?.()));
  }

  /** Keeps rows of a search. @param ttl seconds */
  keep(query: SourceQuery, rows: Rows, ttl: number): void {
    if (rows.length > 0) this.#options.cache.keep(this.#question(query), rows, ttl);
  }

  #question(query: SourceQuery): string {
    return `${this.key}\n${JSON.stringify({ ...query, match: [...query.match] })}`;
  }

  /** Work that is not for this request alone. */
  shared<T>(work: Promise<T>): Promise<T> {
    return inTheSameWords(this.#patience.during((seconds) => inTime(work, seconds)));
  }

  /**
   * A retrieval, which the next identical request goes on with where this one cannot wait for it.
   * @param what names all that is retrieved
   */
  retrieve<T>(
    what: readonly unknown[],
    work: (source: ImagingSource, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { unfinished, signal } = this.#options;
    const key = `${this.key}\n${JSON.stringify(what)}`;
    const retrieving = async (ends: AbortSignal) => work(await this.open(), ends);
    return inTheSameWords(
      this.#patience.during((seconds) => unfinished.patiently(key, retrieving, seconds, signal)),
    );
  }
}

/** Whatever a source does not have gets the one answer (IA-7). */
async function inTheSameWords<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw error instanceof Fault && error.code === 'not_found' ? noSuchObject() : error;
  }
}
