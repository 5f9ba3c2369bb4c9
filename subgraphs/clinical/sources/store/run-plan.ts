import type Database from 'better-sqlite3';
import { memoized } from '../../../../schema/cache/bounded-cache.ts';
import { mostFrequent } from '../../../../schema/fhir/facets.ts';
import type { Collection, SearchPlan, Walk } from '../../search/plan.ts';
import type { FacetPlan } from '../../search/facet-plan.ts';
import type { Statement } from '../../search/sql.ts';
import { countInSets, countListed, type Counted } from './facet-lists.ts';
import { LONG, type FacetsFound, type PageFound, type PageWanted, type Refusal } from './question.ts';

/** Matches of one condition that are collected without further thought: some milliseconds. */
const FEW = 1_000;
/** Rows that are counted to decide between collecting and walking. */
const MANY = 100_000;
/** Rows through which a walk goes before it is compared with collecting. */
const WINDOW = 4_000;
/** Matches that are counted when a total is wanted only if it is cheap. */
const CHEAP = 5_000;

type Value = string | number | null;
/** Parameters of a statement, by name. */
type Named = Record<string, Value>;
export type Row = { rid: number } & Record<string, Value>;

/** A page without the texts of its resources. */
export interface Found extends Omit<PageFound, 'texts' | 'rids'> {
  /** In order, with the values by which they are sorted: `k0`, `k1`, …. */
  rows: Row[];
}

/** Runs plans on one database. */
export class PlanRunner {
  readonly #db: Database.Database;
  readonly #statement = memoized((sql) => this.#db.prepare<unknown[], unknown>(sql), { entries: 300 });

  constructor(db: Database.Database) {
    this.#db = db;
  }

  /**
   * Finds one page, unless it takes a walk that is not planned.
   * @param since of a plan with `sinceDate`: milliseconds since the epoch
   */
  find(plan: SearchPlan, wanted: PageWanted, since = -Infinity): Found | Refusal {
    const place = this.#place(plan, wanted);
    if (!place) return { refused: 'foreign' };
    const isBounded = plan.sinceDate === true && since > -Infinity;
    const bound = plan.sinceDate && { since: isBounded ? since : null };
    const named = { ...place, ...bound, limit: wanted.limit, offset: wanted.offset };
    // A walk of a large page reads more rows in its first part than these.
    const most = plan.walks ? Math.max(FEW, 8 * wanted.limit) : FEW;
    const few = plan.collect.find((way) => way.isBounded && this.#size(way, most) < most);
    if (!few && !plan.walks) return LONG;
    const rows = few ? this.#all(few.page, named) : this.#walked(plan, named);
    const total = this.#total(plan, wanted, { few, found: rows.length });
    // A page that is full may have more since then.
    const isComplete = isBounded && rows.length < wanted.limit;
    return { rows, total, ...(isComplete && { completeAfter: since - 1 }) };
  }

  /** Returns the page with the texts of its resources, or their ids. */
  page({ rows, ...rest }: Found, column: 'json' | 'id'): PageFound {
    const text = this.#statement(`SELECT ${column} FROM resource WHERE rid = ?`).pluck();
    const rids = rows.map(({ rid }) => rid);
    return { texts: rids.map((rid) => text.get(rid) as string), rids, ...rest };
  }

  /** Counts values; at most `limit` of them are named. */
  facets({ collect, lists }: FacetPlan, limit: number): FacetsFound {
    const few = collect.find(({ size }) => !size || this.#number(size, { most: FEW }) < FEW);
    const counted = few ? this.#all<Counted>(few.counts, {}) : countListed(lists, this.#statement);
    const { top, ...left } = mostFrequent(counted, limit);
    const text = this.#statement('SELECT json FROM resource WHERE rid = ?').pluck();
    const rows = top.map(({ rid, ...value }) => ({ json: text.get(rid) as string, ...value }));
    return { rows, ...left };
  }

  /** Returns the values by which the place is sorted: a place out of the search's reach says nothing. */
  #place({ place }: SearchPlan, { after }: PageWanted): Named | undefined {
    if (after === undefined || !place) return {};
    return this.#statement(place.sql).get(...place.binds, { rid: after }) as Row | undefined;
  }

  /** Counts the rows of a way to collect, at most `most`. */
  #size({ size }: Collection, most: number): number {
    return this.#number(size, { most });
  }

  #walked(plan: SearchPlan, parameters: Named): Row[] {
    const walks = plan.walks!.filter(
      ({ begins }) => begins === 'without value' || !('k0' in parameters) || parameters['k0'] !== null,
    );
    const wanted = Number(parameters['limit']) + Number(parameters['offset']);
    const [first] = walks;
    const part = first && plan.collect.length > 0 ? this.#part(first, parameters, wanted) : undefined;
    if (part && part.length === parameters['limit']) return part;
    if (part) {
      const smallest = this.#smallest(plan);
      // A walk needs as many rows for the whole page as it has needed for its part.
      const walk = part.length === 0 ? Infinity : (windowOf(wanted) * wanted) / part.length;
      if (smallest && smallest.size < walk) return this.#all(smallest.way.page, parameters);
    }
    return this.#walkThrough(walks, parameters);
  }

  /** Returns the matches among the first rows of a walk; undefined when the walk has no more rows than these. */
  #part({ end, part }: Walk, parameters: Named, wanted: number): Row[] | undefined {
    if (!end || !part) return undefined;
    const window = { ...parameters, window: windowOf(wanted) };
    const row = this.#statement(end.sql).get(...end.binds, window) as Row | undefined;
    return row && this.#all(part, { ...parameters, ...row });
  }

  #smallest({ collect }: SearchPlan): { size: number; way: Collection } | undefined {
    return collect
      .map((way) => ({ size: this.#size(way, MANY), way }))
      .filter(({ size }) => size < MANY)
      .sort((a, b) => a.size - b.size)[0];
  }

  #walkThrough(walks: readonly Walk[], parameters: Named): Row[] {
    const rows: Row[] = [];
    let [limit, offset] = [Number(parameters['limit']), Number(parameters['offset'])];
    for (const [index, { page }] of walks.entries()) {
      const isLast = index === walks.length - 1;
      // How many an earlier walk has skipped is known only when it gives them.
      const pageLimit = isLast ? limit : limit + offset;
      const found = this.#all(page, { ...parameters, limit: pageLimit, offset: isLast ? offset : 0 });
      const kept = isLast ? found : found.slice(offset);
      rows.push(...kept);
      limit -= kept.length;
      if (!isLast) offset = Math.max(0, offset - found.length);
      if (limit === 0) break;
    }
    return rows;
  }

  #total(
    plan: SearchPlan,
    wanted: PageWanted,
    { few, found }: { few: Collection | undefined; found: number },
  ): number | undefined {
    const { total, limit, offset, after } = wanted;
    if (total === undefined) return undefined;
    const isAll = after === undefined && offset === 0 && found < limit;
    if (isAll) return found;
    if (total === 'all') return few ? this.#number(few.count, {}) : this.#countAll(plan);
    const cheap = plan.collect.find((way) => way.isBounded && this.#size(way, CHEAP) < CHEAP);
    return cheap && this.#number(cheap.count, {});
  }

  /** Collects the matches of a condition that has few; else counts by the lists, unless rows of many have to be read for it. */
  #countAll(plan: SearchPlan): number {
    const { sets, ofType, collect } = plan;
    const smallest = this.#smallest(plan);
    const isListed = sets?.every(({ lists }) => lists) ?? false;
    const isCollected = smallest && (smallest.size < CHEAP || !isListed);
    if (sets && !isCollected) return countInSets(sets, ofType, this.#statement);
    return this.#number((smallest?.way ?? collect[0] ?? plan).count, {});
  }

  #number({ sql, binds }: Statement, parameters: Named): number {
    return Object.values(this.#statement(sql).get(...binds, parameters) as Record<string, number>)[0]!;
  }

  #all<R = Row>({ sql, binds }: Statement, parameters: Named): R[] {
    return this.#statement(sql).all(...binds, parameters) as R[];
  }
}

const windowOf = (wanted: number): number => Math.max(WINDOW, 4 * wanted);
