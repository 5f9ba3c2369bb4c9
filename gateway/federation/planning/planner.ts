import type { QueryPlan } from '@apollo/query-planner';
import { parse } from 'graphql';
import type { MadePlan } from '../executor/operation.ts';
import { IdleThreads } from '../../../schema/process/idle-threads.ts';
import { threadModule } from '../../../schema/process/thread-module.ts';

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
 * some operations take it long, while most are executed without a plan. The creator closes it.
 */
export class Planner {
  readonly #threads: IdleThreads<PlannedOperation, string>;

  constructor(texts: SchemaTexts) {
    this.#threads = new IdleThreads({
      module: threadModule('planner-thread', import.meta.url),
      name: 'plan',
      data: texts,
      // The planner takes 90 MB, and a second to start again.
      threads: 1,
      heap: 256,
      idle: 5 * 60_000,
      queue: 100,
      timeout: 20_000,
      messages: {
        tooMany: 'Too many new operations wait at the same time.',
        tooLong: 'The operation takes too long to plan: ask for fewer fields.',
        failed: 'The operation could not be planned.',
      },
    });
  }

  /** Plans an operation. @throws Fault as `IdleThreads.run` */
  async plan(operation: PlannedOperation): Promise<MadePlan> {
    const json = await this.#threads.run(operation);
    return { plan: JSON.parse(json, withDocument) as QueryPlan, characters: json.length };
  }

  async close(): Promise<void> {
    await this.#threads.close();
  }
}

/** Adds the parsed document to a fetch, which the executor gives to its subgraph. */
function withDocument(_key: string, value: unknown): unknown {
  const fetch = value as { kind?: unknown; operation: string } | null;
  return fetch?.kind === 'Fetch'
    ? { ...fetch, operationDocumentNode: parse(fetch.operation, { noLocation: true }) }
    : value;
}
