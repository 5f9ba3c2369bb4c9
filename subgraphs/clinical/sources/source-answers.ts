import type { Resource } from 'fhir/r4.js';
import type { Fault } from '../../../schema/fault/fault.ts';
import { bindContained } from '../../../schema/fhir/contained.ts';
import type { SearchPage } from './source.ts';

/** The answers of a source to one request of a client: the same is not asked twice (FG-6). They are not authorized. */
export class SourceAnswers {
  /** Set when it did not answer in time: then it is not asked again. */
  silent: Fault | undefined;
  readonly #resources = new Map<string, Map<string, Resource>>();
  #pages: Map<string, Promise<SearchPage>> | undefined;
  readonly #onGrown: ((size: number) => void) | undefined;
  #size = 0;

  /** @param onGrown is told how many resources are held */
  constructor(onGrown?: (size: number) => void) {
    this.#onGrown = onGrown;
  }

  /** Returns a resource that it has given: it need not be read again. */
  resource(type: string, id: string): Resource | undefined {
    return this.#resources.get(type)?.get(id);
  }

  /** Keeps resources. */
  add(type: string, resources: Iterable<Resource>): void {
    let known = this.#resources.get(type);
    if (!known) this.#resources.set(type, (known = new Map()));
    const before = known.size;
    for (const resource of resources) known.set(resource.id ?? '', bindContained(resource));
    this.#size += known.size - before;
    this.#onGrown?.(this.#size);
  }

  /** Returns the page that was asked for with the same key, or asks for it. */
  page(key: string, ask: () => Promise<SearchPage>): Promise<SearchPage> {
    this.#pages ??= new Map();
    let page = this.#pages.get(key);
    if (!page) this.#pages.set(key, (page = ask()));
    return page;
  }

  /** Forgets a page, as if nobody had asked for it. */
  forget(key: string): void {
    this.#pages?.delete(key);
  }
}
