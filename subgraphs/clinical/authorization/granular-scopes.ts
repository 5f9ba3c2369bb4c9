import type { Resource } from 'fhir/r4.js';
import { Fault } from '../../../schema/fault/fault.ts';
import type { Coverage } from '../../../schema/access/scopes.ts';
import { isInFirstPage, MAX_GATHERED, type RequestSource } from '../sources/request-source.ts';
import { ResourceMatcher } from '../sources/resource-matcher.ts';
import type { SearchPage, SearchParams, SourceSearch } from '../sources/source.ts';

type Constraints = NonNullable<Coverage['constraints']>;

/**
 * Narrows the record by granular scopes (`patient/Observation.rs?category=laboratory`, SM-5). Their constraints become
 * search parameters. A store applies them; a server may ignore them, so its results are judged here. A constraint that
 * cannot be judged grants nothing.
 */
export class GranularScopes {
  readonly #matcher = new ResourceMatcher();

  /**
   * Gathers the matches of a search that satisfy one of the alternative constraints.
   * @throws Fault `insufficient_scope` when none of the constraints can be judged
   */
  async covered(
    source: RequestSource,
    type: string,
    search: SourceSearch,
    coverage: Coverage,
  ): Promise<SearchPage> {
    if (!coverage.constraints) return source.gather(type, search);
    const constraints = this.#judgeable(type, coverage.constraints);
    const { local } = await source.backend();
    return local
      ? narrowed(source, type, search, mergeAlternatives(constraints))
      : this.#judged(source, type, search, constraints);
  }

  /**
   * Returns the parameters that narrow a search of a store to what the scopes cover.
   * @throws Fault `insufficient_scope` when none of the constraints can be judged, `not_implemented` when they are more than
   * one search
   */
  narrowing(type: string, { constraints }: Coverage): SearchParams {
    const params = this.narrowingAtOnce(type, { constraints });
    if (params) return params;
    const message = `The token's scopes narrow ${type} in several ways, which are not counted together. Leave out facets.`;
    throw new Fault('not_implemented', message);
  }

  /** As `narrowing`; undefined where the constraints are more than one search. */
  narrowingAtOnce(type: string, { constraints }: Pick<Coverage, 'constraints'>): SearchParams | undefined {
    if (!constraints) return [];
    const [only, ...others] = mergeAlternatives(this.#judgeable(type, constraints));
    return others.length === 0 ? only : undefined;
  }

  /**
   * Returns the parameters of the searches of a store that together find what the scopes cover; undefined for all.
   * @throws Fault `insufficient_scope` when none of the constraints can be judged
   */
  alternatives(type: string, { constraints }: Coverage): readonly SearchParams[] | undefined {
    return constraints && mergeAlternatives(this.#judgeable(type, constraints));
  }

  /** Returns the resources that a granular scope covers; undefined where no constraint narrows them. */
  satisfying(
    type: string,
    resources: readonly Resource[],
    { constraints }: Coverage,
  ): Promise<Resource[]> | undefined {
    return constraints && this.#matcher.matching(type, resources, this.#judgeable(type, constraints));
  }

  /** Returns the resources that a search finds; undefined if a resource alone does not decide it. */
  matching(
    type: string,
    resources: readonly Resource[],
    params: SearchParams,
  ): Promise<Resource[]> | undefined {
    return this.#matcher.decides(type, params)
      ? this.#matcher.matching(type, resources, [params])
      : undefined;
  }

  close(): void {
    this.#matcher.close();
  }

  /** Adds the constraints to the search; without them when the server refuses, or they do not fit into one search. */
  async #judged(
    source: RequestSource,
    type: string,
    search: SourceSearch,
    constraints: Constraints,
  ): Promise<SearchPage> {
    const keep = (resources: readonly Resource[]) => this.#matcher.matching(type, resources, constraints);
    const asIs = () => withoutTotal(source.gather(type, search, keep));
    const [only, ...others] = mergeAlternatives(constraints);
    // A cursor of the server continues the search that it began with.
    if (!isInFirstPage(search.cursor) || others.length > 0) return asIs();
    const params = [...search.params, ...only!];
    try {
      return await withoutTotal(source.gather(type, { ...search, params }, keep));
    } catch (error) {
      if (!(error instanceof Fault) || error.code !== 'invalid_request') throw error;
      return asIs();
    }
  }

  /** @throws Fault `insufficient_scope` when none of the constraints can be judged */
  #judgeable(type: string, constraints: Constraints): Constraints {
    const known = constraints.filter((pairs) => this.#matcher.decides(type, pairs));
    if (known.length > 0) return known;
    throw new Fault(
      'insufficient_scope',
      `The token's scopes narrow ${type} in a way that is not supported.`,
    );
  }
}

/** Removes the server's total, which may count resources outside of the scopes. */
async function withoutTotal(found: Promise<SearchPage>): Promise<SearchPage> {
  const { total: _, ...page } = await found;
  return page;
}

async function narrowed(
  source: RequestSource,
  type: string,
  search: SourceSearch,
  alternatives: Constraints,
): Promise<SearchPage> {
  const [only, ...others] = alternatives;
  return others.length === 0
    ? source.gather(type, { ...search, params: [...search.params, ...only!] })
    : union(source, type, search, alternatives);
}

/** Joins several searches into one list without duplicates. Each search is gathered completely. */
async function union(
  source: RequestSource,
  type: string,
  { count, offset = 0, cursor, ...search }: SourceSearch,
  alternatives: readonly SearchParams[],
): Promise<SearchPage> {
  const start = cursor === undefined ? offset : Number(cursor);
  const pages = await Promise.all(
    alternatives.map((pairs) =>
      source.gather(type, { ...search, params: [...search.params, ...pairs], count: MAX_GATHERED }),
    ),
  );
  if (pages.some(({ next }) => next !== undefined)) {
    const message = `The token's scopes narrow ${type} in several ways, and one of them finds more than ${MAX_GATHERED}: search more narrowly, by date for example.`;
    throw new Fault('too_large', message);
  }
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

/** Merges alternatives that differ in one value into one search: `category=a` or `category=b` become `category=a,b`. */
function mergeAlternatives(alternatives: readonly SearchParams[]): readonly SearchParams[] {
  const [first] = alternatives;
  const name = first?.[0]?.[0];
  const mergeable = alternatives.every((pairs) => pairs.length === 1 && pairs[0]![0] === name);
  if (!mergeable || name === undefined || name.includes(':not')) return alternatives;
  return [[[name, alternatives.map((pairs) => pairs[0]![1]).join(',')]]];
}
