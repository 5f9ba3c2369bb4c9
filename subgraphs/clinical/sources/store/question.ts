import type { NewestOf } from '../source.ts';
import type { SearchPlan } from '../../search/plan.ts';
import type { FacetPlan } from '../../search/facet-plan.ts';

/** A question to a thread of the store. Everything in it is plain data. */
export type Question = { database: DatabaseVersion } & (
  | { ask: 'read'; type: string; ids: readonly string[] }
  | { ask: 'search'; plan: SearchPlan; page: PageWanted }
  | { ask: 'facets'; plan: FacetPlan; limit: number }
  | { ask: 'facts' }
);

/** Returns the page to which a search belongs with others. */
export function newestOfIn(question: Question): NewestOf | undefined {
  return question.ask === 'search' ? question.page.newestOf : undefined;
}

/** Makes a question. */
export interface QuestionForms {
  /** Returns a question that is short, or refused as `long`; undefined: it may be neither. */
  short(): Question | undefined;
  whole(): Question;
}

/** A database, as it was when the question was put. */
export interface DatabaseVersion {
  file: string;
  /** Undefined: any. */
  generation?: string;
}

export interface PageWanted {
  limit: number;
  offset: number;
  /** Row of the resource after which the page begins. */
  after?: number;
  /** `all`: every match is counted; `cheap`: only a few, or what is known. */
  total?: 'all' | 'cheap';
  /** Only the ids of the resources are wanted, in place of their texts. */
  onlyIds?: true;
  /** The page is shortened if the questions of one message show what is needed. */
  newestOf?: NewestOf;
}

export interface PageFound {
  /** Resources as FHIR JSON, or their ids, one more than a page if there are more. */
  texts: string[];
  /** Rows of the resources. */
  rids: number[];
  total?: number;
  /** Of a page without what is too old for `newestOf`: all with a later date are here; milliseconds since the epoch. */
  completeAfter?: number;
}

/** The most frequent values of a parameter. */
export interface FacetsFound {
  /** Each with the text of the first resource that has it. */
  rows: { code: string; system: string; count: number; json: string }[];
  /** Values that are left out, and the resources with them. */
  others: number;
  count: number;
}

/** Facts about a whole store. */
export interface StoreFacts {
  /** Names the content: it differs after every change. */
  generation: string;
  /** As `storeSchema` was when it was built. */
  schema: string;
  params: { param: number; type: string; code: string; valued: number | null }[];
  /** Number of resources by type. */
  counts: Record<string, number>;
}

/**
 * `replaced`: the file holds another version by now. `foreign`: the search does not find the resource of its place.
 * `long`: the question has to be put alone, because the others of its message would wait.
 */
export interface Refusal {
  refused: 'replaced' | 'foreign' | 'long';
}

export type Answer = { texts: string[] } | PageFound | FacetsFound | StoreFacts | Refusal;

/** The answer to a question that has to be put alone. */
export const LONG = { refused: 'long' } as const;
