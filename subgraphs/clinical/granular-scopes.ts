import type { Resource } from 'fhir/r4.js';
import { Fault } from '../../schema/fault.ts';
import type { Coverage } from '../../schema/scopes.ts';
import type { RequestSource } from './request-source.ts';
import { MAX_GATHERED } from './request-source.ts';
import { chunksByLength, MAX_IDS_LENGTH } from './sources/chunks.ts';
import type { SearchPage, SearchParams, SourceSearch } from './sources/source.ts';

/**
 * As `gather`, narrowed by granular scopes: a match must satisfy one of the alternatives.
 * @throws Fault `insufficient_scope` where the source can check none of them
 */
export async function covered(
  source: RequestSource,
  type: string,
  search: SourceSearch,
  coverage: Coverage,
): Promise<SearchPage> {
  if (!coverage.constraints) return source.gather(type, search);
  const alternatives = mergeAlternatives(await checkable(source, type, coverage.constraints));
  const unionCursor = alternatives.length > 1 && /^\d+$/.test(search.cursor ?? '');
  if (search.cursor !== undefined && !unionCursor && !(await source.backend()).local) {
    // The cursor is the server's and came by way of the client: what it leads to is checked, not trusted.
    const { total: _, ...page } = await source.gather(type, search);
    return { ...page, resources: await satisfying(source, type, page.resources, coverage) };
  }
  if (alternatives.length === 1) {
    return source.gather(type, { ...search, params: [...search.params, ...alternatives[0]!] });
  }
  return union(source, type, search, alternatives);
}

/** Those of the resources that a granular scope covers. */
export async function satisfying(
  source: RequestSource,
  type: string,
  resources: readonly Resource[],
  coverage: Coverage,
): Promise<Resource[]> {
  if (!coverage.constraints || resources.length === 0) return [...resources];
  const chunks = chunksByLength(
    resources.map(({ id }) => id ?? ''),
    MAX_IDS_LENGTH,
  );
  const alternatives = mergeAlternatives(await checkable(source, type, coverage.constraints));
  const pages = await Promise.all(
    alternatives.flatMap((pairs) =>
      chunks.map((ids) =>
        source.gather(type, { params: [['_id', ids.join(',')], ...pairs], count: ids.length }),
      ),
    ),
  );
  const covered = new Set(pages.flatMap((page) => page.resources.map(({ id }) => id)));
  return resources.filter(({ id }) => covered.has(id));
}

async function checkable(
  source: RequestSource,
  type: string,
  constraints: NonNullable<Coverage['constraints']>,
): Promise<readonly SearchParams[]> {
  const backend = await source.backend();
  const known = constraints.filter((pairs) => pairs.every(([name]) => backend.supports(type, name)));
  // A constraint that cannot be checked grants nothing.
  if (known.length === 0) {
    throw new Fault(
      'insufficient_scope',
      `The token's scopes narrow ${type} in a way that is not supported.`,
    );
  }
  return known;
}

/** Several searches as one list: each is gathered whole, and what they have in common is kept once. */
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

/** Alternatives that differ in one value only are one search with a comma: `category=a` or `category=b`. */
function mergeAlternatives(alternatives: readonly SearchParams[]): readonly SearchParams[] {
  const [first] = alternatives;
  const name = first?.[0]?.[0];
  const mergeable = alternatives.every((pairs) => pairs.length === 1 && pairs[0]![0] === name);
  if (!mergeable || name === undefined || name.includes(':not')) return alternatives;
  return [[[name, alternatives.map((pairs) => pairs[0]![1]).join(',')]]];
}
