import { boundedCache } from '../../../schema/cache/bounded-cache.ts';
import { SingleFlight } from '../../../schema/concurrency/single-flight.ts';
import type { DicomJson } from '../../../schema/dicom/dicom.ts';
import type { CountLookup } from '../../../schema/process/cache-lookups.ts';
import type { SharedCache, SharedValue } from '../../../schema/outbound/shared-cache.ts';

/** Seconds for which the answer to a search is kept (IA-29). */
export const SEARCH_TTL = 4;
/** Seconds for which the owner of a study is kept, so that not every frame needs a search (IA-29). */
export const OWNER_TTL = 60;

/** Seconds for which a gateway waits while another one asks a source. */
export const OTHERS_SECONDS = 10;

/** Bytes of all kept answers, with everything that is derived from their rows and released with them. */
const MAX_BYTES = 128 * 1024 * 1024;
/** Bytes of a row with its share of study documents, resources and their text: an average over 200 patients. */
const BYTES_OF_ROW = 2048;

/** Rows of a search as the source gave them. All callers share them, so they are never changed. */
export type Rows = readonly DicomJson[];

/** A question to a source. */
export interface Question {
  /** Seconds for which the answer is kept. */
  ttl: number;
  ask(): Promise<Rows>;
  /** As `ImagingSource.generation`. */
  generation(): Promise<string | undefined>;
}

/** A kept answer. */
interface Kept {
  rows: Rows;
  /** End of the time in which it is given without asking, in milliseconds of `performance.now()`. */
  until: number;
  generation?: string | undefined;
}

/**
 * Keeps rows of studies apart from authorization (IA-29): an answer of a source does not depend on the caller, and
 * every request decides anew what its caller may see. Only answers with rows are kept, never failures. Equal questions
 * at the same time are asked once. An answer whose time is over is renewed if the source has not changed since: its
 * rows stay the same objects, and so do values derived from them. Gateways that share a cache give each other's
 * answers, for no longer than their own, and ask equal questions once; an answer without rows only to those who wait.
 */
export class StudyCache {
  readonly #kept = boundedCache<Kept>({
    size: MAX_BYTES,
    sizeOf: ({ rows }) => BYTES_OF_ROW * Math.max(1, rows.length),
  });
  readonly #asking = new SingleFlight<Rows>();
  /** Number of instances of a study, or of a part of it, that a search last saw. */
  readonly #counts = boundedCache<number>({ entries: 100_000 });
  /** Studies whose kept row may be older than what a search has seen since. */
  readonly #doubted = boundedCache<true>({ entries: 100_000, seconds: OWNER_TTL });
  readonly #shared: SharedCache | undefined;
  readonly #count: CountLookup | undefined;

  /** @param count counts kept answers, and questions to a source */
  constructor(shared?: SharedCache, count?: CountLookup) {
    this.#shared = shared;
    this.#count = count;
  }

  /** Returns the answer that this process keeps, without asking or waiting. */
  kept(key: string): Rows | undefined {
    const kept = this.#kept.get(key);
    if (!kept || performance.now() >= kept.until) return undefined;
    this.#count?.('searches', true);
    return kept.rows;
  }

  /** Returns the answer that this process keeps, if the source has not changed since. */
  keptOf(generation: string | undefined, key: string): Rows | undefined {
    return generation !== undefined && this.#kept.get(key)?.generation === generation
      ? this.kept(key)
      : undefined;
  }

  /**
   * Returns the rows of an answer, from the source if none is kept.
   * @param key tenant, source and question
   */
  async rows(key: string, question: Question): Promise<Rows> {
    return this.kept(key) ?? this.current(key, question);
  }

  /** Returns the rows of an answer, from the source if it has changed since, or cannot tell. */
  current(key: string, question: Question): Promise<Rows> {
    return this.#asking.run(key, () => this.#keptOn(key, question));
  }

  /** Returns the answer that gateways with a shared cache keep. Does not ask the source. */
  async sharedRows(key: string): Promise<Rows | undefined> {
    const found = await this.#shared?.get(`studies\n${key}`);
    const rows = found?.value as Rows | undefined;
    if (found && rows) this.#keep(key, rows, found.seconds);
    return rows;
  }

  /** True if other gateways keep answers for this one. */
  get isShared(): boolean {
    return this.#shared !== undefined;
  }

  /** Asks the source without using or filling the cache. Equal questions at the same time are asked once. */
  async fresh(key: string, ask: () => Promise<Rows>): Promise<Rows> {
    return this.#asking.run(`anew\n${key}`, ask);
  }

  /** Keeps an answer for later requests. @param generation of the source before it was asked */
  keep(key: string, rows: Rows, { ttl, generation }: { ttl: number; generation?: string | undefined }): void {
    this.#keep(key, rows, ttl, generation);
    // The request does not wait for it, and a store that is away is no failure.
    void this.#shared?.set(`studies\n${key}`, rows, ttl).catch(() => undefined);
  }

  /** Notes the number of instances that a row of a study states. @param study tenant, source and UID */
  sawStudy(study: string, count: number): void {
    this.#counts.set(study, count);
  }

  /**
   * Notes the number of instances that a search of a part of a study gives, and doubts the kept row of the study if it was
   * another one before.
   * @param part series, or empty for all of the study; and the level of the search
   */
  sawPart(study: string, [series, level]: readonly [series: string, level: string], count: number): void {
    const key = [study, series, level].join('\n');
    const before = this.#counts.get(key) ?? (series === '' ? this.#counts.get(study) : undefined);
    this.#counts.set(key, count);
    if (before !== undefined && before !== count) this.doubt(study);
  }

  /**
   * Tells whether the kept row of a study may be older than what a search has seen since it was kept.
   * @param count number of instances that the kept row states
   */
  isDoubted(study: string, count: number | undefined): boolean {
    const seen = this.#counts.get(study);
    return this.#doubted.has(study) || (seen !== undefined && count !== undefined && seen !== count);
  }

  /** Doubts the kept row of a study: its source has not given what it should have by this row. */
  doubt(study: string): void {
    this.#doubted.set(study, true);
  }

  /** Ends the doubt about a study, before its row is asked anew. */
  trust(study: string): void {
    this.#doubted.delete(study);
  }

  /** Forgets the answers of a tenant's sources, or all answers. */
  invalidate(tenantKey?: string): void {
    for (const key of this.#kept.keys()) {
      if (tenantKey === undefined || key.startsWith(`${tenantKey}\n`)) this.#kept.delete(key);
    }
  }

  #keep(key: string, rows: Rows, seconds: number, generation?: string): void {
    this.#kept.set(key, { rows, until: performance.now() + seconds * 1000, generation });
  }

  async #keptOn(key: string, question: Question): Promise<Rows> {
    // Read before the rows, so that a change in between is noticed.
    const generation = await question.generation();
    const kept = this.#kept.get(key);
    if (!kept || generation === undefined || kept.generation !== generation)
      return this.#ask(key, question, generation);
    this.#keep(key, kept.rows, question.ttl, generation);
    return kept.rows;
  }

  async #ask(key: string, { ttl, ask }: Question, generation: string | undefined): Promise<Rows> {
    let isOwn = false;
    const search = async (): Promise<SharedValue> => {
      isOwn = true;
      this.#count?.('searches', false);
      const rows = await ask();
      return { value: rows, seconds: rows.length > 0 ? ttl : 0 };
    };
    const found = await (this.#shared
      ? this.#shared.once(`studies\n${key}`, search, OTHERS_SECONDS)
      : search());
    const rows = found.value as Rows;
    if (found.seconds > 0)
      this.#keep(key, rows, Math.min(found.seconds, ttl), isOwn ? generation : undefined);
    return rows;
  }
}
