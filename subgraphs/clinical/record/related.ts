import DataLoader from 'dataloader';
import type { Resource } from 'fhir/r4.js';
import { Fault } from '../../../schema/fault/fault.ts';
import type { Search } from './search.ts';
import type { Compartment } from '../authorization/compartment.ts';
import { LIST_LIMIT } from './limits.ts';
import { MAX_GATHERED } from '../sources/request-source.ts';
import { chunksByLength, MAX_IDS_LENGTH } from '../../../schema/fhir/id-chunks.ts';
import type { SearchPage } from '../sources/source.ts';

type SearchOf = (type: string, search: Search) => Promise<Pick<SearchPage, 'resources' | 'next'>>;

/** The resources of a type that refer to one resource. */
export interface Relation {
  type: string;
  /** The reference parameter of `type` that refers to the target. */
  code: string;
  target: string;
  id: string;
}

/** Returns the search for the resources of one relation. */
export function searchAlone({ code, target, id }: Relation, search: Search): Search {
  return { ...search, params: [...search.params, [code, `${target}/${id}`]] };
}

/**
 * Finds the resources that refer to one resource. Calls for many resources become one search, whose results are split by
 * the resources they refer to (FG-6).
 */
export class Related {
  readonly #search: SearchOf;
  readonly #compartment: Compartment;
  readonly #loaders = new Map<string, DataLoader<string, Resource[] | undefined>>();

  constructor(search: SearchOf, compartment: Compartment) {
    this.#search = search;
    this.#compartment = compartment;
  }

  /**
   * Returns all resources of a relation, if it was asked for together with others and one search found all resources of
   * all of them. Undefined: the relation has to be searched alone.
   * @throws Fault like the search
   */
  async together(relation: Relation, search: Search): Promise<Resource[] | undefined> {
    const { type, code, target } = relation;
    const key = JSON.stringify([type, code, target, search.params, search.sort]);
    let loader = this.#loaders.get(key);
    if (!loader) {
      loader = new DataLoader(
        async (ids) => (await this.#split(relation, ids, search)) ?? ids.map(() => undefined),
      );
      this.#loaders.set(key, loader);
    }
    return loader.load(relation.id);
  }

  /** Returns the resources of each target; undefined unless every resource was found, and its target is known. */
  async #split(
    relation: Relation,
    ids: readonly string[],
    search: Search,
  ): Promise<Resource[][] | undefined> {
    const { code, target } = relation;
    if (ids.length === 1) return undefined;
    const found = await Promise.all(
      chunksByLength(ids, MAX_IDS_LENGTH).map((chunk) => this.#all(relation, chunk, search)),
    );
    const byTarget = new Map<string, Resource[]>(ids.map((id) => [`${target}/${id}`, []]));
    for (const resources of found) {
      if (!resources) return undefined;
      for (const resource of resources) {
        const targets = new Set(this.#compartment.referenced(resource, code));
        const lists = [...targets]
          .map((reference) => byTarget.get(reference))
          .filter((list) => list !== undefined);
        // By an identifier, for example: only a search for one target tells whose it is.
        if (lists.length === 0) return undefined;
        for (const list of lists) list.push(resource);
      }
    }
    return [...byTarget.values()];
  }

  /** Returns all resources that refer to one of these; undefined when there are too many of them for one search. */
  async #all(
    { type, code, target }: Relation,
    ids: readonly string[],
    search: Search,
  ): Promise<Resource[] | undefined> {
    const { params, sort, strict } = search;
    const targets = ids.map((id) => `${target}/${id}`).join(',');
    const count = Math.min(LIST_LIMIT * ids.length + 1, MAX_GATHERED);
    try {
      const { resources, next } = await this.#search(type, {
        params: [...params, [code, targets]],
        count,
        sort,
        strict,
      });
      return next === undefined ? resources : undefined;
    } catch (error) {
      if (error instanceof Fault && error.code === 'too_large') return undefined;
      throw error;
    }
  }
}
