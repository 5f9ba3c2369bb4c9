import { CONTENT_VERSION, versionOf } from '../../../schema/fhir/conditional-read.ts';
import type { Resource } from 'fhir/r4.js';
import type { ClinicalSource, HistoryPage, HistorySearch, ReadOptions, ResourceName } from './source.ts';

/** Versions of one resource: vread and history (R4 §3.1.0.3, §3.1.0.4). A source without versions has the current one. */

/** The versions of one resource in a source, for one request. */
export class Versions {
  readonly #source: ClinicalSource;
  readonly #caller: ReadOptions;

  constructor(source: ClinicalSource, caller: ReadOptions) {
    this.#source = source;
    this.#caller = caller;
  }

  /** Returns one version; undefined when there is none. */
  async read(named: ResourceName, versionId: string): Promise<Resource | undefined> {
    if (this.#source.version && (await this.#declares(named, 'vread'))) {
      const found = await this.#source.version(named, versionId, this.#caller.signal);
      if (found || !CONTENT_VERSION.test(versionId)) return found;
    }
    const [current] = await this.#current(named);
    return current && versionOf(current) === versionId ? current : undefined;
  }

  /** Returns one page of the versions, newest first. */
  async page(named: ResourceName, search: HistorySearch): Promise<HistoryPage> {
    if (this.#source.history && (await this.#declares(named, 'history-instance'))) {
      return this.#source.history(named, search, this.#caller.signal);
    }
    const since = Date.parse(search.since ?? '');
    // A resource without a time of its last change may have changed since then.
    const isRecent = ({ meta }: Resource) => !(Date.parse(meta?.lastUpdated ?? '') < since);
    const current = await this.#current(named);
    return { versions: current.filter(isRecent).map((resource) => ({ resource })) };
  }

  #current({ type, id }: ResourceName): Promise<Resource[]> {
    return this.#source.read(type, [id], this.#caller);
  }

  /** Returns true when the source declares an interaction; without declarations it has what it implements. */
  async #declares({ type }: ResourceName, interaction: string): Promise<boolean> {
    if (!this.#source.capabilities) return true;
    return (await this.#source.capabilities())?.get(type)?.interactions.has(interaction) ?? false;
  }
}
