import type { Bundle, Resource } from 'fhir/r4.js';
import { Fault } from '../../../schema/fault/fault.ts';
import { FHIR_ID } from '../../../schema/fhir/fhir.ts';
import { searchParameter } from '../../../schema/fhir/tables.ts';
import { boundTo } from '../search/reach.ts';
import { chunksByLength, MAX_IDS_LENGTH } from '../../../schema/fhir/id-chunks.ts';
import { incomplete, unreadable } from './fhir-server-fault.ts';
import { FhirHttp, type FhirHttpOptions } from './fhir-server/http.ts';
import { PageSearch } from './fhir-server/page-search.ts';
import { Links, readPlace, writePlace, type Place } from './fhir-server/page-place.ts';
import type { FhirServersShared } from './fhir-server/shared.ts';
import { Sorting } from './fhir-server/sorting.ts';
import { FollowedPages } from './followed-pages.ts';
import type {
  ClinicalSource,
  HistoryPage,
  HistorySearch,
  ResourceName,
  ReadOptions,
  SearchPage,
  SearchParams,
  SourceCapabilities,
  SourceSearch,
} from './source.ts';

const FIRST: Place = { path: '', seen: 0, ignored: [], part: 0 };

/** A FHIR R4 server that is called over REST on the caller's behalf. */
export class FhirServer implements ClinicalSource {
  readonly local = false;
  readonly base: string;
  readonly #options: FhirHttpOptions;
  readonly #shared: FhirServersShared;
  readonly #http: FhirHttp;
  readonly #links: Links;
  readonly #pages: PageSearch;

  constructor(options: FhirHttpOptions, shared: FhirServersShared) {
    const base = options.base.replace(/\/+$/, '');
    this.base = base;
    this.#options = { ...options, base };
    this.#shared = shared;
    this.#http = new FhirHttp(this.#options);
    this.#links = new Links(base);
    const capabilities = () => this.capabilities();
    this.#pages = new PageSearch({ base, http: this.#http, links: this.#links, capabilities, shared });
  }

  /** Once in an hour the server is asked what it can do. */
  capabilities(): Promise<SourceCapabilities | undefined> {
    return this.#shared.capabilities.of(this.#options);
  }

  /** A server that declares its types has no other ones. One that declares nothing may have any. */
  async holds(type: string): Promise<boolean> {
    const declared = await this.capabilities();
    return declared === undefined || declared.has(type);
  }

  async read(type: string, named: readonly string[], { signal }: ReadOptions = {}): Promise<Resource[]> {
    // Text that is not an id could lead to another path.
    const ids = named.filter((id) => FHIR_ID.test(id));
    if (ids.length === 0) return [];
    if (ids.length === 1) {
      const resource = await this.#http.get(`/${type}/${encodeURIComponent(ids[0]!)}`, signal);
      return resource?.resourceType === type && resource.id === ids[0] ? [resource] : [];
    }
    const chunks = chunksByLength(ids, MAX_IDS_LENGTH);
    return (await Promise.all(chunks.map((chunk) => this.#readTogether(type, chunk, signal)))).flat();
  }

  async #readTogether(type: string, ids: string[], signal: AbortSignal | undefined): Promise<Resource[]> {
    const found = new Map<string, Resource>();
    try {
      // A server that cuts its answers is asked again for the rest.
      for (let left = ids; left.length > 0;) {
        const isCut = await this.#readPages(type, { ids: left, found }, signal);
        const rest = left.filter((id) => !found.has(id));
        if (!isCut) break;
        if (rest.length === left.length) throw incomplete(type);
        left = rest;
      }
      return [...found.values()];
    } catch (error) {
      // Some servers can read a type but not search it by _id.
      if (!(error instanceof Fault) || !['invalid_request', 'not_implemented'].includes(error.code))
        throw error;
      return (await Promise.all(ids.map((id) => this.read(type, [id], { signal })))).flat();
    }
  }

  /** @returns true when the server gives no way to the rest */
  async #readPages(
    type: string,
    { ids, found }: { ids: readonly string[]; found: Map<string, Resource> },
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    const search: SourceSearch = { params: [['_id', ids.join(',')]], count: ids.length };
    const followed = new FollowedPages();
    let page = await this.search(type, search, signal);
    for (;;) {
      for (const resource of page.resources) found.set(resource.id!, resource);
      if (page.next === undefined || found.size >= ids.length) return page.incomplete ?? false;
      followed.follow(page.next);
      page = await this.search(type, { ...search, cursor: page.next }, signal);
    }
  }

  async search(type: string, search: SourceSearch, signal?: AbortSignal): Promise<SearchPage> {
    const place = search.cursor === undefined ? FIRST : readPlace(search.cursor);
    const parts = partsOf(type, search);
    const params = parts[place.part];
    if (!params) return { resources: [] };
    const page = await this.#pages.page(type, { ...search, params }, { place, signal });
    if (parts.length === 1) return page;
    const { total: _, ...ofPart } = page;
    const isLast = page.next !== undefined || page.incomplete === true || place.part + 1 >= parts.length;
    // The order holds within one part only.
    const unsorted = search.sort === undefined ? [] : ['_sort'];
    return {
      ...ofPart,
      notApplied: [...new Set([...(page.notApplied ?? []), ...unsorted])],
      ...(!isLast && { next: writePlace({ ...FIRST, part: place.part + 1 }), mayRepeat: true }),
    };
  }

  /** True for what the resource alone decides: that is filtered here when the server ignores it. Others have to be declared. */
  supports(type: string, name: string): boolean {
    const [, code = '', rest = ''] = /^([^.:]+)(.*)$/.exec(name) ?? [];
    if (searchParameter(type, code) === undefined) return false;
    const declared = this.#shared.capabilities.known(this.#options)?.get(type)?.searchParameters;
    return rest === '' || !rest.includes('.') || !declared || declared.has(code);
  }

  sorted(type: string, resources: readonly Resource[], sort: string): Resource[] | undefined {
    const sorting = new Sorting(this.#shared.matcher, type, sort);
    return sorting.isPossible ? sorting.sorted(resources) : undefined;
  }

  async version(
    { type, id }: ResourceName,
    versionId: string,
    signal?: AbortSignal,
  ): Promise<Resource | undefined> {
    const path = `/${type}/${encodeURIComponent(id)}/_history/${encodeURIComponent(versionId)}`;
    const resource = await this.#http.get(path, signal);
    // A server that ignores the end of the path would answer with the current version.
    const isAsked =
      resource?.resourceType === type && resource.id === id && resource.meta?.versionId === versionId;
    return isAsked ? resource : undefined;
  }

  async history(
    { type, id }: ResourceName,
    { cursor, count, since }: HistorySearch,
    signal?: AbortSignal,
  ): Promise<HistoryPage> {
    const query = new URLSearchParams({ _count: String(count) });
    if (since !== undefined) query.set('_since', since);
    const path =
      cursor === undefined
        ? `/${type}/${encodeURIComponent(id)}/_history?${query.toString()}`
        : this.#links.requireSearch(`${type}/${id}/_history`, cursor);
    const bundle = (await this.#http.get(path, signal)) as Bundle | undefined;
    if (bundle === undefined) return { versions: [] };
    if (bundle.resourceType !== 'Bundle') throw unreadable('the history was not answered with a Bundle');
    const link = bundle.link?.find(({ relation }) => relation === 'next')?.url;
    const next = link === undefined ? undefined : this.#links.relative(link);
    if (link !== undefined && next === undefined) {
      throw unreadable('its next page is said to be at another server');
    }
    const versions = (bundle.entry ?? []).flatMap(({ resource, request, response }) => {
      const isOther = resource && (resource.resourceType !== type || resource.id !== id);
      if (isOther || (!resource && request?.method !== 'DELETE')) return [];
      return [{ resource: resource as Resource | undefined, request, response }];
    });
    return { versions, next };
  }
}

/** Returns the parameters of the search, bound to its patients: of several searches when they do not fit into one URL. */
function partsOf(type: string, { params, patients }: SourceSearch): SearchParams[] {
  if (!patients) return [params];
  const bound = boundTo(patients, type, params);
  // The client names patients itself.
  if (bound === params) return [params];
  let start = 0;
  return chunksByLength(patients.map(inUrl), MAX_IDS_LENGTH).map(({ length }) =>
    boundTo(patients.slice(start, (start += length)), type, params),
  );
}

/** As it is written in a URL, with a comma. */
const inUrl = (id: string): string => `Patient%2F${id}%2`;
