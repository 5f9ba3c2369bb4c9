import type { Resource } from 'fhir/r4.js';
import { LRUCache } from 'lru-cache';
import { bindContained } from '../../../../schema/fhir/contained.ts';
import { deepFreeze } from '../../../../schema/process/deep-freeze.ts';
import type { AtHand, PatientsInReach, SearchPage, SourceSearch } from '../source.ts';

/** Characters of FHIR JSON that are kept. Parsed, they take about four times as many bytes. */
const MOST = 4_000_000;
/** Of one page. */
const LARGEST = 200_000;
/** Milliseconds for which an answer is kept: another process may replace the database. */
const KEPT_FOR = 5_000;

/**
 * Recent answers of a store, parsed. They are below authorization: a question names the patients in reach, so that a page is
 * given only to callers who may see the same, and each of them is checked as if it had just been read. Resources are frozen,
 * because several requests have them. One resource by its id is kept for callers with the same patients in reach, and so is
 * that it does not exist: a caller who may not see it learns nothing from the time. A patient is kept for all callers: those
 * out of reach are refused before the source is asked.
 */
export class KeptAnswers {
  readonly #answers = new LRUCache<string, { answer: object; size: number }>({
    maxSize: MOST,
    maxEntrySize: LARGEST,
    ttl: KEPT_FOR,
    ttlResolution: KEPT_FOR / 50,
    sizeCalculation: ({ size }) => size,
  });

  resource(type: string, id: string, patients: PatientsInReach): AtHand | undefined {
    const key = resourceKey(type, id, patients);
    return key === undefined ? undefined : (this.#answers.get(key)?.answer as AtHand | undefined);
  }

  /** @param text of the resource; undefined: it does not exist */
  keepResource(
    { type, id, patients }: { type: string; id: string; patients: PatientsInReach },
    resource: Resource | undefined,
    text = '',
  ): void {
    const key = resourceKey(type, id, patients);
    if (key === undefined) return;
    const answer: AtHand = { resource: resource && frozen(resource) };
    this.#answers.set(key, { answer, size: text.length + key.length });
  }

  page(key: string): SearchPage | undefined {
    return this.#answers.get(key)?.answer as SearchPage | undefined;
  }

  /** @param key of `keyOf`; undefined: the page is not kept */
  keepPage(key: string | undefined, page: SearchPage, characters: number): SearchPage {
    if (key === undefined || characters > LARGEST) return page;
    const resources = page.resources.map(frozen);
    Object.freeze(resources);
    const answer = Object.freeze({ ...page, resources });
    this.#answers.set(key, { answer, size: characters + key.length });
    return answer;
  }

  clear(): void {
    this.#answers.clear();
  }

  /**
   * Returns the key of a search that is worth keeping: for one patient or all, without a place in a list; undefined for any
   * other, and for one whose answer depends on other searches of its page.
   */
  static keyOf(type: string, search: SourceSearch): string | undefined {
    const { patients, cursor, newestOf } = search;
    const isWorthIt = (patients?.length ?? 1) === 1 && cursor === undefined && newestOf === undefined;
    return isWorthIt ? JSON.stringify([type, search]) : undefined;
  }
}

/** Returns undefined for a resource that is not kept: the caller has several patients, and others have other ones. */
function resourceKey(type: string, id: string, patients: PatientsInReach): string | undefined {
  if (type === 'Patient') return `Patient/${id}`;
  if (patients === 'all') return `all ${type}/${id}`;
  return patients?.length === 1 ? `of ${patients[0]!} ${type}/${id}` : undefined;
}

const frozen = (resource: Resource): Resource => deepFreeze(bindContained(resource));
