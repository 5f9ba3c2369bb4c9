import type { Bundle, Resource } from 'fhir/r4.js';
import type { Dispatcher } from 'undici';
import { request } from 'undici';
import { parseFhirJson } from '../../../schema/fhir/decimal.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { foreignCursor } from '../../../schema/fault/refusals.ts';
import { FHIR_ID, FHIR_JSON } from '../../../schema/fhir/fhir.ts';
import { limitedText } from '../../../schema/outbound/limited-text.ts';
import { resending } from '../../../schema/outbound/resending.ts';
import { searchParameter } from '../../../schema/fhir/tables.ts';
import { chunksByLength, MAX_IDS_LENGTH } from './chunks.ts';
import { countValues } from './count-values.ts';
import { failed, refused, unreadable } from './fhir-server-fault.ts';
import { serverHistory, serverVersion, type ServerCalls } from './fhir-server-history.ts';
import { FollowedPages } from './followed-pages.ts';
import { boundTo } from '../search/reach.ts';
import type {
  ClinicalSource,
  HistoryPage,
  HistorySearch,
  ResourceName,
  SearchPage,
  SourceSearch,
} from './source.ts';

export interface FhirServerOptions {
  /** Absolute base without a trailing slash. */
  base: string;
  /** The caller's token (SM-17); undefined: requests have none. */
  token?: string;
  dispatcher?: Dispatcher;
  /** Milliseconds until the first byte, and between bytes. */
  timeout?: number;
}

const TIMEOUT_MS = 20_000;
/** Largest answer; a page of 1,000 resources has a few MB. */
const MAX_BYTES = 64 * 1024 * 1024;
/** Some servers refuse larger pages, or silently return fewer resources. */
const MAX_PAGE = 1_000;

/** A FHIR R4 server that is called over REST on the caller's behalf. */
export class FhirServer implements ClinicalSource {
  readonly local = false;
  readonly base: string;
  readonly #options: FhirServerOptions;
  /** Matches absolute references to the same server: they are made relative, so that they can be compared. */
  readonly #ownReferences: RegExp;

  constructor(options: FhirServerOptions) {
    this.base = options.base.replace(/\/+$/, '');
    this.#options = options;
    const escaped = this.base.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    this.#ownReferences = new RegExp(`"reference"\\s*:\\s*"${escaped}/`, 'g');
  }

  async read(type: string, named: readonly string[], signal?: AbortSignal): Promise<Resource[]> {
    // Text that is not an id could lead to another path.
    const ids = named.filter((id) => FHIR_ID.test(id));
    if (ids.length === 0) return [];
    if (ids.length === 1) {
      const resource = await this.#get(`/${type}/${encodeURIComponent(ids[0]!)}`, signal);
      return resource?.resourceType === type && resource.id === ids[0] ? [resource] : [];
    }
    const chunks = chunksByLength(ids, MAX_IDS_LENGTH);
    return (await Promise.all(chunks.map((chunk) => this.#readTogether(type, chunk, signal)))).flat();
  }

  async #readTogether(type: string, ids: string[], signal: AbortSignal | undefined): Promise<Resource[]> {
    const search: SourceSearch = { params: [['_id', ids.join(',')]], count: ids.length };
    const found: Resource[] = [];
    const followed = new FollowedPages();
    try {
      let page = await this.search(type, search, signal);
      found.push(...page.resources);
      while (page.next !== undefined && found.length < ids.length) {
        followed.follow(page.next);
        page = await this.search(type, { ...search, cursor: page.next }, signal);
        found.push(...page.resources);
      }
      return found;
    } catch (error) {
      // Some servers can read a type but not search it by _id.
      if (!(error instanceof Fault) || error.code !== 'invalid_request') throw error;
      return (await Promise.all(ids.map((id) => this.read(type, [id], signal)))).flat();
    }
  }

  async search(type: string, search: SourceSearch, signal?: AbortSignal): Promise<SearchPage> {
    const path =
      search.cursor === undefined
        ? `/${type}?${queryOf(type, search)}`
        : this.#pathOfCursor(type, search.cursor);
    const bundle = (await this.#get(path, signal, search.strict)) as Bundle | undefined;
    if (bundle?.resourceType !== 'Bundle') throw unreadable('the search was not answered with a Bundle');
    const matches = (bundle.entry ?? []).filter(
      ({ resource, search }) => resource?.resourceType === type && search?.mode !== 'include',
    );
    const next = bundle.link?.find(({ relation }) => relation === 'next')?.url;
    const cursor = next && this.#relative(next);
    if (next && !cursor && matches.length < search.count) {
      throw unreadable('its next page is said to be at another server');
    }
    return {
      resources: matches.map(({ resource }) => resource as Resource),
      ...(bundle.total !== undefined && { total: bundle.total }),
      ...(cursor && { next: cursor }),
    };
  }

  /** The server may support any parameter of the standard. */
  supports(type: string, name: string): boolean {
    return searchParameter(type, /^[^.:]+/.exec(name)?.[0] ?? '') !== undefined;
  }

  version(named: ResourceName, versionId: string, signal?: AbortSignal): Promise<Resource | undefined> {
    return serverVersion(this.#calls(signal), named, versionId);
  }

  history(named: ResourceName, search: HistorySearch, signal?: AbortSignal): Promise<HistoryPage> {
    const { cursor } = search;
    const place = `${named.type}/${named.id}/_history`;
    const path = cursor === undefined ? undefined : this.#pathOfCursor(place, cursor);
    return serverHistory(this.#calls(signal), { ...named, path }, search);
  }

  #calls(signal: AbortSignal | undefined): ServerCalls {
    return { get: (path) => this.#get(path, signal), cursorOf: (link) => this.#relative(link) };
  }

  /**
   * Returns a link as a path below the configured base; undefined for a link outside of it. Only its path counts: servers
   * behind a proxy often write their internal host and scheme. The request is always sent to the configured base.
   */
  #relative(link: string): string | undefined {
    const url = URL.canParse(link, `${this.base}/`) ? new URL(link, `${this.base}/`) : undefined;
    if (!url || url.username || url.password) return undefined;
    const root = new URL(this.base).pathname.replace(/\/$/, '');
    const below = url.pathname === root || url.pathname.startsWith(`${root}/`);
    return below ? `${url.pathname.slice(root.length)}${url.search}` : undefined;
  }

  /** Reads a cursor from a client. It may only name the search of this type, or the base itself (`?_getpages=…`). */
  #pathOfCursor(type: string, cursor: string): string {
    const path =
      cursor.startsWith('/') || cursor.startsWith('?') ? this.#relative(this.base + cursor) : undefined;
    const before = path?.split('?')[0];
    const allowed = ['', '/', `/${type}`, `/${type}/`, `/${type}/_search`];
    if (path === undefined || before === undefined || !allowed.includes(before)) {
      throw foreignCursor();
    }
    return path;
  }

  async #get(path: string, signal: AbortSignal | undefined, strict = false): Promise<Resource | undefined> {
    const { token, dispatcher, timeout = TIMEOUT_MS } = this.#options;
    let response: Dispatcher.ResponseData;
    let text: string;
    try {
      const send = () =>
        request(this.base + path, {
          headers: {
            accept: FHIR_JSON,
            ...(strict && { prefer: 'handling=strict' }),
            ...(token && { authorization: `Bearer ${token}` }),
          },
          headersTimeout: timeout,
          bodyTimeout: timeout,
          ...(dispatcher && { dispatcher }),
          ...(signal && { signal }),
        });
      response = await resending(send);
      text = await limitedText(countValues(response.body), MAX_BYTES);
    } catch (error) {
      if (error instanceof Fault) throw error;
      throw failed(error, signal);
    }
    const { statusCode } = response;
    if (statusCode === 404 || statusCode === 410) return undefined;
    if (statusCode >= 300) throw refused(statusCode, response.headers['retry-after']);
    try {
      return parseFhirJson(text.replace(this.#ownReferences, '"reference":"')) as Resource;
    } catch (cause) {
      throw unreadable('the answer is not JSON', cause);
    }
  }
}

function queryOf(type: string, { patients, params, sort, count, offset, total }: SourceSearch): string {
  const bound = patients ? boundTo(patients, type, params) : params;
  const query = new URLSearchParams(bound.map(([name, value]): [string, string] => [name, value]));
  if (sort) query.append('_sort', sort);
  query.append('_count', String(Math.min(count, MAX_PAGE)));
  if (offset) query.append('_offset', String(offset));
  if (total === 'accurate') query.append('_total', 'accurate');
  return query.toString();
}
