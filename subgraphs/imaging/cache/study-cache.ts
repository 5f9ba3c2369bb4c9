import { LRUCache } from 'lru-cache';
import { SingleFlight } from '../../../schema/concurrency/single-flight.ts';
import type { DicomJson } from '../../../schema/dicom/dicom.ts';
import type { SharedCache } from '../../../schema/outbound/shared-cache.ts';

/** Seconds for which the answer of a search is given again (IA-29). */
export const SEARCH_TTL = 4;
/** Seconds for which a study's owner is remembered, so that its frames need no search each (IA-29). */
export const OWNER_TTL = 60;

/** Rows of all kept answers together; about a kilobyte each. */
const MAX_ROWS = 100_000;

/**
 * Study metadata, kept apart from authorization (IA-29): what a source said of its own, whoever asked. Whether a caller
 * may see it is decided anew on every request. Only answers with rows are kept, failures never; equal questions at the
 * same time are one question. Gateways that share a cache give each other's answers, no longer than their own.
 */
export class StudyCache {
  private readonly kept = new LRUCache<string, readonly DicomJson[]>({
    maxSize: MAX_ROWS,
    sizeCalculation: (rows) => Math.max(1, rows.length),
    ttl: SEARCH_TTL * 1000,
  });
  private readonly asking = new SingleFlight<readonly DicomJson[]>();
  private readonly shared: SharedCache | undefined;

  constructor(shared?: SharedCache) {
    this.shared = shared;
  }

  /**
   * @param key tenant, source and question
   * @param ttl seconds
   */
  async rows(
    key: string,
    ttl: number,
    ask: () => Promise<readonly DicomJson[]>,
  ): Promise<readonly DicomJson[]> {
    const kept = this.kept.get(key);
    if (kept) return kept;
    return this.asking.run(key, () => this.ask(key, ttl, ask));
  }

  /** What is kept of an answer: in this process, or by the gateways that share a cache. The source is not asked. */
  async known(key: string, where: 'here' | 'shared'): Promise<readonly DicomJson[] | undefined> {
    if (where === 'here') return this.kept.get(key);
    const found = await this.shared?.get(`studies\n${key}`);
    const rows = found?.value as readonly DicomJson[] | undefined;
    if (found && rows) this.kept.set(key, rows, { ttl: found.seconds * 1000 });
    return rows;
  }

  /** Whether other gateways keep answers for this one. */
  get isShared(): boolean {
    return this.shared !== undefined;
  }

  /** Asks the source whatever is kept, and keeps nothing; equal questions at the same time are one question. */
  async anew(key: string, ask: () => Promise<readonly DicomJson[]>): Promise<readonly DicomJson[]> {
    return this.asking.run(`anew\n${key}`, ask);
  }

  /** Keeps an answer for others to come. @param ttl seconds */
  keep(key: string, rows: readonly DicomJson[], ttl: number): void {
    this.kept.set(key, rows, { ttl: ttl * 1000 });
    // Nobody waits for it, nor for a store that is away.
    void this.shared?.set(`studies\n${key}`, rows, ttl).catch(() => undefined);
  }

  private async ask(
    key: string,
    ttl: number,
    ask: () => Promise<readonly DicomJson[]>,
  ): Promise<readonly DicomJson[]> {
    const name = `studies\n${key}`;
    const found = await this.shared?.get(name);
    const theirs = found?.value as readonly DicomJson[] | undefined;
    if (found && theirs) {
      this.kept.set(key, theirs, { ttl: Math.min(found.seconds, ttl) * 1000 });
      return theirs;
    }
    const rows = await ask();
    if (rows.length > 0) {
      this.kept.set(key, rows, { ttl: ttl * 1000 });
      await this.shared?.set(name, rows, ttl);
    }
    return rows;
  }

  /** Forgets what a tenant's sources said, or everything. */
  invalidate(tenantKey?: string): void {
    for (const key of this.kept.keys()) {
      if (tenantKey === undefined || key.startsWith(`${tenantKey}\n`)) this.kept.delete(key);
    }
  }
}
