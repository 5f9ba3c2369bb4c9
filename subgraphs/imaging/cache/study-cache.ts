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

/** Rows of a search, as the source gave them: shared by all who ask, and so never changed. */
export type Rows = readonly DicomJson[];

/** How a question is put to its source. */
export interface Question {
  /** Seconds for which the answer is given again. */
  ttl: number;
  ask(): Promise<Rows>;
  /** As `ImagingSource.generation`. */
  generation(): Promise<string | undefined>;
}

/** An answer, and until when it is given without asking, in milliseconds of `performance.now()`. */
interface Kept {
  rows: Rows;
  until: number;
  generation?: string | undefined;
}

/**
 * Study metadata, kept apart from authorization (IA-29): what a source said of its own, whoever asked. Whether a caller
 * may see it is decided anew on every request. Only answers with rows are kept, failures never; equal questions at the
 * same time are one question. When its time is over, an answer is kept on where the source says that nothing has changed
 * since: then the rows stay the same objects, and so does what is derived from them. Gateways that share a cache give each
 * other's answers, no longer than their own.
 */
export class StudyCache {
  readonly #kept = new LRUCache<string, Kept>({
    maxSize: MAX_ROWS,
    sizeCalculation: ({ rows }) => Math.max(1, rows.length),
  });
  readonly #asking = new SingleFlight<Rows>();
  readonly #shared: SharedCache | undefined;

  constructor(shared?: SharedCache) {
    this.#shared = shared;
  }

  /** What is kept of an answer in this process; nobody is asked, and nothing is waited for. */
  atHand(key: string): Rows | undefined {
    const kept = this.#kept.get(key);
    return kept && performance.now() < kept.until ? kept.rows : undefined;
  }

  /** @param key tenant, source and question */
  async rows(key: string, question: Question): Promise<Rows> {
    return this.atHand(key) ?? this.#asking.run(key, () => this.#keptOn(key, question));
  }

  /** What the gateways that share a cache keep of an answer. The source is not asked. */
  async sharedRows(key: string): Promise<Rows | undefined> {
    const found = await this.#shared?.get(`studies\n${key}`);
    const rows = found?.value as Rows | undefined;
    if (found && rows) this.#keep(key, rows, found.seconds);
    return rows;
  }

  /** Whether other gateways keep answers for this one. */
  get isShared(): boolean {
    return this.#shared !== undefined;
  }

  /** Asks the source whatever is kept, and keeps nothing; equal questions at the same time are one question. */
  async anew(key: string, ask: () => Promise<Rows>): Promise<Rows> {
    return this.#asking.run(`anew\n${key}`, ask);
  }

  /** Keeps an answer for others to come. @param ttl seconds */
  keep(key: string, rows: Rows, ttl: number): void {
    this.#keep(key, rows, ttl);
    // Nobody waits for it, nor for a store that is away.
    void this.#shared?.set(`studies\n${key}`, rows, ttl).catch(() => undefined);
  }

  /** Forgets what a tenant's sources said, or everything. */
  invalidate(tenantKey?: string): void {
    for (const key of this.#kept.keys()) {
      if (tenantKey === undefined || key.startsWith(`${tenantKey}\n`)) this.#kept.delete(key);
    }
  }

  #keep(key: string, rows: Rows, seconds: number, generation?: string): void {
    this.#kept.set(key, { rows, until: performance.now() + seconds * 1000, generation });
  }

  async #keptOn(key: string, question: Question): Promise<Rows> {
    // Before the rows are asked for: a change that comes meanwhile must not go unseen.
    const generation = await question.generation();
    const kept = this.#kept.get(key);
    if (!kept || generation === undefined || kept.generation !== generation)
      return this.#ask(key, question, generation);
    this.#keep(key, kept.rows, question.ttl, generation);
    return kept.rows;
  }

  async #ask(key: string, { ttl, ask }: Question, generation: string | undefined): Promise<Rows> {
    const name = `studies\n${key}`;
    const found = await this.#shared?.get(name);
    const theirs = found?.value as Rows | undefined;
    if (found && theirs) {
      this.#keep(key, theirs, Math.min(found.seconds, ttl));
      return theirs;
    }
    const rows = await ask();
    if (rows.length > 0) {
      this.#keep(key, rows, ttl, generation);
      await this.#shared?.set(name, rows, ttl);
    }
    return rows;
  }
}
