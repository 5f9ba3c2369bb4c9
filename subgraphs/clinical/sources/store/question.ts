import type { SearchPlan } from '../../search/plan.ts';

/** What a thread of the store is asked. Everything in it is plain data. */
export type Question = { database: DatabaseVersion } & (
  | { ask: 'read'; type: string; ids: readonly string[] }
  | { ask: 'search'; plan: SearchPlan; page: PageWanted }
  | { ask: 'facts' }
);

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
}

export interface PageFound {
  /** Resources as FHIR JSON, one more than a page if there are more. */
  texts: string[];
  /** Rows of the resources. */
  rids: number[];
  total?: number;
}

/** What is known of a whole store. */
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
export type Answer =
  { texts: string[] } | PageFound | StoreFacts | { refused: 'replaced' | 'foreign' | 'long' };

/** The answer to a question that has to be put alone. */
export const LONG = { refused: 'long' } as const;
