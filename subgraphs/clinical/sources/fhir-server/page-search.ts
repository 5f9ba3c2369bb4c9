import { Fault } from '../../../../schema/fault/fault.ts';
import { FHIR_ID } from '../../../../schema/fhir/fhir.ts';
import { alternatives } from '../../../../schema/fhir/search/search-value.ts';
import { searchParameter } from '../../../../schema/fhir/tables.ts';
import { unreadable } from '../fhir-server-fault.ts';
import {
  MAX_REMOTE_PAGE as MAX_PAGE,
  type SearchPage,
  type SearchParams,
  type SourceCapabilities,
  type SourceSearch,
  type TypeCapabilities,
} from '../source.ts';
import type { FhirHttp } from './http.ts';
import { countIn, ignoredBy, repeatsSearch, type Asked } from './ignored-parameters.ts';
import { judge } from './judgement.ts';
import { writePlace, type Links, type Place } from './page-place.ts';
import { readSearchset, type Searchset } from './searchset.ts';
import type { FhirServersShared } from './shared.ts';
import { Sorting } from './sorting.ts';

export interface PageSearchOptions {
  base: string;
  http: FhirHttp;
  links: Links;
  capabilities: () => Promise<SourceCapabilities | undefined>;
  shared: FhirServersShared;
}

/** Pages of searches at one FHIR server. What it says about its answers is compared with the search and with the answers. */
export class PageSearch {
  readonly #options: PageSearchOptions;

  constructor(options: PageSearchOptions) {
    this.#options = options;
  }

  /** @param search has no patients any more: its parameters name them */
  async page(
    type: string,
    search: SourceSearch,
    { place, signal }: { place: Place; signal: AbortSignal | undefined },
  ): Promise<SearchPage> {
    const { links, shared } = this.#options;
    const { sort } = search;
    const params = search.params.map(([name, value]) => typedReferences(type, name, value));
    const asked: Asked = { type, params, sort };
    const path = place.path
      ? links.requireSearch(type, place.path)
      : `/${type}?${queryOf({ ...search, params })}`;
    // Meanwhile the server is asked what it can do, unless that is known.
    const capabilities = this.#options.capabilities();
    const { set, isStrict } = await this.#ask({ ...asked, isLater: place.path !== '' }, path, signal);
    const declared = (await capabilities)?.get(type);
    const ignored = ignoredNames({ asked, set, place, isStrict, declared });
    const { resources, undecided } = await judge(shared.matcher, { ...asked, ignored }, set.resources);
    const notApplied = [...undecided, ...(this.#isSorted(asked, set, ignored) ? [] : ['_sort'])];
    const seen = place.seen + set.returned;
    const linked = this.#next(type, set, path);
    const all =
      linked === undefined ? await this.#totalAtEnd(asked, set, { count: search.count, signal }) : 0;
    const next = all > seen ? await this.#atOffset(asked, set, { path, signal }) : linked;
    const isOnly = place.path === '' && next === undefined;
    const isCounted =
      resources.length === set.resources.length && (isOnly || ignored.every((name) => name === '_sort'));
    return {
      resources,
      looked: set.returned,
      ...(isCounted && set.total !== undefined && set.total >= seen && { total: set.total }),
      next: next === undefined ? undefined : writePlace({ path: next, seen, ignored, part: place.part }),
      ...(next === undefined && all > seen && { incomplete: true }),
      ...(notApplied.length > 0 && { notApplied }),
    };
  }

  /**
   * Sends a search with `handling=strict`. A server may refuse more by that than it cannot answer: then the search is sent
   * again without, and from then on at once.
   */
  async #ask(
    { type, params, sort = '', isLater = false }: Asked & { isLater?: boolean },
    path: string,
    signal: AbortSignal | undefined,
  ): Promise<{ set: Searchset; isStrict: boolean }> {
    const { base, http, shared } = this.#options;
    const shape = [base, type, ...params.map(([name]) => name).toSorted(), sort].join(' ');
    const get = async (isStrict: boolean) => {
      const answer = await http.get(path, signal, isStrict);
      if (answer !== undefined) return { set: readSearchset(answer, type), isStrict };
      throw new Fault(
        isLater ? 'gone' : 'not_implemented',
        isLater
          ? 'The clinical record does not have this page any more. Repeat the search from its first page.'
          : `The clinical record has no search of ${type}.`,
        { service: 'clinical' },
      );
    };
    if (shared.refuseStrict.has(shape)) return get(false);
    try {
      return await get(true);
    } catch (error) {
      if (!(error instanceof Fault) || error.code !== 'invalid_request') throw error;
      const answer = await get(false);
      shared.refuseStrict.set(shape, true);
      return answer;
    }
  }

  #isSorted({ type, sort }: Asked, { resources }: Searchset, ignored: readonly string[]): boolean {
    if (sort === undefined || resources.length < 2) return true;
    if (ignored.includes('_sort')) return false;
    return !new Sorting(this.#options.shared.matcher, type, sort).isContradictedBy(resources);
  }

  /**
   * Returns the path of the next page.
   * @throws Fault `bad_gateway` when it is at another server, of another search, or the same page again
   */
  #next(type: string, { next }: Searchset, path: string): string | undefined {
    if (next === undefined) return undefined;
    const { base, links, shared } = this.#options;
    const relative = links.relative(next);
    if (relative === undefined) throw unreadable('its next page is said to be at another server');
    if (!links.isSearchOf(type, relative)) throw unreadable('its next page is that of another search');
    if (relative === path) throw unreadable('its pages lead in a circle');
    shared.givesNext.set(base, true);
    return relative;
  }

  /**
   * Returns the path of the rest of a list for a server that gives no links but takes `_offset`; undefined when it takes
   * none. That is tried once: a server that ignores it begins the list again.
   */
  async #atOffset(
    asked: Asked,
    { resources, returned }: Searchset,
    { path, signal }: { path: string; signal: AbortSignal | undefined },
  ): Promise<string | undefined> {
    const { base, shared } = this.#options;
    if (returned === 0 || shared.givesNext.has(base)) return undefined;
    const [before = '', query = ''] = path.split('?');
    const params = new URLSearchParams(query);
    params.set('_offset', String(Number(params.get('_offset') ?? 0) + returned));
    const next = `${before}?${params.toString()}`;
    if (!shared.takesOffset.has(base)) {
      params.set('_count', '1');
      const { set } = await this.#ask(asked, `${before}?${params.toString()}`, signal);
      const seen = new Set(resources.map(({ id }) => id));
      shared.takesOffset.set(base, set.returned === 1 && set.resources.every(({ id }) => !seen.has(id)));
    }
    return shared.takesOffset.get(base) ? next : undefined;
  }

  /**
   * Returns the number of all matches after the last page; 0 when nothing speaks against the end. Some servers cut a list
   * and give no link to the rest: when a server that never gave a link answers without a total, with as many resources as
   * were asked for or with a round number of them, they are counted.
   */
  async #totalAtEnd(
    asked: Asked,
    { total, returned, self }: Searchset,
    { count, signal }: { count: number; signal: AbortSignal | undefined },
  ): Promise<number> {
    if (total !== undefined) return total;
    const ids = asked.params.find(([name]) => name === '_id')?.[1];
    if (ids !== undefined && returned >= alternatives(ids).length) return 0;
    const size = countIn(self);
    const isFull = returned >= Math.min(count, MAX_PAGE, size ?? Infinity);
    const isRound = returned >= 10 && returned % 5 === 0;
    if (this.#options.shared.givesNext.has(this.#options.base) || (!isFull && !isRound)) return 0;
    const query = queryOf({ params: asked.params, summary: 'count' });
    const counted = await this.#ask(
      { type: asked.type, params: asked.params },
      `/${asked.type}?${query}`,
      signal,
    );
    return counted.set.total ?? (isFull ? Infinity : 0);
  }
}

interface Answered {
  asked: Asked;
  set: Searchset;
  place: Place;
  /** False when the server refused the search with `handling=strict`. */
  isStrict: boolean;
  declared: TypeCapabilities | undefined;
}

/** Returns the names of parameters, and `_sort`, that the server did not apply, as far as it says so. */
function ignoredNames({ asked, set, place, isStrict, declared }: Answered): string[] {
  // Links to later pages often have another form: what the first page said is in the cursor.
  const isOpaque = place.path !== '' && !repeatsSearch(asked, set.self);
  const now = isOpaque ? [] : ignoredBy(asked, set, declared);
  // A server that refuses the strict search does not apply all of it, whatever its link repeats.
  const doubtful = isStrict
    ? []
    : asked.params.map(([name]) => name).filter((name) => !declared?.searchParameters.has(name));
  return [...new Set([...place.ignored, ...now, ...doubtful])];
}

/** Writes references to patients with their type, which some servers need: `patient=1` becomes `patient=Patient/1`. */
function typedReferences(type: string, name: string, value: string): SearchParams[number] {
  const { type: kind, targets = [] } = searchParameter(type, name) ?? {};
  const [target, ...others] = name === 'patient' ? ['Patient'] : targets;
  if (kind !== 'reference' || target === undefined || others.length > 0) return [name, value];
  return [
    name,
    alternatives(value)
      .map((item) => (FHIR_ID.test(item) ? `${target}/${item}` : item))
      .join(','),
  ];
}

type Query = Pick<SourceSearch, 'params' | 'sort' | 'offset' | 'total'> & {
  count?: number;
  summary?: 'count';
};

function queryOf({ params, sort, count, offset, total, summary }: Query): string {
  const query = new URLSearchParams(params.map(([name, value]): [string, string] => [name, value]));
  if (sort) query.append('_sort', sort);
  if (count !== undefined) query.append('_count', String(Math.min(count, MAX_PAGE)));
  if (offset) query.append('_offset', String(offset));
  if (total === 'accurate') query.append('_total', 'accurate');
  if (summary) query.append('_summary', summary);
  return query.toString();
}
