import { Fault } from '../../../schema/fault/fault.ts';
import { searchParameter } from '../../../schema/fhir/tables.ts';
import type { Bind } from './criterion-sql.ts';
import { oneOf } from './criterion-sql.ts';
import type { Chain, Criterion, ReverseChain } from './criteria.ts';
import { parseCriteria } from './criteria.ts';
import type { Filter } from './filter.ts';
import { parseFilter } from './filter.ts';
import { bindingParameter, reachOf } from './reach.ts';
import type { SearchParams } from './search-params.ts';
import type { SqlContext, Statement } from './sql.ts';

/** The builder of a whole search and of one condition on `r`, as in `sql.ts`. */
export interface SqlBuilder {
  searchFrom(type: string, criteria: readonly Criterion[], context: SqlContext): Statement;
  criterionSql(type: string, criterion: Criterion, context: SqlContext, binds: Bind[]): string;
}

/** Returns the condition of a chain on the column `target` of references. */
export function chainSql(
  { types, name }: Chain,
  { values }: Criterion,
  context: SqlContext,
  binds: Bind[],
  build: SqlBuilder,
): string {
  const selects = types.map((type) => {
    const inner = innerSearch(type, [[name, values.join(',')]], context, build);
    binds.push(...inner.binds);
    return `SELECT '${type}/' || r.id ${inner.sql}`;
  });
  return `target IN (${selects.join(' UNION ALL ')})`;
}

/**
 * Returns the condition of `_has`, `_list` or `_filter` on a resource `r` of this type.
 * @throws Fault `invalid_request` for a value that cannot be read; `forbidden` for a type that is out of reach
 */
export function specialSql(
  type: string,
  criterion: Criterion,
  context: SqlContext,
  binds: Bind[],
  build: SqlBuilder,
): string {
  const { has, values, parameter } = criterion;
  if (has) return hasSql(type, has, values, context, binds, build);
  if (parameter.code === '_filter') {
    return filterSql(type, parseFilter(type, values[0]!), context, binds, build);
  }
  return hasSql(type, { type: 'List', reference: 'item', name: '_id' }, values, context, binds, build);
}

/** The resources that a search of another type refers to (R4 §3.1.1.4.13). */
function hasSql(
  type: string,
  { type: source, reference, name }: ReverseChain,
  values: readonly string[],
  context: SqlContext,
  binds: Bind[],
  build: SqlBuilder,
): string {
  const inner = innerSearch(source, [[name, values.join(',')]], context, build);
  binds.push(`${type}/`, context.param(source, reference) ?? -1, `${type}/`, `${type}0`, ...inner.binds);
  return `r.id IN (SELECT substr(target, length(?) + 1) FROM reference
    WHERE param = ? AND target >= ? AND target < ? AND rid IN (SELECT r.rid ${inner.sql}))`;
}

function filterSql(
  type: string,
  filter: Filter,
  context: SqlContext,
  binds: Bind[],
  build: SqlBuilder,
): string {
  const each = (terms: readonly Filter[], word: string): string =>
    `(${terms.map((term) => filterSql(type, term, context, binds, build)).join(word)})`;
  if ('and' in filter) return each(filter.and, ' AND ');
  if ('or' in filter) return each(filter.or, ' OR ');
  if ('not' in filter) return `NOT (${filterSql(type, filter.not, context, binds, build)})`;
  const [criterion] = parseCriteria(type, [[filter.name, filter.value]]);
  return `(${build.criterionSql(type, criterion!, context, binds)})`;
}

/** A search inside another: it finds only resources of the patients in reach (SM-16). */
function innerSearch(
  type: string,
  params: SearchParams,
  context: SqlContext,
  build: SqlBuilder,
): Statement {
  const { patients } = context;
  if (!patients) return build.searchFrom(type, parseCriteria(type, params), context);
  const reach = reachOf(type);
  const binding = bindingParameter(type);
  if (reach === 'compartment' && binding !== undefined) {
    const own = patients.map((id) => (type === 'Patient' ? id : `Patient/${id}`)).join(',');
    // Without a patient in reach, the name of the type alone: it matches nothing.
    const bound: SearchParams = [...params, [binding, own || 'Patient/']];
    return build.searchFrom(type, parseCriteria(type, bound), context);
  }
  if (reach !== 'shared') throw new Fault('forbidden', `${type} cannot be searched with this token.`);
  const found = build.searchFrom(type, parseCriteria(type, params), context);
  const owned = ownersSql(type, patients, context);
  return { sql: `${found.sql}${owned.sql}`, binds: [...found.binds, ...owned.binds] };
}

/** Returns the condition that a shared resource, such as a Device, belongs to no other patient. */
function ownersSql(type: string, patients: readonly string[], context: SqlContext): Statement {
  if (!searchParameter(type, 'patient')) return { sql: '', binds: [] };
  const param = context.param(type, 'patient') ?? -1;
  const binds: Bind[] = [param];
  const own = oneOf(
    patients.map((id) => `Patient/${id}`),
    binds,
  );
  const of = 'WHERE rid = r.rid AND param = ?';
  binds.push(param, param);
  return {
    sql: ` AND (EXISTS (SELECT 1 FROM reference ${of} AND target ${own}) OR NOT
      (EXISTS (SELECT 1 FROM reference ${of}) OR EXISTS (SELECT 1 FROM presence ${of})))`,
    binds,
  };
}
