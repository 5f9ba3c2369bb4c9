import DataLoader from 'dataloader';
import type { Resource } from 'fhir/r4.js';
import { bindContained } from '../../schema/contained.ts';
import { Fault } from '../../schema/fault.ts';
import type { ClinicalSource, SearchPage, SourceSearch } from './sources/source.ts';

/** Most resources that one answer gathers, whatever it is asked for. */
export const MAX_GATHERED = 20_000;

/**
 * A source as one request uses it: reads are batched and everything is asked once (FG-6). Who may see what is not
 * decided here.
 */
export class RequestSource {
  readonly #source: () => Promise<ClinicalSource>;
  readonly #signal: AbortSignal | undefined;
  readonly #readers = new Map<string, DataLoader<string, Resource | undefined>>();
  readonly #pages = new Map<string, Promise<SearchPage>>();
  #silent: Fault | undefined;

  constructor(source: () => Promise<ClinicalSource>, signal: AbortSignal | undefined) {
    this.#source = source;
    this.#signal = signal;
  }

  /** The backend itself, for what it says of itself. */
  backend(): Promise<ClinicalSource> {
    return this.#source();
  }

  /** One resource; undefined where it does not exist. Ids asked for together are read together. */
  read(type: string, id: string): Promise<Resource | undefined> {
    return this.#reader(type).load(id);
  }

  #reader(type: string): DataLoader<string, Resource | undefined> {
    let reader = this.#readers.get(type);
    if (!reader) {
      reader = new DataLoader(async (ids) => {
        const found = await this.#ask((source) => source.read(type, ids, this.#signal));
        const byId = new Map(found.map((resource) => [resource.id, bindContained(resource)]));
        return ids.map((id) => byId.get(id));
      });
      this.#readers.set(type, reader);
    }
    return reader;
  }

  /** A backend that was silent once is not waited for again: the answer would take as many timeouts as it has levels. */
  async #ask<T>(question: (source: ClinicalSource) => Promise<T>): Promise<T> {
    const source = await this.#source();
    if (this.#silent) throw this.#silent;
    try {
      return await question(source);
    } catch (error) {
      if (error instanceof Fault && error.code === 'gateway_timeout') this.#silent = error;
      throw error;
    }
  }

  /** One page; the same search is made once in a request. */
  page(type: string, search: SourceSearch): Promise<SearchPage> {
    const key = JSON.stringify([type, search]);
    let page = this.#pages.get(key);
    if (!page) {
      page = this.#ask((source) => source.search(type, search, this.#signal)).then((found) => {
        const reader = this.#reader(type);
        // What a search has brought need not be read again.
        for (const resource of found.resources) reader.prime(resource.id ?? '', bindContained(resource));
        return found;
      });
      this.#pages.set(key, page);
    }
    return page;
  }

  /**
   * `count` matches after the first `offset`, over as many pages as it takes.
   * `next` continues only where the last page was used up.
   */
  async gather(type: string, search: SourceSearch): Promise<SearchPage> {
    const { local } = await this.#source();
    const { offset = 0, count } = search;
    // Few servers know an offset; what they do not know they would ignore, and the answer would be wrong.
    const skip = local ? 0 : offset;
    const { offset: _, ...rest } = search;
    let page = await this.page(type, {
      ...rest,
      count: count + skip,
      ...(local && offset > 0 && { offset }),
    });
    const resources = [...page.resources];
    const { total } = page;
    while (page.next !== undefined && resources.length < skip + count) {
      const { next } = page;
      page = await this.page(type, { ...rest, count: count + skip, cursor: next });
      resources.push(...page.resources);
      if (page.next === next) break;
    }
    const found = resources.slice(skip, skip + count);
    const usedUp = resources.length <= skip + count;
    return {
      resources: found,
      ...(total !== undefined && { total }),
      ...(page.next !== undefined && usedUp && { next: page.next }),
    };
  }
}
