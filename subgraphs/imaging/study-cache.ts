import { LRUCache } from 'lru-cache';
import type { DicomJson } from '../../schema/dicom.ts';

/** Seconds for which the answer of a search is given again (IA-29). */
export const SEARCH_TTL = 10;
/** Seconds for which a study's owner is remembered, so that its frames need no search each (IA-29). */
export const OWNER_TTL = 60;

/** Rows of all kept answers together; about a kilobyte each. */
const MAX_ROWS = 100_000;

/**
 * Study metadata, kept apart from authorization (IA-29): what a source said of its own, whoever asked. Whether a caller
 * may see it is decided anew on every request. Only answers with rows are kept, failures never; equal questions at the
 * same time are one question.
 */
export class StudyCache {
  private readonly kept = new LRUCache<string, readonly DicomJson[]>({
    maxSize: MAX_ROWS,
    sizeCalculation: (rows) => Math.max(1, rows.length),
    ttl: SEARCH_TTL * 1000,
  });
  private readonly underWay = new Map<string, Promise<readonly DicomJson[]>>();

  /**
   * @param key tenant, source and question
   * @param ttl seconds
   * @param serves whether a kept answer may be given; the source is asked where it may not
   */
  async rows(
    key: string,
    ttl: number,
    ask: () => Promise<readonly DicomJson[]>,
    serves: (rows: readonly DicomJson[]) => boolean = () => true,
  ): Promise<readonly DicomJson[]> {
    const kept = this.kept.get(key);
    if (kept && serves(kept)) return kept;
    const waiting = this.underWay.get(key);
    if (waiting) return waiting;
    const asking = ask()
      .then((rows) => {
        if (rows.length > 0) this.kept.set(key, rows, { ttl: ttl * 1000 });
        return rows;
      })
      .finally(() => this.underWay.delete(key));
    this.underWay.set(key, asking);
    return asking;
  }

  /** Forgets what a tenant's sources said, or everything. */
  invalidate(tenantKey?: string): void {
    for (const key of this.kept.keys()) {
      if (tenantKey === undefined || key.startsWith(`${tenantKey}\n`)) this.kept.delete(key);
    }
  }
}
