import { Fault } from '../../../schema/fault/fault.ts';
import { searchParameter } from '../../../schema/fhir/tables.ts';
import { parseCriteria, typeSearched, type Criterion, type ReverseChain } from './criteria.ts';
import { parseFilter, type Filter } from '../../../schema/fhir/search/filter.ts';
import { bindingParameter, reachOf } from './reach.ts';
import type { SearchParams } from './search-params.ts';
import { joined, oneOf, type Bind, type SqlContext, type Statement } from './sql-context.ts';
import { belonging, check, isOneOf } from './reach-sql.ts';

/** Builders of the searches inside a search: the functions of `sql.ts`, with their context. */
export interface InnerSql {
  context: SqlContext;
  /** Returns the `FROM … WHERE …` of a search of resources `r`. */
  searchFrom(type: string, criteria: readonly Criterion[]): Statement;
  /** Returns the condition of one criterion on a resource `r`. */
  criterionSql(type: string, criterion: Criterion): Statement;
}

/** Returns the condition of a chain on the column `target` of references (R4 §3.1.1.4.12). */
export function chainSql({ chain, values }: Criterion, inner: InnerSql): Statement {
  const { types = [], name = '' } = chain ?? {};
  const selects = types.map((type) => {
    const { sql, binds } = innerSearch(type, [[name, values.join(',')]], inner);
    return { sql: `SELECT '${type}/' || r.id ${sql}`, binds };
  });
  const { sql, binds } = joined(selects, ' UNION ALL ');
  return { sql: `target IN (${sql})`, binds };
}

const LIST_ITEM: ReverseChain = { type: 'List', reference: 'item', name: '_id' };

/**
 * Returns the condition of `_has`, `_list` or `_filter` on a resource `r` of this type.
 * @throws Fault `invalid_request` for a value that cannot be read; `forbidden` for a type that is out of reach
 */
export function specialSql(type: string, { has, parameter, values }: Criterion, inner: InnerSql): Statement {
  if (parameter.code === '_filter')
    return filterSql(type, parseFilter(type, values[0]!, typeSearched), inner);
  const { type: source, reference, name } = has ?? LIST_ITEM;
  const { sql, binds } = innerSearch(source, [[name, values.join(',')]], inner);
  const param = inner.context.param(source, reference) ?? -1;
  // The resources that the found ones refer to: `0` comes after the slash (R4 §3.1.1.4.13).
  return {
    sql: `r.id IN (SELECT substr(target, length(?) + 1) FROM reference
      WHERE param = ? AND target >= ? AND target < ? AND rid IN (SELECT r.rid ${sql}))`,
    binds: [`${type}/`, param, `${type}/`, `${type}0`, ...binds],
  };
}

function filterSql(type: string, filter: Filter, inner: InnerSql): Statement {
  if ('not' in filter) {
    const { sql, binds } = filterSql(type, filter.not, inner);
    return { sql: `NOT ${sql}`, binds };
  }
  if ('name' in filter) {
    const [criterion] = parseCriteria(type, [[filter.name, filter.value]]);
    const { sql, binds } = inner.criterionSql(type, criterion!);
    return { sql: `(${sql})`, binds };
  }
  const [terms, word] = 'and' in filter ? [filter.and, ' AND '] : [filter.or, ' OR '];
  const { sql, binds } = joined(
    terms.map((term) => filterSql(type, term, inner)),
    word,
  );
  return { sql: `(${sql})`, binds };
}

/** A search inside another: it finds only resources of the patients in reach (SM-16). */
function innerSearch(type: string, params: SearchParams, inner: InnerSql): Statement {
  const { patients } = inner.context;
  const reach = reachOf(type);
  const isBound = reach === 'compartment' && bindingParameter(type) !== undefined;
  if (patients && !isBound && reach !== 'shared')
    throw new Fault('forbidden', `${type} cannot be searched with this token.`);
  const found = inner.searchFrom(type, parseCriteria(type, params));
  if (!patients) return found;
  if (isBound) {
    const own = type === 'Patient' ? isOneOf(patients) : check(belonging(type, patients, inner.context));
    return joined([found, own], ' AND ');
  }
  if (!searchParameter(type, 'patient')) return found;
  return joined([found, ownerSql(patients, inner.context.param(type, 'patient') ?? -1)], ' AND ');
}

/** Returns the condition that a shared resource, such as a Device, belongs to no other patient. */
function ownerSql(patients: readonly string[], param: number): Statement {
  const binds: Bind[] = [param];
  const own = patients.map((id) => `Patient/${id}`);
  const of = 'WHERE rid = r.rid AND param = ?';
  const sql = `(EXISTS (SELECT 1 FROM reference ${of} AND target ${oneOf(own, binds)})
    OR NOT (EXISTS (SELECT 1 FROM reference ${of}) OR EXISTS (SELECT 1 FROM presence ${of})))`;
  return { sql, binds: [...binds, param, param] };
}
