import { IdleThreads } from '../../../schema/process/idle-threads.ts';
import { threadModule } from '../../../schema/process/thread-module.ts';
import type { GraphSubgraph } from '../subgraphs/remote-data-source.ts';
import type { ServiceName } from '../request/service-name.ts';
import { coordinatesOf } from './coordinates.ts';

/** The graph that this process can serve. */
export interface Served {
  /** The API of this version, in UTF-8. */
  apiSdl: Uint8Array;
  /** The parts of each subgraph, as `coordinatesOf` writes them. */
  subgraphs: Readonly<Record<ServiceName, readonly string[]>>;
}

/** The API of a supergraph; or a sentence that says why it is not served. */
export type CheckedSupergraph = { apiSdl: string } | { problem: string };

/** Checks a supergraph, of which it is given the SDL. */
export type SupergraphCheck = IdleThreads<string, CheckedSupergraph>;

/**
 * Returns what checks a supergraph completely: it is valid, the planner takes it, and all that it has is in the subgraphs of
 * this process and in the API of this version, with the same types. It may have less. It works in a thread that starts for a
 * check. The creator closes it.
 */
export function supergraphCheck(
  apiSdl: Uint8Array,
  { clinical, imaging }: Readonly<Record<ServiceName, GraphSubgraph>>,
): SupergraphCheck {
  const subgraphs = { clinical: coordinatesOf(clinical.schema), imaging: coordinatesOf(imaging.schema) };
  return new IdleThreads({
    module: threadModule('check-thread', import.meta.url),
    name: 'check',
    data: { apiSdl, subgraphs } satisfies Served,
    threads: 1,
    heap: 512,
    idle: 1000,
    queue: 1,
    timeout: 120_000,
    messages: {
      tooMany: 'Another supergraph is being checked.',
      tooLong: 'The check of the supergraph takes too long.',
      failed: 'The supergraph could not be checked.',
    },
  });
}
