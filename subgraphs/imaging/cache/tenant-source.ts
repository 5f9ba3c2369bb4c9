import type { BoundedCache } from '../../../schema/cache/bounded-cache.ts';
import { number, Tag, text, type DicomJson } from '../../../schema/dicom/dicom.ts';
import {
  observed,
  untold,
  type CallDescription,
  type CallObservers,
} from '../../../schema/access/source-calls.ts';
import { keywordOf } from '../../../schema/dicom/dictionary.ts';
import { querySummary } from '../../../schema/access/audit.ts';
import { RefusalDelay } from '../../../schema/process/refusal-delay.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { Derivation } from '../../../schema/process/derivation.ts';
import type { ImagesConfig } from '../../../schema/tenant/tenant.ts';
import { noSuchObject } from '../../../schema/fault/refusals.ts';
import type { Abortable } from '../../../schema/process/request-end.ts';
import type { PatientKey } from '../facts/identifiers.ts';
import { unlessAway } from '../sources/empty-archive.ts';
import { inTime, TimeBudget } from '../sources/timeout.ts';
import type { OpenedSource, TenantImages } from '../sources/open.ts';
import type { CountedBy, ImagingSource, SourceQuery, StudyCount, Target } from '../sources/source.ts';
import { SEARCH_TTL, type Rows, type StudyCache } from './study-cache.ts';
import type { PendingRetrievals } from '../sources/pending-retrievals.ts';

/** A place where answers are kept: this process, or the cache that gateways share. */
export type CacheLevel = 'here' | 'shared';

export interface TenantSourceOptions extends CallObservers {
  cache: StudyCache;
  /** Duration of refusals, by tenant and source. */
  refusalDelays: BoundedCache<RefusalDelay>;
  pendingRetrievals: PendingRetrievals;
  /** Seconds since the epoch. */
  now(): number;
  /** Ends work for this request when its caller leaves. */
  over?: Abortable | undefined;
}

/** One image source of a tenant for one request. It uses the cache and waits no longer than the tenant's `patience`. */
export class TenantSource {
  readonly #images: TenantImages;
  readonly #options: TenantSourceOptions;
  readonly #patience: TimeBudget;
  /** Answers of `askTogether`. */
  readonly #known = new Map<string, Rows>();

  /** @param options of the request, for all its sources */
  constructor(images: TenantImages, options: TenantSourceOptions) {
    this.#images = images;
    this.#options = options;
    this.#patience = new TimeBudget(images.config.patience);
  }

  get config(): ImagesConfig {
    return this.#images.config;
  }

  /** Key of tenant and source in caches. */
  get key(): string {
    return this.#images.key;
  }

  /** Refuses with Fault `unavailable` while the tenant delays lookups or retrievals (REF, IA-19). */
  undelayed(what: 'lookupUntil' | 'retrieveUntil'): void {
    const left = this.config.delay[what] - this.#options.now();
    if (left <= 0) return;
    throw new Fault('unavailable', 'The images are still being fetched; ask again later.', {
      service: 'imaging',
      retryAfter: left,
    });
  }

  /**
   * Returns rows of a search; without waiting if they are kept.
   * @param ttl seconds for which the answer is kept; longer than others, what decides what the caller may see
   */
  ask(query: SourceQuery, ttl = SEARCH_TTL): Rows | Promise<Rows> {
    const { cache } = this.#options;
    const key = this.#question(query);
    const ask = () => this.#counted(query, ttl > SEARCH_TTL);
    const question = { ttl, ask, generation: () => this.generation() };
    if (ttl > SEARCH_TTL && this.#tellsChanges) return this.shared(cache.current(key, question));
    // Does not end with this request: others may wait for the same answer, and the next request finds it kept (IA-19).
    return cache.kept(key) ?? this.#known.get(key) ?? this.shared(cache.rows(key, question));
  }

  /** True for a source that tells at once whether it has changed: what is kept for longer is then compared with it. */
  get #tellsChanges(): boolean {
    return this.config.type === 'folder';
  }

  /** Returns the generation of the source; undefined where it cannot tell. */
  async generation(): Promise<string | undefined> {
    const { source } = await this.#images.open();
    return source.generation?.();
  }

  /** Counts all studies by the values of an attribute; undefined if the source has no index of them. */
  async counts(by: CountedBy): Promise<readonly StudyCount[] | undefined> {
    const { source } = await this.#images.open();
    return source.counts && this.shared(this.load((one) => one.counts!(by)));
  }

  /** Returns the version of a target, without a question to a source that has no versions. */
  async version(target: Target): Promise<string | undefined> {
    const { source } = await this.#images.open();
    return source.version && this.shared(this.load((one) => one.version!(target)));
  }

  /**
   * Asks several questions by one. Their answers are then known to `ask` for the rest of this request, also those without
   * rows.
   * @param join makes one question that finds the rows of all
   * @param isAnswer tells whether a row answers a question
   */
  async askTogether(
    queries: readonly SourceQuery[],
    join: (queries: readonly SourceQuery[]) => SourceQuery,
    isAnswer: (row: DicomJson, query: SourceQuery) => boolean,
  ): Promise<void> {
    const asked = queries.filter((query) => !this.#options.cache.kept(this.#question(query)));
    if (asked.length === 0) return;
    const rows = await this.shared(this.#counted(join(asked)));
    for (const query of asked) {
      this.#known.set(
        this.#question(query),
        rows.filter((row) => isAnswer(row, query)),
      );
    }
  }

  /** Places where answers may be kept, the nearest first. */
  get memories(): readonly CacheLevel[] {
    return this.#options.cache.isShared && !this.#tellsChanges ? ['here', 'shared'] : ['here'];
  }

  /** Returns kept rows of a search. Does not ask the source. */
  known(query: SourceQuery, where: CacheLevel): Rows | undefined | Promise<Rows | undefined> {
    const { cache } = this.#options;
    const key = this.#question(query);
    if (where === 'shared') return cache.sharedRows(key);
    return this.#tellsChanges ? this.generation().then((now) => cache.keptOf(now, key)) : cache.kept(key);
  }

  /** Asks the source for rows of a search that decide what the caller may see, without using or filling the cache. */
  askFresh(query: SourceQuery): Promise<Rows> {
    const ask = () => this.#counted(query, true);
    return this.shared(this.#options.cache.fresh(this.#question(query), ask));
  }

  /** Asks for the row of a study that is about to be kept, as `askFresh` does. */
  askOwner(query: SourceQuery, studyUid: string): Promise<Rows> {
    this.#options.cache.trust(`${this.key}\n${studyUid}`);
    return this.askFresh(query);
  }

  /** Doubts the kept row of a study, which the source does not follow. */
  doubt(studyUid: string): void {
    this.#options.cache.doubt(`${this.key}\n${studyUid}`);
  }

  /** Tells whether a kept row of a study may be older than what a search has seen since it was kept. */
  isDoubted(studyUid: string, row: DicomJson): boolean {
    const count = number(row, Tag.NumberOfStudyRelatedInstances);
    return this.#options.cache.isDoubted(`${this.key}\n${studyUid}`, count);
  }

  /** Runs work so that a refusal takes no less time than another answer (IA-7). */
  withRefusalDelay<T>(work: () => Promise<T>, refuses: (answer: T) => boolean): Promise<T> {
    const { refusalDelays } = this.#options;
    const delay = refusalDelays.get(this.key) ?? new RefusalDelay();
    refusalDelays.set(this.key, delay);
    return delay.run(work, refuses);
  }

  /** Refuses with Fault `unavailable` and `retryAfter` while an object that is not found may be away (DW-23). */
  throwIfAway(): Promise<void> {
    return this.shared(this.#images.open().then(({ emptyArchive }) => emptyArchive?.checkNotEmpty()));
  }

  /** Keeps rows of a search. See `StudyCache.keep`. */
  keep(query: SourceQuery, rows: Rows, until: Parameters<StudyCache['keep']>[2]): void {
    if (rows.length > 0) this.#options.cache.keep(this.#question(query), rows, until);
  }

  /** @param decides true for a search that decides what the caller may see */
  async #search(query: SourceQuery, decides = false): Promise<DicomJson[]> {
    const { source, emptyArchive } = await this.#images.open();
    const observers = decides ? untold(this.#options) : this.#options;
    const call = this.#call(() => `search ${summaryOf(query)}`);
    return observed(observers, call, () => (emptyArchive ?? source).search(query));
  }

  /** Searches, and notes how many instances studies have: one that grows is then not read by its kept row. */
  async #counted(query: SourceQuery, decides = false): Promise<DicomJson[]> {
    const rows = await this.#search(query, decides);
    const { level, studyUid, seriesUid = '', match, limit, offset = 0 } = query;
    const { cache } = this.#options;
    if (level === 'study') {
      for (const row of rows) {
        const count = number(row, Tag.NumberOfStudyRelatedInstances);
        if (count !== undefined) cache.sawStudy(`${this.key}\n${text(row, Tag.StudyInstanceUID)}`, count);
      }
    } else if (studyUid !== undefined && match.size === 0 && limit === undefined && offset === 0) {
      const counts = rows.map((row) =>
        level === 'instance' ? 1 : (number(row, Tag.NumberOfSeriesRelatedInstances) ?? 0),
      );
      const sum = counts.reduce((all, one) => all + one, 0);
      cache.sawPart(`${this.key}\n${studyUid}`, [seriesUid, level], sum);
    }
    return rows;
  }

  #call(request: () => string): CallDescription {
    const { config, place } = this.#images;
    return { kind: config.type, source: () => place, request };
  }

  #question({ patientIds, ...query }: SourceQuery): string {
    const patients = patientIds && texts.of(patientIds, [], () => JSON.stringify(patientIds));
    return `${this.key}\n${JSON.stringify({ ...query, match: [...query.match] })}${patients}`;
  }

  /** Waits for work that other requests may share. */
  shared<T>(work: Promise<T>): Promise<T> {
    return inTheSameWords(this.#patience.during((seconds) => inTime(work, seconds, () => this.late())));
  }

  /** Notes that the source is late: it counts as away unless it answers a probe. */
  late(): void {
    this.#images.breaker?.late();
  }

  /**
   * Retrieves objects. When this request cannot wait any longer, the next identical one takes over the retrieval.
   * @param what names everything that is retrieved, first its kind
   */
  retrieve<T>(
    what: readonly [kind: string, ...unknown[]],
    work: (opened: OpenedSource, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { pendingRetrievals: unfinished, over } = this.#options;
    const key = `${this.key}\n${JSON.stringify(what)}`;
    const retrieving = async (ends: AbortSignal) => {
      const opened = await this.#images.open();
      const call = this.#call(() => `retrieve ${what[0]}`);
      return observed(this.#options, call, () => unlessAway(opened, () => work(opened, ends)));
    };
    const more = { request: over?.signal, onLate: () => this.late() };
    return inTheSameWords(
      this.#patience.during((seconds) => unfinished.patiently(key, retrieving, { seconds, ...more })),
    );
  }

  /** Runs work that does not end with this request, because others may wait for its result. */
  async load<T>(work: (source: ImagingSource) => Promise<T>): Promise<T> {
    return unlessAway(await this.#images.open(), work);
  }
}

/** PatientIDs as JSON. Those of a patient are the same frozen list for many requests. */
const texts = new Derivation<readonly PatientKey[], string>();

/** Summarizes a search with the keywords of its keys. */
function summaryOf({ level, studyUid, seriesUid, patientIds, match, limit, offset }: SourceQuery): string {
  const keys = {
    StudyInstanceUID: studyUid,
    SeriesInstanceUID: seriesUid,
    PatientID: patientIds,
    ...Object.fromEntries([...match.keys()].map((tag) => [keywordOf(tag) ?? tag, tag])),
    limit,
    offset,
  };
  const names = Object.entries(keys).filter(([, value]) => value !== undefined);
  return querySummary(
    LEVELS[level],
    names.map(([name]) => [name, ''] as const),
  );
}

const LEVELS = { study: 'studies', series: 'series', instance: 'instances' } as const;

/** Gives the same refusal for every object that a source does not have (IA-7). */
async function inTheSameWords<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw error instanceof Fault && error.code === 'not_found' ? noSuchObject() : error;
  }
}
