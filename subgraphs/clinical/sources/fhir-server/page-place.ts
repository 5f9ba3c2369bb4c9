import { foreignCursor } from '../../../../schema/fault/refusals.ts';

/**
 * A place in the pages of a FHIR server. As a cursor it is the server's own link below its base, with our facts in the
 * fragment, which is never sent: `/Observation?page=2#seen=50&ignored=status`.
 */
export interface Place {
  /** Path and query below the base; empty for the first page. */
  path: string;
  /** Matches that the server returned on the pages before. */
  seen: number;
  /** Parameters that the server ignores. */
  ignored: readonly string[];
  /** Index of the part of the patients that is searched. */
  part: number;
}

/** @throws Fault `invalid_request` for a cursor that does not come from here */
export function readPlace(cursor: string): Place {
  const at = cursor.indexOf('#');
  const facts = new URLSearchParams(at < 0 ? '' : cursor.slice(at + 1));
  const number = (name: string): number => {
    const value = facts.get(name) ?? '0';
    if (!/^\d{1,9}$/.test(value)) throw foreignCursor();
    return Number(value);
  };
  const path = at < 0 ? cursor : cursor.slice(0, at);
  if (!/^[/?]/.test(path)) throw foreignCursor();
  return {
    path: path === '?' ? '' : path,
    seen: number('seen'),
    part: number('part'),
    ignored: facts.getAll('ignored'),
  };
}

export function writePlace({ path, seen, ignored, part }: Place): string {
  const facts = new URLSearchParams();
  if (seen > 0) facts.set('seen', String(seen));
  if (part > 0) facts.set('part', String(part));
  for (const name of ignored) facts.append('ignored', name);
  const fragment = facts.toString();
  return `${path || '?'}${fragment && `#${fragment}`}`;
}

/** The links of one FHIR server. */
export class Links {
  readonly #base: string;

  constructor(base: string) {
    this.#base = base;
  }

  /**
   * Returns a link as a path below the configured base; undefined for a link outside of it. Only its path counts: servers
   * behind a proxy often write their internal host and scheme. The request is always sent to the configured base.
   */
  relative(link: string): string | undefined {
    const url = URL.canParse(link, `${this.#base}/`) ? new URL(link, `${this.#base}/`) : undefined;
    if (!url || url.username || url.password) return undefined;
    const root = new URL(this.#base).pathname.replace(/\/$/, '');
    const below = url.pathname === root || url.pathname.startsWith(`${root}/`);
    return below ? `${url.pathname.slice(root.length)}${url.search}` : undefined;
  }

  /** Returns true for the path of a search of this type, or of the base itself (`?_getpages=…`). */
  isSearchOf(type: string, path: string): boolean {
    return ['', '/', `/${type}`, `/${type}/`, `/${type}/_search`].includes(path.split('?')[0]!);
  }

  /** Reads the path of a cursor. @throws Fault `invalid_request` for the path of something else */
  requireSearch(type: string, path: string): string {
    const relative = /^[/?]/.test(path) ? this.relative(this.#base + path) : undefined;
    if (relative === undefined || !this.isSearchOf(type, relative)) throw foreignCursor();
    return relative;
  }
}
