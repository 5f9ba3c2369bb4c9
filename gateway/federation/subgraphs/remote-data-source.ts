import type { GraphQLDataSource, GraphQLDataSourceProcessOptions } from '@apollo/gateway';
import type { GraphQLFormattedError, GraphQLSchema } from 'graphql';
import { withErrorsOfFields } from './fetch-errors.ts';
import { formatted, type LocalSubgraph } from './local-data-source.ts';
import type { GatewayContext, RequestScope } from '../request/request-scope.ts';
import type { ServiceName } from '../request/service-name.ts';

type Response = Awaited<ReturnType<GraphQLDataSource['process']>>;

/** Sends a document to the process of a subgraph, for the caller of a request. */
type SendFetch = (
  scope: RequestScope,
  asked: { query: string; variables: Readonly<Record<string, unknown>> },
) => Promise<{ data?: Record<string, unknown> | null; errors?: readonly GraphQLFormattedError[] }>;

/** A subgraph that is another process. */
export interface RemoteSubgraph {
  /** Without resolvers. */
  schema: GraphQLSchema;
  fetch: SendFetch;
}

/** A subgraph of this process or of another one. */
export type GraphSubgraph = LocalSubgraph | RemoteSubgraph;

/** Executes a query plan's fetches at a subgraph that is another process. */
export function remoteDataSource(
  name: ServiceName,
  { schema, fetch: send }: RemoteSubgraph,
): GraphQLDataSource<GatewayContext> {
  return withErrorsOfFields(schema, {
    async process({ request, context }: GraphQLDataSourceProcessOptions<GatewayContext>): Promise<Response> {
      const { scope } = context as GatewayContext;
      try {
        scope.budget.requireNotExceeded();
        const { query = '', variables = {} } = request;
        // The planned execution writes the answers of other fetches into it.
        return structuredClone(await send(scope, { query, variables })) as Response;
      } catch (error) {
        return { data: null, errors: [formatted(error, name, scope)] } as Response;
      }
    },
  });
}
