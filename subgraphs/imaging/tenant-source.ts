import type { DicomJson } from '../../schema/dicom.ts';
import { Fault } from '../../schema/fault.ts';
import type { ImagesConfig } from '../../schema/tenant.ts';
import { noSuchObject } from './not-found.ts';
import { patiently } from './patience.ts';
import type { TenantImages } from './sources/open.ts';
import type { ImagingSource, SourceQuery } from './sources/source.ts';
import { SEARCH_TTL, type StudyCache } from './study-cache.ts';

export interface TenantSourceOptions {
  /** The tenant's images; throws Fault where their backend is not built. */
  images(): TenantImages;
  cache: StudyCache;
  /** Seconds since the epoch. */
  now(): number;
  /** Ends what was begun for this request when its caller leaves. */
  signal?: AbortSignal | undefined;
}

/** The image source of a tenant as one request asks it: through the cache, and only as long as the tenant is patient. */
export class TenantSource {
  private readonly options: TenantSourceOptions;
  private opened: TenantImages | undefined;

  constructor(options: TenantSourceOptions) {
    this.options = options;
  }

  /** @throws Fault `not_implemented` where the backend is not built */
  get config(): ImagesConfig {
    return this.images.config;
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

  open(): Promise<ImagingSource> {
    return this.images.open();
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
    const { key, open } = this.images;
    const question = `${key}\n${JSON.stringify({ ...query, match: [...query.match] })}`;
    // Not ended with this request: others may wait for the same answer, and the next one finds it there (IA-19).
    return this.patiently(() =>
      this.options.cache.rows(question, ttl, async () => (await open()).search(query), serves),
    );
  }

  /** Work at the source, with the one answer for whatever it does not have. */
  async patiently<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    try {
      return await patiently(work, this.config.patience, this.options.signal);
    } catch (error) {
      throw error instanceof Fault && error.code === 'not_found' ? noSuchObject() : error;
    }
  }

  private get images(): TenantImages {
    return (this.opened ??= this.options.images());
  }
}

export { noSuchObject as notFound } from './not-found.ts';
