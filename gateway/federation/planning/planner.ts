import type { QueryPlan } from '@apollo/query-planner';
import { LRUCache } from 'lru-cache';
import { IdleThreads } from '../../../schema/process/idle-threads.ts';
import { threadModule } from '../../../schema/process/thread-module.ts';

/** Characters of all kept plans, written as JSON. */
const KEPT = 8 * 1024 * 1024;

/**
 * The schemas that were composed together, in UTF-8. They are seldom read, and then sent or given to a thread; as texts they
 * would take 3 MB of the heap.
 */
export interface SchemaTexts {
  supergraphSdl: Uint8Array;
  apiSdl: Uint8Array;
}

export interface PlannedOperation {
  /** Text of a valid document. */
  source: string;
  /** May be undefined when the document has one operation. */
  operationName: string | undefined;
}

/**
 * Plans operations with Apollo's query planner, in a thread that starts with the first: the planner takes much memory and
 * some operations take it long, while most are executed without a plan. Plans are kept. The creator closes it.
 */
export class Planner {
  readonly #threads: IdleThreads<PlannedOperation, string>;
  readonly #plans = new LRUCache<string, QueryPlan, PlannedOperation>({
    ...{ maxSize: KEPT, sizeCalculation: (plan) => JSON.stringify(plan).length },
    fetchMethod: async (_key, _stale, { context }) =>
      JSON.parse(await this.#threads.run(context)) as QueryPlan,
    // A plan that is evicted while it is made is still made for waiting requests.
    ignoreFetchAbort: true,
  });

  constructor(texts: SchemaTexts) {
    this.#threads = new IdleThreads({
      ...{ module: threadModule('planner-thread', import.meta.url), name: 'plan', data: texts },
      // The planner takes 90 MB, and a second to start again.
      ...{ threads: 1, heap: 256, idle: 5 * 60_000, queue: 100, timeout: 20_000 },
      messages: {
        tooMany: 'Too many new operations wait at the same time.',
        tooLong: 'The operation takes too long to plan: ask for fewer fields.',
        failed: 'The operation could not be planned.',
      },
    });
  }

  /**
   * Returns the plan of an operation.
   * @param hash identifies the text of the document
   * @throws Fault as `IdleThreads.run`
   */
  plan(hash: string, operation: PlannedOperation): Promise<QueryPlan> {
    return this.#plans.forceFetch(`${hash}\n${operation.operationName ?? ''}`, { context: operation });
  }

  async close(): Promise<void> {
    await this.#threads.close();
  }
}
