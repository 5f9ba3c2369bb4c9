import { alternatives, unescapeValue } from '../../../../schema/fhir/search/search-value.ts';
import { searchParameter } from '../../../../schema/fhir/tables.ts';
import type { SearchParams, TypeCapabilities } from '../source.ts';
import type { Searchset } from './searchset.ts';

export interface Asked {
  type: string;
  params: SearchParams;
  sort?: string;
}

/**
 * Returns the names of parameters, and `_sort`, of which a server does not say that it applied them: they are missing in its
 * self link or have other values there (R4 §3.1.1.1), or a warning names them. Without a self link a server applied what it
 * declares, without modifiers and chains: it does not declare those.
 */
export function ignoredBy(
  asked: Asked,
  said: Pick<Searchset, 'self' | 'warnings'>,
  declared: TypeCapabilities | undefined,
): string[] {
  const pairs: SearchParams =
    asked.sort === undefined ? asked.params : [...asked.params, ['_sort', asked.sort]];
  const query = queryOf(said.self);
  const isApplied = (pair: SearchParams[number]): boolean =>
    query ? isIn(query, asked.type, pair) : (declared?.searchParameters.has(pair[0]) ?? false);
  const ignored = pairs.filter(
    (pair) => !isApplied(pair) || said.warnings.some((text) => names(text, pair[0])),
  );
  return [...new Set(ignored.map(([name]) => name))];
}

/** Returns true when a self link has a parameter of the search at all; pages often have links of another form. */
export function repeatsSearch(asked: Asked, self: string | undefined): boolean {
  const query = queryOf(self);
  return query !== undefined && asked.params.some(([name]) => named(query, asked.type, name).length > 0);
}

/** Returns the size of a page in a self link; undefined when it has none. */
export function countIn(self: string | undefined): number | undefined {
  const count = Number(queryOf(self)?.find(([name]) => name === '_count')?.[1] ?? NaN);
  return Number.isSafeInteger(count) && count > 0 ? count : undefined;
}

/** Only the query counts: links of a server behind a proxy often have its internal host and path. */
function queryOf(self: string | undefined): SearchParams | undefined {
  const url =
    self !== undefined && URL.canParse(self, 'http://server/') ? new URL(self, 'http://server/') : undefined;
  return url && [...url.searchParams];
}

function isIn(query: SearchParams, type: string, [name, value]: SearchParams[number]): boolean {
  const wanted = normalized(type, name, value);
  return named(query, type, name).some(([, said]) => normalized(type, name, said) === wanted);
}

/** Returns the parameters of a query with this name; `subject:Patient` may be written `subject`, and the reverse. */
function named(query: SearchParams, type: string, name: string): SearchParams {
  const [code = '', modifier = ''] = name.split(':');
  const isTyped = searchParameter(type, code)?.type === 'reference' && /^([A-Z]\w*)?$/.test(modifier);
  return query.filter(
    ([other]) =>
      other === name || (isTyped && (other === code || new RegExp(`^${code}:[A-Z]\\w*$`).test(other))),
  );
}

/** Returns a value in one form: alternatives in order, references without the server's base, `eq` left out. */
function normalized(type: string, name: string, value: string): string {
  const code = name.split(':')[0]!;
  const kind = name === '_sort' || name.includes('.') ? undefined : searchParameter(type, code)?.type;
  const parts = name === '_sort' ? value.split(',') : alternatives(value);
  const forms = parts.map((part) => {
    const text = unescapeValue(part).trim();
    if (kind === 'reference') return text.slice(text.lastIndexOf('/') + 1);
    if (kind === 'date' || kind === 'number' || kind === 'quantity')
      return text.replace(/^eq/, '').replace(' ', '+');
    return text.toLowerCase();
  });
  return (name === '_sort' ? forms : forms.toSorted()).join(',');
}

/** Returns true when a text has the name of a parameter as a word of its own. */
function names(text: string, name: string): boolean {
  const escaped = name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`(?<![\\w-])${escaped}(?![\\w-])`).test(text);
}
