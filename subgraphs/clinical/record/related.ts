import DataLoader from 'dataloader';
import type { Resource } from 'fhir/r4.js';
import type { Search } from './search.ts';
import type { Compartment } from '../authorization/compartment.ts';
import { isPage, LIST_LIMIT, pageSize, requireListable } from './limits.ts';
import { MAX_GATHERED } from '../sources/request-source.ts';
import { chunksByLength, MAX_IDS_LENGTH } from '../../../schema/fhir/id-chunks.ts';

type SearchOf = (type: string, search: Search) => Promise<{ resources: Resource[] }>;

/**
 * Finds the resources that refer to one resource. Calls for many resources become one search, whose results are split by
 * the resources they refer to (FG-6).
 */
export class Related {
  readonly #search: SearchOf;
  readonly #compartment: Compartment;
  readonly #loaders = new Map<string, DataLoader<string, Resource[]>>();

  constructor(search: SearchOf, compartment: Compartment) {
    this.#search = search;
    this.#compartment = compartment;
  }

  /**
   * @param code the reference parameter of `type` that refers to `target`
   * @throws Fault like the search, and `too_large` for a long list that was not asked for by page
   */
  async list(type: string, code: string, target: string, id: string, search: Search): Promise<Resource[]> {
    const key = JSON.stringify([type, code, target, search.params, search.sort]);
    let loader = this.#loaders.get(key);
    if (!loader) {
      loader = new DataLoader((ids) => this.#listsOf(type, code, target, ids, search));
      this.#loaders.set(key, loader);
    }
    const found = await loader.load(id);
    const start = search.offset ?? 0;
    const list = found.slice(start, isPage(search) ? start + pageSize(search.count) : undefined);
    requireListable(type, list.length);
    return list;
  }

  async #listsOf(
    type: string,
    code: string,
    target: string,
    ids: readonly string[],
    { params, sort, strict }: Search,
  ): Promise<Resource[][]> {
    const searched = chunksByLength(ids, MAX_IDS_LENGTH).map(async (chunk) => {
      const targets = chunk.map((id) => `${target}/${id}`).join(',');
      const count = Math.min(LIST_LIMIT * chunk.length + 1, MAX_GATHERED);
      const { resources } = await this.#search(type, {
        ...{ params: [...params, [code, targets]], count },
        ...(sort !== undefined && { sort }),
        ...(strict !== undefined && { strict }),
      });
      if (resources.length === MAX_GATHERED) requireListable(type, MAX_GATHERED);
      return resources;
    });
    const resources = (await Promise.all(searched)).flat();
    if (ids.length === 1) return [resources];
    const byTarget = new Map<string, Resource[]>(ids.map((id) => [`${target}/${id}`, []]));
    for (const resource of resources) {
      for (const reference of new Set(this.#compartment.referenced(resource, code))) {
        byTarget.get(reference)?.push(resource);
      }
    }
    return [...byTarget.values()];
  }
}
