import { readFileSync } from 'node:fs';
import { subgraphSchema } from '../../schema/graphql/subgraph-schema.ts';
import type { RemoteSubgraph } from '../federation/subgraphs/remote-data-source.ts';
import { KeptAnswers } from './kept-answers.ts';
import type { SubgraphLink } from './link.ts';
import { beginWork } from './shared-work.ts';

/** Returns the graph of a subgraph that is another process: its schema, and how its documents are executed there. */
export function remoteGraph(link: SubgraphLink): RemoteSubgraph {
  const sdl = readFileSync(new URL(`../../schema/${link.service}.graphql`, import.meta.url));
  const kept = new KeptAnswers();
  const parse = (text: string) => kept.of(text);
  return {
    schema: subgraphSchema(sdl, () => ({})),
    fetch: ({ tenant, access, over, audit, request }, asked) =>
      link.post(
        'graphql',
        { tenant, access: beginWork(access), signal: over.signal, audit, requestId: request?.id, parse },
        asked,
      ),
  };
}
