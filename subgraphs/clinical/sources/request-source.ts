import DataLoader from 'dataloader';
import type { Resource } from 'fhir/r4.js';
import {
  observed,
  untold,
  type CallDescription,
  type CallObservers,
} from '../../../schema/access/source-calls.ts';
import { querySummary } from '../../../schema/access/audit.ts';
import type { Facet } from '../../../schema/fhir/facets.ts';
import { copyWith } from '../../../schema/process/copy-with.ts';
import { LoopTurns } from '../../../schema/process/event-loop.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { isTimeout } from '../../../schema/outbound/unreachable.ts';
import type { Awaitable } from '../../../schema/process/awaitable.ts';
import type { Abortable } from '../../../schema/process/request-end.ts';
import { incomplete, notAppliedFault, unreadable } from './fhir-server-fault.ts';
import { FollowedPages } from './followed-pages.ts';
import { readHistory, readVersion } from './history.ts';
import { SourceAnswers } from './source-answers.ts';
import {
  MAX_REMOTE_PAGE,
  type AtHand,
  type ClinicalSource,
  type FacetSearch,
  type HistoryPage,
  type HistorySearch,
  type IdSearch,
  type NewestOf,
  type PatientsInReach,
  type ReadOptions,
  type ResourceName,
  type SearchPage,
  type SourceSearch,
  type TextPage,
} from './source.ts';

/** Largest number of resources that one answer gathers. */
export const MAX_GATHERED = 20_000;

/**
 * A source for one request: reads are batched, and equal searches are sent once (FG-6). It does not authorize anything.
 */
export class RequestSource {
  readonly #source: () => Awaitable<ClinicalSource>;
  readonly #over: Abortable | undefined;
  readonly #observers: CallObservers;
  readonly #patients: PatientsInReach;
  readonly #answers: SourceAnswers;
  #readers: Map<string, DataLoader<string, Resource | undefined>> | undefined;
  readonly #turns = new LoopTurns();
  /** Turns by the page whose searches share them. */
  #turnsOfPages: Map<string, Promise<void>> | undefined;

  /** @param caller is told of the calls to the backend; with its patients in reach, and what the backend has answered */
  constructor(
    source: () => Awaitable<ClinicalSource>,
    over: Abortable | undefined,
    { patients, answers, ...observers }: SourceCaller = {},
  ) {
    this.#source = source;
    this.#answers = answers ?? new SourceAnswers();
    this.#over = over;
    this.#observers = observers;
    this.#patients = patients;
  }

  /** Returns the backend itself, for its properties. */
  async backend(): Promise<ClinicalSource> {
    return this.#source();
  }

  /** Reads a resource; undefined when it does not exist. Simultaneous reads become one request. */
  read(type: string, id: string): Awaitable<Resource | undefined> {
    const found = this.#answers.resource(type, id);
    if (found) return found;
    const known = this.#atHand(type, id);
    return known ? known.resource : this.#reader(type).load(id);
  }

  #atHand(type: string, id: string): AtHand | undefined {
    const source = this.#source();
    const found = source instanceof Promise ? undefined : source.atHand?.(type, id, this.#patients);
    if (found) {
      if (found.resource) this.#answers.add(type, [found.resource]);
      const request = () => `read ${type} by its id`;
      void observed(this.#observers, { request, ...kindOf(source as ClinicalSource) }, () => found);
    }
    return found;
  }

  /** Reads one version of a resource; undefined when it does not exist. */
  version(named: ResourceName, versionId: string): Promise<Resource | undefined> {
    const request = () => `read a version of ${named.type}`;
    return this.#ask((source) => readVersion(source, named, versionId, this.#caller), { request });
  }

  /** Returns one page of the versions of a resource. */
  history(named: ResourceName, search: HistorySearch): Promise<HistoryPage> {
    const request = () => `history of ${named.type}`;
    return this.#ask((source) => readHistory(source, named, search, this.#caller), { request });
  }

  get #caller(): ReadOptions {
    return { patients: this.#patients, signal: this.#over?.signal };
  }

  #reader(type: string): DataLoader<string, Resource | undefined> {
    this.#readers ??= new Map();
    let reader = this.#readers.get(type);
    if (!reader) {
      reader = new DataLoader(async (ids) => {
        const found = await this.#ask((source) => source.read(type, ids, this.#caller), {
          request: () => `read ${type} by ${ids.length === 1 ? 'its id' : `${ids.length} ids`}`,
        });
        this.#answers.add(type, found);
        return ids.map((id) => this.#answers.resource(type, id));
      });
      this.#readers.set(type, reader);
    }
    return reader;
  }

  /** After one timeout, the backend is not asked again: a nested query would wait for a timeout at each level. */
  async #ask<T>(
    question: (source: ClinicalSource) => Promise<T>,
    { newestOf, isFurtherPage = false, ...call }: Question,
  ): Promise<T> {
    const source = await this.#source();
    await (newestOf ? this.#turnOf(newestOf) : this.#turns.next());
    if (this.#answers.silent) throw this.#answers.silent;
    try {
      const observers = isFurtherPage ? untold(this.#observers) : this.#observers;
      return await observed(observers, copyWith(kindOf(source), call), () => question(source));
    } catch (error) {
      if (error instanceof Fault && isTimeout(error.details.cause)) this.#answers.silent = error;
      throw error;
    }
  }

  #turnOf({ page }: NewestOf): Promise<void> {
    this.#turnsOfPages ??= new Map();
    const turn = this.#turnsOfPages.get(page) ?? this.#turns.next();
    this.#turnsOfPages.set(page, turn);
    return turn;
  }

  /** Returns the ids of what a search finds; only of a source that gives them. */
  async ids(type: string, search: IdSearch): Promise<readonly string[]> {
    const request = () => `search ids of ${summaryOf(type, { params: search.params, count: search.most })}`;
    return this.#ask((source) => source.ids!(type, search, this.#over?.signal), { request });
  }

  /** Counts values. @throws Fault `not_implemented` for a source that cannot count them */
  facets(type: string, search: FacetSearch): Promise<Facet[]> {
    const count = (source: ClinicalSource) => {
      if (source.facets) return source.facets(type, search, this.#over?.signal);
      const message = 'The FHIR server of this record does not count values. Leave out facets.';
      throw new Fault('not_implemented', message, { service: 'clinical' });
    };
    return this.#ask(count, { request: () => `count values of ${type}` });
  }

  /** Returns one page of a source that has texts; nothing of it is kept. */
  async texts(type: string, search: SourceSearch): Promise<TextPage> {
    const request = () => `search ${summaryOf(type, search)}`;
    return this.#ask((source) => source.searchTexts!(type, search, this.#over?.signal), { request });
  }

  /**
   * Returns one page; equal searches of a request are sent once.
   * @param isFurther true for a page that follows another one of the same answer
   */
  page(type: string, search: SourceSearch, isFurther = false): Promise<SearchPage> {
    // The patients are the caller's, the same in each search; there may be thousands.
    const { patients, ...rest } = search;
    const key = JSON.stringify([type, rest, patients !== undefined]);
    return this.#answers.page(key, () => this.#askForPage(type, search, { key, isFurther }));
  }

  async #askForPage(
    type: string,
    search: SourceSearch,
    { key, isFurther }: { key: string; isFurther: boolean },
  ): Promise<SearchPage> {
    try {
      const page = await this.#ask((source) => source.search(type, search, this.#over?.signal), {
        request: () => `search ${summaryOf(type, search)}`,
        newestOf: search.newestOf,
        isFurtherPage: isFurther,
      });
      this.#answers.add(type, page.resources);
      return page;
    } catch (error) {
      // It was not the backend that failed: others may want the page still.
      if (this.#over?.signal.aborted) this.#answers.forget(key);
      throw error;
    }
  }

  /**
   * Gathers `count` matches after the first `offset`, from as many pages as needed, each once. `next` continues after the
   * last match, also in the middle of a page. A list that a server does not sort is sorted here when it is gathered whole.
   * @param keep filters the matches of a page; `total` still counts all of them
   * @throws Fault `too_large` when too many matches are filtered out, or a server does not return the rest of the list;
   * `bad_gateway` when its pages have no end; `unsupported_parameter` when `strict` and a parameter was not applied
   */
  async gather(
    type: string,
    search: SourceSearch,
    keep: (resources: readonly Resource[]) => Promise<readonly Resource[]> = async (resources) => resources,
  ): Promise<SearchPage> {
    const source = await this.#source();
    const { offset = 0, count, cursor: from, ...rest } = search;
    // Few servers support an offset; the others would ignore it, and the answer would be wrong.
    const wanted = count + (source.local ? 0 : offset);
    // A list and a join that ask for all of a type ask the same.
    const page = source.local ? wanted : Math.min(wanted, MAX_REMOTE_PAGE);
    const asked = { ...rest, count: page, ...(source.local && offset > 0 && { offset }) };
    const gathered = await this.#pagesOf(type, asked, { wanted, from, keep });
    const isWhole = from === undefined && gathered.next === undefined && gathered.completeAfter === undefined;
    const sort = search.sort ?? '';
    const sorted =
      isWhole && gathered.notApplied.has('_sort')
        ? source.sorted?.(type, gathered.resources, sort)
        : undefined;
    if (sorted) gathered.notApplied.delete('_sort');
    const notApplied = [...gathered.notApplied];
    if (search.strict && notApplied.length > 0) throw notAppliedFault(type, notApplied);
    const { total, next, offset: before } = gathered;
    return {
      resources: (sorted ?? gathered.resources).slice(wanted - count, wanted),
      total,
      offset: before,
      next,
      ...(notApplied.length > 0 && { notApplied }),
      completeAfter: gathered.completeAfter,
    };
  }

  async #pagesOf(type: string, search: SourceSearch, { wanted, from, keep }: Gathering): Promise<Gathered> {
    let { before, cursor } = from === undefined ? { before: 0, cursor: undefined } : readPlace(from);
    const followed = new FollowedPages(cursor);
    const found = new Map<string, Resource>();
    const notApplied = new Set<string>();
    let looked = 0;
    let total: number | undefined;
    let offset: number | undefined;
    let mayRepeat = false;
    for (let isFirst = true; ; isFirst = false) {
      const page = await this.page(type, cursor === undefined ? search : { ...search, cursor }, !isFirst);
      const kept = await keep(page.resources);
      looked += page.looked ?? page.resources.length;
      for (const name of page.notApplied ?? []) notApplied.add(name);
      if (isFirst) total = page.total;
      if (isFirst && page.offset !== undefined) offset = page.offset + before;
      if (page.looked !== undefined && page.looked > page.resources.length) total = undefined;
      if (search.strict && [...notApplied].some((name) => name !== '_sort'))
        throw notAppliedFault(type, [...notApplied]);
      let at = before;
      const known = found.size;
      for (; at < kept.length && found.size < wanted; at++) found.set(kept[at]!.id ?? '', kept[at]!);
      const resources = () => [...found.values()];
      const isFull = at < kept.length;
      if (!isFull && page.incomplete && found.size < wanted) throw incomplete(type);
      // A caller who asks for more than an incomplete page is told that there are no more pages.
      if (isFull || page.incomplete)
        return { resources: resources(), next: placeIn(at, cursor), total, offset, notApplied };
      const { next, completeAfter } = page;
      if (next === undefined || completeAfter !== undefined || found.size >= wanted)
        return { resources: resources(), next, total, offset, notApplied, completeAfter };
      if (looked > MAX_GATHERED) throw tooManyLeftOut(type);
      if (known === found.size && kept.length > before && !mayRepeat)
        throw unreadable('its pages repeat themselves');
      mayRepeat = page.mayRepeat ?? false;
      before = 0;
      cursor = next;
      followed.follow(cursor);
    }
  }
}

/** For whom a source is asked. */
export interface SourceCaller extends CallObservers, Pick<ReadOptions, 'patients'> {
  /** Answers that the backend has given to the same request of a client; by default none. */
  answers?: SourceAnswers | undefined;
}

/** Names a backend to the observers of its calls. */
function kindOf({ local }: ClinicalSource) {
  const kind = local ? 'store' : 'fhir';
  return { kind, source: () => `clinical (${kind})` } as const;
}

/** Facts about a question to the backend. */
interface Question extends Omit<CallDescription, 'source' | 'kind'> {
  newestOf?: NewestOf | undefined;
  /** True for a page that follows another one. How many there are tells how much is left out of them. */
  isFurtherPage?: boolean;
}

function summaryOf(type: string, { params, count, sort, offset, cursor }: SourceSearch): string {
  const page = Object.entries({ _sort: sort, _count: count, _offset: offset, _cursor: cursor })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => [name, String(value)] as const);
  return querySummary(type, [...params, ...page]);
}

interface Gathering {
  wanted: number;
  from: string | undefined;
  keep: (resources: readonly Resource[]) => Promise<readonly Resource[]>;
}

interface Gathered {
  resources: Resource[];
  next: string | undefined;
  total: number | undefined;
  /** Matches before the first of these, where the source says it. */
  offset: number | undefined;
  /** Names of parameters that were not applied to one of the pages. */
  notApplied: Set<string>;
  /** As that of `SearchPage`. */
  completeAfter?: number | undefined;
}

/** Writes a cursor of the source, and the number of matches before the place on its page; the first page has no cursor. */
const placeIn = (before: number, cursor = ''): string => `${before}:${cursor}`;

function readPlace(text: string): { before: number; cursor: string | undefined } {
  const [, before, cursor] = /^(\d{1,9}):(.*)$/s.exec(text) ?? [undefined, '0', text];
  return { before: Number(before), cursor: cursor || undefined };
}

/** Returns true when a cursor of `gather` leads into the first page of a search. */
export function isInFirstPage(cursor: string | undefined): boolean {
  return cursor === undefined || readPlace(cursor).cursor === undefined;
}

function tooManyLeftOut(type: string): Fault {
  return new Fault(
    'too_large',
    `More than ${MAX_GATHERED} ${type} resources would have to be looked through: search more narrowly, by date for example.`,
  );
}
