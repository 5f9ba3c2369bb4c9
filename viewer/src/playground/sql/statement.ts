/** Names to complete in a statement of SQL, and parameters to fill in. */
import type { SqlTable } from './tables.ts';

/** Matches texts, quoted names and comments, of which nothing is read; also ones that are not closed yet. */
const QUIET = /'(?:[^']|'')*(?:'|$)|"(?:[^"]|"")*(?:"|$)|--[^\n]*|\/\*[^]*?(?:\*\/|$)/g;
/** `::` is a cast. */
const PARAMETER = /(?<![:\w]):([A-Za-z_]\w*)/g;

/** Replaces what is not read by spaces: places stay. */
const withoutQuiet = (sql: string) => sql.replace(QUIET, (text) => text.replaceAll(/[^\n]/g, ' '));

/** Returns the names of parameters (`:name`), each once. */
export function parametersIn(sql: string): string[] {
  return [...new Set([...withoutQuiet(sql).matchAll(PARAMETER)].map(([, name]) => name!))];
}

export interface Suggestion {
  name: string;
  kind: 'table' | 'column' | 'keyword';
  detail: string;
}

const KEYWORDS =
  'SELECT FROM WHERE JOIN LEFT ON USING GROUP BY ORDER HAVING LIMIT WITH AS AND OR NOT IN IS NULL DISTINCT COUNT SUM AVG MEDIAN MIN MAX CASE WHEN THEN ELSE END UNION'
    .split(' ')
    .map((name): Suggestion => ({ name, kind: 'keyword', detail: '' }));

/** Names of tables, each with the name that a statement gives it. */
const SOURCES = /\b(?:from|join|,)\s*([a-z_]\w*)(?:\s+(?:as\s+)?([a-z_]\w*))?/gi;
const NO_ALIAS =
  /^(on|using|where|join|left|right|inner|full|cross|group|order|limit|having|union|natural|asof)$/i;

/**
 * Returns what may be written at a place of a statement: after `name.` the columns of that table; else columns of the tables
 * that the statement reads, tables and words of SQL. Nothing within a text or a comment.
 */
export function suggestionsAt(sql: string, offset: number, tables: readonly SqlTable[]): Suggestion[] {
  const before = sql.slice(0, offset);
  const last = [...before.matchAll(QUIET)].at(-1);
  // A text that has no end, or a comment of this line.
  const inQuiet = last && last.index + last[0].length === offset && !/^'.*'$|^".*"$|\*\/$/s.test(last[0]);
  if (inQuiet) return [];
  const word = /\w*$/.exec(before)![0];
  // A name that is given here is the person's own: Enter must not put a word in its place.
  if (/\bas\s+\w*$/i.test(before)) return [];
  const keywords = word.length === 1 ? [] : KEYWORDS;
  if (/(?:\b(?:from|join)|,)\s+(?!case\b|not\b)[a-z_]\w*\s+\w*$/i.test(before)) return keywords;
  const used = usedTables(withoutQuiet(sql), tables);
  const [, owner] = /([A-Za-z_]\w*)\s*\.\s*\w*$/.exec(before) ?? [];
  if (owner !== undefined) return columnsOf(used.get(owner.toLowerCase()) ?? named(owner, tables));
  const columns = [...new Set(used.values())].flatMap(columnsOf);
  const own = tables.map(({ name, description }): Suggestion => ({
    name,
    kind: 'table',
    detail: description,
  }));
  const seen = new Set<string>();
  const isNew = ({ name }: Suggestion) => !seen.has(name) && !!seen.add(name);
  const isTableWanted = /\b(?:from|join)\s+\w*$/i.test(before);
  return isTableWanted ? own : [...columns, ...own, ...keywords].filter(isNew);
}

const named = (name: string, tables: readonly SqlTable[]) =>
  tables.find((table) => table.name === name.toLowerCase());

function columnsOf(table: SqlTable | undefined): Suggestion[] {
  return (table?.columns ?? []).map(({ name, type, description }) => ({
    name,
    kind: 'column',
    detail: [type, description].filter(Boolean).join(' · '),
  }));
}

/** Returns the tables that a statement reads, by their own names and those that it gives them. */
function usedTables(sql: string, tables: readonly SqlTable[]): Map<string, SqlTable> {
  const used = new Map<string, SqlTable>();
  for (const [, name = '', alias] of sql.matchAll(SOURCES)) {
    const table = named(name, tables);
    if (!table) continue;
    used.set(table.name, table);
    if (alias !== undefined && !NO_ALIAS.test(alias)) used.set(alias.toLowerCase(), table);
  }
  return used;
}
