import type { Fault } from '../../../schema/fault/fault.ts';
import type { Total } from '../../../schema/fhir/search/search-request.ts';
import type { NewestOf, SearchPage, SearchParams, TextPage } from '../sources/source.ts';

/** A search of the clinical record. */
export interface Search {
  params: SearchParams;
  /** Sort keys, such as `-date,code`. */
  sort?: string;
  count?: number;
  offset?: number;
  cursor?: string;
  total?: Total;
  /** An unknown parameter is refused (`Prefer: handling=strict`), not ignored. */
  strict?: boolean;
  newestOf?: NewestOf;
}

/** Searches one page of a list that is only passed on: as its text. */
export type SearchTexts = (
  type: string,
  search: Pick<Search, 'params' | 'cursor' | 'strict'> & { count: number },
) => Promise<TextPage>;

export interface SearchResult extends SearchPage {
  /** The client's parameters that were applied. */
  applied: SearchParams;
  /** The client's sort keys that were applied. */
  sort?: string;
  /** Parts that were left out of the search, each as the fault that strict handling gives. */
  ignored: readonly Fault[];
}
