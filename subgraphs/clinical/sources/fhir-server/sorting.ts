import type { Resource } from 'fhir/r4.js';
import { withPlainNumbers } from '../../../../schema/fhir/decimal.ts';
import { searchParameter } from '../../../../schema/fhir/tables.ts';
import { foldString } from '../../search/index-rows.ts';
import type { ResourceMatcher } from '../resource-matcher.ts';

/** The values of one key in a resource by which it is sorted; undefined when it has none. */
interface Extent {
  least: number | string;
  most: number | string;
  /** End of the last period. */
  end: number | string;
}

interface Key {
  code: string;
  descending: boolean;
}

/** Orders resources by `_sort`, as the store does: by the nearest value, resources without a value last. */
export class Sorting {
  readonly #matcher: ResourceMatcher;
  readonly #type: string;
  readonly #keys: readonly Key[];

  /** @param sort keys, such as `-date,code` */
  constructor(matcher: ResourceMatcher, type: string, sort: string) {
    this.#matcher = matcher;
    this.#type = type;
    this.#keys = sort
      .split(',')
      .map((key) => ({ code: key.replace(/^-/, ''), descending: key.startsWith('-') }));
  }

  /** Returns true when resources can be sorted by all keys here. */
  get isPossible(): boolean {
    return this.#keys.every(({ code }) =>
      ['date', 'string', 'token', 'reference', 'number', 'quantity', 'uri'].includes(
        searchParameter(this.#type, code)?.type ?? '',
      ),
    );
  }

  /** Returns the resources in order; equal ones keep theirs. */
  sorted(resources: readonly Resource[]): Resource[] {
    const keyed = resources.map((resource) => ({
      resource,
      extents: this.#keys.map((key) => this.#extent(resource, key)),
    }));
    return keyed
      .toSorted((a, b) => {
        const orders = this.#keys.map(({ descending }, at) =>
          compare(a.extents[at], b.extents[at], descending),
        );
        return orders.find((order) => order !== 0) ?? 0;
      })
      .map(({ resource }) => resource);
  }

  /**
   * Returns true when the first key shows that resources are in another order. Only dates show that: servers compare
   * texts in different ways. Periods may be sorted by either end.
   */
  isContradictedBy(resources: readonly Resource[]): boolean {
    const [key] = this.#keys;
    if (!key || searchParameter(this.#type, key.code)?.type !== 'date') return false;
    const extents = resources
      .map((resource) => this.#extent(resource, key))
      .filter((extent) => extent !== undefined);
    return extents.some((extent, at) => {
      const next = extents[at + 1];
      return next && (key.descending ? isAfter(next, extent) : isAfter(extent, next));
    });
  }

  #extent(resource: Resource, { code }: Key): Extent | undefined {
    if (code === '_id') return textExtent([resource.id ?? '']);
    const plain = withPlainNumbers(resource) as Resource;
    const rows = this.#matcher.rowsOf(this.#type, code, plain);
    if (!rows) return undefined;
    const spans = [...rows.date, ...rows.number];
    if (spans.length > 0) {
      const lows = spans.map(({ low }) => low);
      return {
        least: Math.min(...lows),
        most: Math.max(...lows),
        end: Math.max(...spans.map(({ high }) => high)),
      };
    }
    const type = searchParameter(this.#type, code)?.type;
    const codes = rows.token.map((token) => token.code);
    const texts =
      type === 'token'
        ? codes
        : type === 'string'
          ? rows.string.map(foldString)
          : [...rows.reference, ...rows.uri];
    return textExtent(texts.toSorted());
  }
}

function textExtent(sorted: readonly string[]): Extent | undefined {
  const [least, most] = [sorted[0], sorted.at(-1)];
  return least === undefined || most === undefined ? undefined : { least, most, end: most };
}

/** Dates without a zone are in that of the server. */
const ZONE_MS = 14 * 3_600_000;
const isAfter = (a: Extent, b: Extent): boolean => Number(a.least) > Number(b.end) + ZONE_MS;

function compare(a: Extent | undefined, b: Extent | undefined, descending: boolean): number {
  if (!a || !b) return Number(!a) - Number(!b);
  const [left, right] = descending ? [b.most, a.most] : [a.least, b.least];
  return left < right ? -1 : left > right ? 1 : 0;
}
