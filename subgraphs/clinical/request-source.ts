import DataLoader from 'dataloader';
import type { Resource } from 'fhir/r4.js';
import { bindContained } from '../../schema/contained.ts';
import type { Coverage } from '../../schema/scopes.ts';
import { Fault } from '../../schema/fault.ts';
import { chunksByLength, MAX_IDS_LENGTH } from './sources/chunks.ts';
import type { ClinicalSource, SearchPage, SearchParams, SourceSearch } from './sources/source.ts';

/** Most resources that one answer gathers, whatever it is asked for. */
export const MAX_GATHERED = 20_000;

/**
 * A source as one request uses it: reads are batched and everything is asked once (FG-6), and granular scopes narrow
 * what comes back (SM-5). Who may see what is not decided here.
 */
export class RequestSource {
  readonly #source: () => Promise<ClinicalSource>;
  readonly #signal: AbortSignal | undefined;
  readonly #readers = new Map<string, DataLoader<string, Resource | undefined>>();
  readonly #pages = new Map<string, Promise<SearchPage>>();
  #silent: Fault | undefined;

  constructor(source: () => Promise<ClinicalSource>, signal: AbortSignal | undefined) {
    this.#source = source;
    this.#signal = signal;
  }

  /** The backend itself, for what it says of itself. */
  backend(): Promise<ClinicalSource> {
    return this.#source();
  }

  /** One resource; undefined where it does not exist. Ids asked for together are read together. */
  read(type: string, id: string): Promise<Resource | undefined> {
    return this.#reader(type).load(id);
  }

  #reader(type: string): DataLoader<string, Resource | undefined> {
    let reader = this.#readers.get(type);
    if (!reader) {
      reader = new DataLoader(async (ids) => {
        const found = await this.#ask((source) => source.read(type, ids, this.#signal));
        const byId = new Map(found.map((resource) => [resource.id, bindContained(resource)]));
        return ids.map((id) => byId.get(id));
      });
      this.#readers.set(type, reader);
    }
    return reader;
  }

  /** A backend that was silent once is not waited for again: the answer would take as many timeouts as it has levels. */
  async #ask<T>(question: (source: ClinicalSource) => Promise<T>): Promise<T> {
    const source = await this.#source();
    if (this.#silent) throw this.#silent;
    try {
      return await question(source);
    } catch (error) {
      if (error instanceof Fault && error.code === 'gateway_timeout') this.#silent = error;
      throw error;
    }
  }

  /** One page; the same search is made once in a request. */
  page(type: string, search: SourceSearch): Promise<SearchPage> {
    const key = JSON.stringify([type, search]);
    let page = this.#pages.get(key);
    if (!page) {
      page = this.#ask((source) => source.search(type, search, this.#signal)).then((found) => {
        const reader = this.#reader(type);
        // What a search has brought need not be read again.
        for (const resource of found.resources) reader.prime(resource.id ?? '', bindContained(resource));
        return found;
      });
      this.#pages.set(key, page);
    }
    return page;
  }

  /**
   * `count` matches after the first `offset`, over as many pages as it takes.
   * `next` continues only where the last page was used up.
   */
  async gather(type: string, search: SourceSearch): Promise<SearchPage> {
    const { local } = await this.#source();
    const { offset = 0, count } = search;
    // Few servers know an offset; what they do not know they would ignore, and the answer would be wrong.
    const skip = local ? 0 : offset;
    const { offset: _, ...rest } = search;
    let page = await this.page(type, {
      ...rest,
      count: count + skip,
      ...(local && offset > 0 && { offset }),
    });
    const resources = [...page.resources];
    const { total } = page;
    while (page.next !== undefined && resources.length < skip + count) {
      const { next } = page;
      page = await this.page(type, { ...rest, count: count + skip, cursor: next });
      resources.push(...page.resources);
      if (page.next === next) break;
    }
    const found = resources.slice(skip, skip + count);
    const usedUp = resources.length <= skip + count;
    return {
      resources: found,
      ...(total !== undefined && { total }),
      ...(page.next !== undefined && usedUp && { next: page.next }),
    };
  }

  /**
   * As `gather`, narrowed by granular scopes: a match must satisfy one of the alternatives.
   * @throws Fault `insufficient_scope` where the source can check none of them
   */
  async covered(type: string, search: SourceSearch, coverage: Coverage): Promise<SearchPage> {
    if (!coverage.constraints) return this.gather(type, search);
    const alternatives = mergeAlternatives(await this.#checkable(type, coverage.constraints));
    const unionCursor = alternatives.length > 1 && /^\d+$/.test(search.cursor ?? '');
    if (search.cursor !== undefined && !unionCursor && !(await this.#source()).local) {
      // The cursor is the server's and came by way of the client: what it leads to is checked, not trusted.
      const { total: _, ...page } = await this.gather(type, search);
      return { ...page, resources: await this.satisfying(type, page.resources, coverage) };
    }
    if (alternatives.length === 1) {
      return this.gather(type, { ...search, params: [...search.params, ...alternatives[0]!] });
    }
    return this.#union(type, search, alternatives);
  }

  /** Those of the resources that a granular scope covers. */
  async satisfying(type: string, resources: readonly Resource[], coverage: Coverage): Promise<Resource[]> {
    if (!coverage.constraints || resources.length === 0) return [...resources];
    const chunks = chunksByLength(
      resources.map(({ id }) => id ?? ''),
      MAX_IDS_LENGTH,
    );
    const alternatives = mergeAlternatives(await this.#checkable(type, coverage.constraints));
    const pages = await Promise.all(
      alternatives.flatMap((pairs) =>
        chunks.map((ids) =>
          this.gather(type, { params: [['_id', ids.join(',')], ...pairs], count: ids.length }),
        ),
      ),
    );
    const covered = new Set(pages.flatMap((page) => page.resources.map(({ id }) => id)));
    return resources.filter(({ id }) => covered.has(id));
  }

  async #checkable(
    type: string,
    constraints: NonNullable<Coverage['constraints']>,
  ): Promise<readonly SearchParams[]> {
    const source = await this.#source();
    const checkable = constraints.filter((pairs) => pairs.every(([name]) => source.supports(type, name)));
    // A constraint that cannot be checked grants nothing.
    if (checkable.length === 0) {
      throw new Fault(
        'insufficient_scope',
        `The token's scopes narrow ${type} in a way that is not supported.`,
      );
    }
    return checkable;
  }

  /** Several searches as one list: each is gathered whole, and what they have in common is kept once. */
  async #union(
    type: string,
    { count, offset = 0, cursor, ...search }: SourceSearch,
    alternatives: readonly SearchParams[],
  ): Promise<SearchPage> {
    const start = cursor === undefined ? offset : Number(cursor);
    const pages = await Promise.all(
      alternatives.map((pairs) =>
        this.gather(type, { ...search, params: [...search.params, ...pairs], count: MAX_GATHERED }),
      ),
    );
    const all = [
      ...new Map(pages.flatMap((page) => page.resources.map((found) => [found.id, found]))).values(),
    ];
    const end = start + count;
    return {
      resources: all.slice(start, end),
      total: all.length,
      ...(end < all.length && { next: String(end) }),
    };
  }
}

/** Alternatives that differ in one value only are one search with a comma: `category=a` or `category=b`. */
export function mergeAlternatives(alternatives: readonly SearchParams[]): readonly SearchParams[] {
  const [first] = alternatives;
  const name = first?.[0]?.[0];
  const mergeable = alternatives.every((pairs) => pairs.length === 1 && pairs[0]![0] === name);
  if (!mergeable || name === undefined || name.includes(':not')) return alternatives;
  return [[[name, alternatives.map((pairs) => pairs[0]![1]).join(',')]]];
}
