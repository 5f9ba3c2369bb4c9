import type { Texts } from '../graphiql/query-editor.ts';

/** A query that a person keeps in this browser: its texts, never a token and never an answer. */
export interface KeptQuery extends Texts {
  language: 'graphql' | 'sql';
  name: string;
}

const KEY = 'playground-kept-queries';
/** Characters of a name in the list. */
const LONGEST = 60;
/** Queries that are found again in a list. */
const MOST = 100;

/** Queries that are kept beyond the tab, because the person says so for each. */
export class KeptQueries {
  readonly #storage: Storage | undefined;

  /** @param storage that lasts; undefined where the browser has none */
  constructor(storage: Storage | undefined) {
    this.#storage = storage;
  }

  /** False where the browser keeps nothing. */
  get isPossible(): boolean {
    return this.#storage !== undefined;
  }

  /** The newest first, as this tab and others have left them. */
  get all(): readonly KeptQuery[] {
    return keptIn(this.#storage?.getItem(KEY) ?? null);
  }

  /** Keeps a query; one of the same texts is not kept twice. @returns false if the browser has no room */
  keep(language: KeptQuery['language'], { query, variables }: Texts): boolean {
    const kept = { language, name: nameOf(query), query, variables };
    return this.#write([kept, ...this.all.filter((one) => !isSame(one, kept))].slice(0, MOST));
  }

  remove(kept: KeptQuery): void {
    this.#write(this.all.filter((one) => !isSame(one, kept)));
  }

  removeAll(language: KeptQuery['language']): void {
    this.#write(this.all.filter((one) => one.language !== language));
  }

  #write(all: readonly KeptQuery[]): boolean {
    try {
      if (all.length === 0) this.#storage?.removeItem(KEY);
      else this.#storage?.setItem(KEY, JSON.stringify(all));
      return true;
    } catch {
      return false;
    }
  }
}

const isSame = (a: KeptQuery, b: KeptQuery) =>
  a.language === b.language && a.query === b.query && a.variables === b.variables;

/** Returns what a storage has; nothing of what another program wrote there. */
function keptIn(text: string | null): KeptQuery[] {
  try {
    const all: unknown = JSON.parse(text ?? '[]');
    return Array.isArray(all) ? all.filter(isKept) : [];
  } catch {
    return [];
  }
}

function isKept(value: unknown): value is KeptQuery {
  const one = (value ?? {}) as Record<keyof KeptQuery, unknown>;
  const isText = [one.name, one.query, one.variables].every((text) => typeof text === 'string');
  return isText && (one.language === 'graphql' || one.language === 'sql');
}

/** Returns the name of a query: that of its operation, its first comment, or its first line. */
export function nameOf(query: string): string {
  const operation = /^\s*(?:query|mutation|subscription)\s+(\w+)/m.exec(query)?.[1];
  const line = query.split('\n').find((one) => /\w/.test(one)) ?? '';
  const name = operation ?? line.replace(/^\s*(--|#)?\s*/, '').trim();
  return name.length > LONGEST ? `${name.slice(0, LONGEST - 1)}…` : name;
}
