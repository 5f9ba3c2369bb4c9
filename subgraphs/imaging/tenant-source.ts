import type { DicomJson } from '../../schema/dicom.ts';
import { Fault } from '../../schema/fault.ts';
import type { ImagesConfig } from '../../schema/tenant.ts';
import { noSuchObject } from './not-found.ts';
import { inTime } from './patience.ts';
import type { TenantImages } from './sources/open.ts';
import type { ImagingSource, SourceQuery } from './sources/source.ts';
import { SEARCH_TTL, type StudyCache } from './study-cache.ts';
import type { Unfinished } from './unfinished.ts';

export interface TenantSourceOptions {
  images: TenantImages;
  cache: StudyCache;
  unfinished: Unfinished;
  /** Seconds since the epoch. */
  now(): number;
  /** Ends what was begun for this request when its caller leaves. */
  signal?: AbortSignal | undefined;
}

/** One image source of a tenant as one request asks it: through the cache, and only as long as the tenant is patient. */
export class TenantSource {
  private readonly options: TenantSourceOptions;

  constructor(options: TenantSourceOptions) {
    this.options = options;
  }

  get config(): ImagesConfig {
    return this.options.images.config;
  }

  /** Names tenant and source in caches. */
  get key(): string {
    return this.options.images.key;
  }

  /** @throws Fault `unavailable` while the tenant delays this (REF, IA-19) */
  undelayed(what: 'lookupUntil' | 'retrieveUntil'): void {
    const left = this.config.delay[what] - this.options.now();
    if (left <= 0) return;
    throw new Fault('unavailable', 'The images are still being fetched; ask again later.', {
      service: 'imaging',
      retryAfter: left,
    });
  }

  /** @throws Fault `not_implemented` where the backend is not built */
  open(): Promise<ImagingSource> {
    return this.options.images.open();
  }

  /**
   * Rows of a search.
   * @param ttl seconds for which the answer is kept
   * @param serves whether a kept answer may be given
   */
  ask(
    query: SourceQuery,
    ttl = SEARCH_TTL,
    serves?: (rows: readonly DicomJson[]) => boolean,
  ): Promise<readonly DicomJson[]> {
    const question = `${this.key}\n${JSON.stringify({ ...query, match: [...query.match] })}`;
    // Not ended with this request: others may wait for the same answer, and the next one finds it there (IA-19).
    return this.shared(
      this.options.cache.rows(question, ttl, async () => (await this.open()).search(query), serves),
    );
  }

  /** Work that is not for this request alone. */
  shared<T>(work: Promise<T>): Promise<T> {
    return inTheSameWords(inTime(work, this.config.patience));
  }

  /**
   * A retrieval, which the next identical request goes on with where this one cannot wait for it.
   * @param what names all that is retrieved
   */
  retrieve<T>(
    what: readonly unknown[],
    work: (source: ImagingSource, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { unfinished, signal } = this.options;
    const key = `${this.key}\n${JSON.stringify(what)}`;
    const retrieving = async (ends: AbortSignal) => work(await this.open(), ends);
    return inTheSameWords(unfinished.patiently(key, retrieving, this.config.patience, signal));
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
