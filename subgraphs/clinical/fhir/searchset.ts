import type { Bundle } from 'fhir/r4.js';
import { Fault } from '../../../schema/fault/fault.ts';
import { pageSize } from '../record/limits.ts';
import { subsetted } from './elements.ts';
import type { Page } from '../record/page.ts';
import type { SearchParams } from '../sources/source.ts';

/** Parameters that shape the answer and choose nothing (R4 §3.1.1.5); `_include` and `_revinclude` are not served. */
const RESULT_PARAMETERS = new Set([
  ...['_count', '_offset', '_cursor', '_sort', '_summary', '_elements', '_total', '_format', '_pretty'],
]);
const DEFAULT_COUNT = 50;

/**
 * What a request asks besides its search parameters; of a parameter that is repeated the last counts.
 * @throws Fault `invalid_request` for a count or offset that is no number, `unsupported_parameter` for a summary under
 * `handling=strict` (R4 §3.1.1.1)
 */
export function readOptions(params: SearchParams, prefer: string | undefined) {
  const strict = /\bhandling\s*=\s*strict\b/.test(prefer ?? '');
  const chosen = params.filter(([name]) => !RESULT_PARAMETERS.has(name));
  const summary = valueOf(params, '_summary');
  if (strict && summary !== undefined && !['count', 'false'].includes(summary)) {
    throw new Fault('unsupported_parameter', 'Of _summary only count and false are supported.');
  }
  const count = pageSize(naturalOf(params, '_count') ?? DEFAULT_COUNT);
  const countOnly = summary === 'count' || count === 0;
  const offset = naturalOf(params, '_offset');
  const sort = valueOf(params, '_sort');
  const cursor = valueOf(params, '_cursor');
  return {
    search: {
      ...{ params: chosen, count: countOnly ? 1 : count, total: true, strict },
      ...(offset !== undefined && { offset }),
      ...(sort !== undefined && { sort }),
      ...(cursor !== undefined && { cursor }),
    },
    count,
    countOnly,
    elements: valueOf(params, '_elements')?.split(','),
    pretty: valueOf(params, '_pretty') === 'true',
  };
}

export type Options = ReturnType<typeof readOptions>;

function naturalOf(params: SearchParams, name: string): number | undefined {
  const value = valueOf(params, name);
  if (value === undefined) return undefined;
  if (!/^\d{1,9}$/.test(value)) throw new Fault('invalid_request', `${name} must be a whole number.`);
  return Number(value);
}

/** The value of a parameter; of several the last. */
export function valueOf(params: SearchParams, name: string): string | undefined {
  return params.findLast(([key]) => key === name)?.[1];
}

/** R4 §3.1.1.4: links say what was applied, full URLs are absolute, every entry is a match. */
export function searchset(page: Page, base: string, type: string, options: Options): Bundle {
  const { count: total, resources } = page;
  const link = (cursor?: string): string => {
    const query = new URLSearchParams(page.applied.map(([name, value]): [string, string] => [name, value]));
    if (page.sort) query.append('_sort', page.sort);
    if (options.elements) query.append('_elements', options.elements.join(','));
    if (options.countOnly) query.append('_summary', 'count');
    else query.append('_count', String(options.count));
    if (cursor !== undefined) query.append('_cursor', cursor);
    return `${base}/${type}?${query.toString()}`;
  };
  const pages = (['first', 'previous', 'next', 'last'] as const).flatMap((relation) => {
    const cursor = page[relation];
    return cursor === undefined ? [] : [{ relation, url: link(cursor) }];
  });
  return {
    resourceType: 'Bundle',
    type: 'searchset',
    ...(total !== undefined && { total }),
    link: [{ relation: 'self', url: link(options.search.cursor) }, ...(options.countOnly ? [] : pages)],
    // An array of FHIR JSON is never empty (R4 §2.6.2).
    ...(!options.countOnly &&
      resources.length > 0 && {
        entry: resources.map((resource) => ({
          fullUrl: `${base}/${type}/${resource.id}`,
          resource: (options.elements ? subsetted(resource, options.elements) : resource) as never,
          search: { mode: 'match' },
        })),
      }),
  };
}
