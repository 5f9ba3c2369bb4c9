import DataLoader from 'dataloader';
import type { Resource } from 'fhir/r4.js';
import { bindContained } from '../../../schema/fhir/contained.ts';
import { LoopTurns } from '../../../schema/process/event-loop.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { isTimeout } from '../../../schema/outbound/unreachable.ts';
import { FollowedPages } from './followed-pages.ts';
import type { ClinicalSource, SearchPage, SourceSearch } from './source.ts';

/** Largest number of resources that one answer gathers. */
export const MAX_GATHERED = 20_000;

/**
 * A source for one request: reads are batched, and equal searches are sent once (FG-6). It does not authorize anything.
 */
export class RequestSource {
  readonly #source: () => Promise<ClinicalSource>;
  readonly #signal: AbortSignal | undefined;
  readonly #readers = new Map<string, DataLoader<string, Resource | undefined>>();
  readonly #pages = new Map<string, Promise<SearchPage>>();
  readonly #turns = new LoopTurns();
  #silent: Fault | undefined;

  constructor(source: () => Promise<ClinicalSource>, signal: AbortSignal | undefined) {
    this.#source = source;
    this.#signal = signal;
  }

  /** Returns the backend itself, for its properties. */
  backend(): Promise<ClinicalSource> {
    return this.#source();
  }

  /** Reads a resource; undefined when it does not exist. Simultaneous reads become one request. */
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

  /** After one timeout, the backend is not asked again: a nested query would wait for a timeout at each level. */
  async #ask<T>(question: (source: ClinicalSource) => Promise<T>): Promise<T> {
    const source = await this.#source();
    await this.#turns.next();
    if (this.#silent) throw this.#silent;
    try {
      return await question(source);
    } catch (error) {
      if (error instanceof Fault && isTimeout(error.details.cause)) this.#silent = error;
      throw error;
    }
  }

  /** Returns one page; equal searches of a request are sent once. */
  page(type: string, search: SourceSearch): Promise<SearchPage> {
    const key = JSON.stringify([type, search]);
    let page = this.#pages.get(key);
    if (!page) {
      page = this.#ask((source) => source.search(type, search, this.#signal)).then((found) => {
        const reader = this.#reader(type);
        // A resource that a search returned need not be read again.
        for (const resource of found.resources) reader.prime(resource.id ?? '', bindContained(resource));
        return found;
      });
      this.#pages.set(key, page);
    }
    return page;
  }

  /**
   * Gathers `count` matches after the first `offset`, from as many pages as needed. `next` continues after the last match,
   * also in the middle of a page.
   * @param keep filters the matches of a page; `total` still counts all of them
   * @throws Fault `too_large` when too many matches are filtered out, `bad_gateway` when a server's pages have no end
   */
  async gather(
    type: string,
    search: SourceSearch,
    keep: (resources: readonly Resource[]) => Promise<readonly Resource[]> = async (resources) => resources,
  ): Promise<SearchPage> {
    const { local } = await this.#source();
    const { offset = 0, count, cursor: from, ...rest } = search;
    // Few servers support an offset; the others would ignore it, and the answer would be wrong.
    const wanted = count + (local ? 0 : offset);
    const asked = { ...rest, count: wanted, ...(local && offset > 0 && { offset }) };
    const place = from === undefined ? { before: 0, cursor: undefined } : readPlace(from);
    let { cursor } = place;
    let page = await this.page(type, cursor === undefined ? asked : { ...asked, cursor });
    const { total } = page;
    const before = page.offset === undefined ? undefined : page.offset + place.before;
    let kept = await keep(page.resources);
    let looked = page.resources.length;
    const resources = kept.slice(place.before);
    const followed = new FollowedPages(cursor);
    while (page.next !== undefined && resources.length < wanted) {
      if (looked > MAX_GATHERED) throw tooManyLeftOut(type);
      cursor = page.next;
      followed.follow(cursor);
      page = await this.page(type, { ...asked, cursor });
      kept = await keep(page.resources);
      looked += page.resources.length;
      resources.push(...kept);
    }
    const beyond = resources.length - wanted;
    const next = beyond > 0 ? placeIn(kept.length - beyond, cursor) : page.next;
    return {
      resources: resources.slice(wanted - count, wanted),
      ...(total !== undefined && { total }),
      ...(before !== undefined && { offset: before }),
      ...(next !== undefined && { next }),
    };
  }
}

/** Writes a cursor of the source, and the number of matches before the place on its page; the first page has no cursor. */
const placeIn = (before: number, cursor = ''): string => `${before}:${cursor}`;

function readPlace(text: string): { before: number; cursor: string | undefined } {
  const [, before, cursor] = /^(\d{1,9}):(.*)$/s.exec(text) ?? [undefined, '0', text];
  return { before: Number(before), cursor: cursor || undefined };
}

/** Returns true when a cursor of `gather` leads into the first page of a search. */
export function isInFirstPage(cursor: string | undefined): boolean {
  return cursor === undefined || readPlace(cursor).cursor === undefined;
}

function tooManyLeftOut(type: string): Fault {
  return new Fault(
    'too_large',
    `More than ${MAX_GATHERED} ${type} resources would have to be looked through: search more narrowly, by date for example.`,
  );
}
