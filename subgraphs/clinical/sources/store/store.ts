import type { Resource } from 'fhir/r4.js';
import { setImmediate } from 'node:timers/promises';
import { Fault } from '../../../../schema/fault/fault.ts';
import { foreignCursor } from '../../../../schema/fault/refusals.ts';
import type { Facet } from '../../../../schema/fhir/facets.ts';
import { parseFhirJson } from '../../../../schema/fhir/decimal.ts';
import { isPlain, parseCriteria, parseName, type Criterion } from '../../search/criteria.ts';
import { planFacets } from '../../search/facet-plan.ts';
import { planSearch, type PlanContext } from '../../search/plan.ts';
import type {
  AtHand,
  ClinicalSource,
  FacetSearch,
  IdSearch,
  PatientsInReach,
  ReadOptions,
  SearchPage,
  SourceSearch,
  TextPage,
} from '../source.ts';
import { facetValues } from './facet-values.ts';
import type {
  Answer,
  DatabaseVersion,
  FacetsFound,
  PageFound,
  PageWanted,
  Question,
  QuestionForms,
  StoreFacts,
} from './question.ts';
import { KeptAnswers } from './kept-answers.ts';
import type { QueryThreads } from './query-threads.ts';
import { ReadAhead } from './read-ahead.ts';
import { storeSchema } from './tables.ts';

/** Characters of JSON that are parsed in one turn of the event loop: about 5 ms. */
const SLICE = 300_000;

/** Ids of one answer of a thread: some megabytes. */
const IDS_OF_PAGE = 200_000;

/** A search, and the place of its page: the row before it, and the number of matches up to that. */
interface PlacedSearch {
  type: string;
  search: SourceSearch;
  criteria: Criterion[];
  place: Place | undefined;
}

interface Place {
  rid: number;
  offset: number;
}

/** The embedded store: resources as JSON text in SQLite, with index rows for their search parameters. */
export class Store implements ClinicalSource {
  readonly local = true;
  readonly #threads: QueryThreads;
  readonly #file: string;
  readonly #now: () => number;
  readonly #kept = new KeptAnswers();
  readonly #ahead = new ReadAhead<PageFound>();
  #facts: StoreFacts;
  #params: ReadonlyMap<string, StoreFacts['params'][number]>;

  private constructor(
    { threads, file, now }: { threads: QueryThreads; file: string; now: () => number },
    facts: StoreFacts,
  ) {
    this.#threads = threads;
    this.#file = file;
    this.#now = now;
    this.#facts = facts;
    this.#params = paramsOf(facts);
  }

  /**
   * @param file a database of `loadStore`
   * @param now milliseconds since the epoch
   * @returns undefined for a database that another version has built
   */
  static async open(
    threads: QueryThreads,
    file: string,
    now: () => number = Date.now,
  ): Promise<Store | undefined> {
    const facts = await factsOf(threads, file);
    return facts.schema === storeSchema() ? new Store({ threads, file, now }, facts) : undefined;
  }

  atHand(type: string, id: string, patients: PatientsInReach): AtHand | undefined {
    return this.#kept.resource(type, id, patients);
  }

  async read(
    type: string,
    ids: readonly string[],
    { patients, signal }: ReadOptions = {},
  ): Promise<Resource[]> {
    const kept = ids.map((id) => this.#kept.resource(type, id, patients));
    const asked = ids.filter((_, index) => kept[index] === undefined);
    const known = kept.flatMap((one) => one?.resource ?? []);
    if (asked.length === 0) return known;
    const whole = (): Question => ({ ask: 'read', database: this.#database, type, ids: asked });
    const { texts } = await this.#ask<{ texts: string[] }>({ short: whole, whole }, signal);
    const { generation } = this.#facts;
    const resources = await parsed(texts);
    if (generation === this.#facts.generation) {
      const byId = new Map(
        resources.map((resource, index) => [resource.id, { resource, text: texts[index] }]),
      );
      for (const id of asked) {
        const { resource, text } = byId.get(id) ?? {};
        this.#kept.keepResource({ type, id, patients }, resource, text);
      }
    }
    return [...known, ...resources];
  }

  async search(type: string, search: SourceSearch, signal?: AbortSignal): Promise<SearchPage> {
    const key = KeptAnswers.keyOf(type, search);
    const kept = key === undefined ? undefined : this.#kept.page(key);
    if (kept) return kept;
    const { texts, generation, ...found } = await this.#found(type, search, signal);
    const page: SearchPage = { ...found, resources: await parsed(texts) };
    const isCurrent = generation === this.#facts.generation;
    return isCurrent ? this.#kept.keepPage(key, page, lengthOf(texts)) : page;
  }

  searchTexts(type: string, search: SourceSearch, signal?: AbortSignal): Promise<TextPage> {
    return this.#found(type, search, signal);
  }

  async ids(type: string, search: IdSearch, signal?: AbortSignal): Promise<readonly string[]> {
    const { params, patients, most } = search;
    const criteria = parseCriteria(type, params);
    const all: string[][] = [];
    for (let left = most, after: number | undefined; ;) {
      const limit = Math.min(left, IDS_OF_PAGE);
      const { generation } = this.#facts;
      const whole = (): Question => {
        // The rows of another content are others.
        if (after !== undefined && this.#facts.generation !== generation) throw beingReplaced();
        const planned = { type, criteria, sort: undefined, after: after !== undefined, onlyShort: false };
        const plan = planSearch(planned, this.#context(patients));
        const page = { limit, offset: 0, onlyIds: true, after } as const;
        return { ask: 'search', database: this.#database, plan, page };
      };
      const { texts, rids } = await this.#ask<PageFound>({ short: () => undefined, whole }, signal);
      all.push(texts);
      left -= texts.length;
      if (texts.length < limit || left === 0) return all.flat();
      after = rids.at(-1)!;
    }
  }

  /** Finds a page, in the content of the database that is named. */
  async #found(type: string, search: SourceSearch, signal: AbortSignal | undefined) {
    const { count, cursor } = search;
    const place = cursor === undefined ? undefined : await this.#placeIn(cursor);
    const offset = place?.offset ?? search.offset ?? 0;
    const criteria = parseCriteria(type, search.params);
    const ahead = place && this.#ahead.take(type, search);
    const ask = () => this.#page({ type, search, criteria, place }, signal);
    const found = await (ahead?.catch(ask) ?? ask());
    const { texts: all, rids, total, completeAfter } = found;
    const { generation } = this.#facts;
    const isShortened = completeAfter !== undefined;
    const texts = all.slice(0, count);
    const hasMore = all.length > count || (isShortened && texts.length > 0 && !isSortedByMany(search));
    const last = { rid: rids[texts.length - 1]!, offset: offset + texts.length };
    const next = hasMore ? `?${generation}.${last.rid}.${last.offset}` : undefined;
    if (next !== undefined && ReadAhead.isWorthIt(search)) {
      const following = { ...search, cursor: next };
      this.#ahead.put(type, following, this.#page({ type, search: following, criteria, place: last }));
    }
    return { texts, generation, total, offset, next, ...(isShortened && { completeAfter }) };
  }

  /** Asks for the rows of a page, and one more: it shows whether there is a next page. */
  async #page({ type, search, criteria, place }: PlacedSearch, signal?: AbortSignal): Promise<PageFound> {
    const { count, cursor, sort, patients, newestOf } = search;
    let known: number | undefined;
    const question = (onlyShort: boolean): Question => {
      // A cursor leads into the content that it was made of.
      if (cursor !== undefined && !cursor.startsWith(`?${this.#facts.generation}.`))
        throw new Fault('invalid_request', 'The record has been loaded anew. Begin the search again.');
      const sinceDate = onlyShort && isKnownLater(search);
      const planned = { type, criteria, sort, after: place !== undefined, onlyShort, sinceDate };
      const plan = planSearch(planned, this.#context(patients));
      known = plan.isWholeType ? (this.#facts.counts[type] ?? 0) : undefined;
      const total = search.total === 'accurate' ? 'all' : 'cheap';
      const page: PageWanted = {
        limit: count + 1,
        ...(place ? { after: place.rid, offset: 0 } : { offset: search.offset ?? 0 }),
        ...(search.total && known === undefined && { total }),
        // Only a short question is in one message with others.
        ...(newestOf && onlyShort && { newestOf }),
      };
      return { ask: 'search', database: this.#database, plan, page };
    };
    // A search through a whole type is a walk.
    const mayBeShort = (criteria.length > 0 || patients !== undefined) && criteria.every(isPlain);
    const short = () => (mayBeShort ? question(true) : undefined);
    const found = await this.#ask<PageFound>({ short, whole: () => question(false) }, signal);
    const total = search.total ? (known ?? found.total) : undefined;
    return { ...found, total };
  }

  async facets(type: string, search: FacetSearch, signal?: AbortSignal): Promise<Facet[]> {
    const { params, patients, code, limit } = search;
    const criteria = parseCriteria(type, params);
    const whole = (): Question => {
      const plan = planFacets({ type, criteria, code }, this.#context(patients));
      return { ask: 'facets', database: this.#database, plan, limit };
    };
    const found = await this.#ask<FacetsFound>({ short: () => undefined, whole }, signal);
    return facetValues(type, code, found);
  }

  #context(patients: readonly string[] | undefined): PlanContext {
    return {
      param: (of, code) => this.#params.get(`${of} ${code}`)?.param,
      isComplete: (of, code) => this.#params.get(`${of} ${code}`)?.valued === this.#facts.counts[of],
      count: (of) => this.#facts.counts[of] ?? 0,
      now: this.#now(),
      ...(patients && { patients }),
    };
  }

  get #database(): DatabaseVersion {
    return { file: this.#file, generation: this.#facts.generation };
  }

  /** Puts a question, once more when another process has replaced the database. */
  async #ask<T extends Answer>(question: QuestionForms, signal: AbortSignal | undefined): Promise<T> {
    for (let isLast = false; ; isLast = true) {
      const answer = await this.#threads.ask(question, signal);
      if (!('refused' in answer)) return answer as T;
      if (answer.refused === 'foreign') throw foreignCursor();
      if (isLast) throw beingReplaced();
      await this.#reopen();
    }
  }

  async #reopen(): Promise<void> {
    this.#facts = await factsOf(this.#threads, this.#file);
    this.#params = paramsOf(this.#facts);
    this.#kept.clear();
    this.#ahead.clear();
  }

  /** Every store supports the same parameters. */
  static supports(type: string, name: string): boolean {
    return parseName(type, name) !== undefined;
  }

  supports(type: string, name: string): boolean {
    return Store.supports(type, name);
  }

  holds(type: string): boolean {
    return (this.#facts.counts[type] ?? 0) > 0;
  }

  /** Returns the number of resources of each type. */
  counts(): Record<string, number> {
    return { ...this.#facts.counts };
  }

  /**
   * Returns the row in a cursor, and the number of matches up to it. The values by which it is sorted are not in a cursor:
   * they are the patient's, and a URL is no place for them.
   */
  async #placeIn(cursor: string): Promise<Place> {
    const [, generation, rid, offset] = /^\?([0-9a-f]{12})\.(\d{1,15})\.(\d{1,9})$/.exec(cursor) ?? [];
    if (generation === undefined) throw foreignCursor();
    if (generation !== this.#facts.generation) await this.#reopen();
    return { rid: Number(rid), offset: Number(offset) };
  }
}

async function factsOf(threads: QueryThreads, file: string): Promise<StoreFacts> {
  const whole = (): Question => ({ ask: 'facts', database: { file } });
  return (await threads.ask({ short: () => undefined, whole })) as StoreFacts;
}

function paramsOf({ params }: StoreFacts): ReadonlyMap<string, StoreFacts['params'][number]> {
  return new Map(params.map((each) => [`${each.type} ${each.code}`, each]));
}

const beingReplaced = (): Fault =>
  new Fault('unavailable', 'The record is being replaced.', { retryAfter: 1 });

const lengthOf = (texts: readonly string[]): number => texts.reduce((sum, { length }) => sum + length, 0);

/** Returns true when the dates of resources are in several keys: what is newest is no beginning of the list then. */
const isSortedByMany = ({ sort = '' }: SourceSearch): boolean => sort.includes(',');

/** Returns true when the other searches of a page decide how old what is wanted may be, and one date sorts it. */
const isKnownLater = (search: SourceSearch): boolean =>
  search.newestOf?.counts === false && search.newestOf.margin < Infinity && !isSortedByMany(search);

/** Parses resources. Other requests have their turn in between. */
async function parsed(texts: readonly string[]): Promise<Resource[]> {
  const resources: Resource[] = [];
  let length = 0;
  for (const text of texts) {
    if (length > SLICE) {
      await setImmediate();
      length = 0;
    }
    resources.push(parseFhirJson(text) as Resource);
    length += text.length;
  }
  return resources;
}
