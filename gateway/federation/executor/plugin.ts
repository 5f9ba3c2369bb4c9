import type { ApolloServerPlugin, GraphQLRequestContext } from '@apollo/server';
import { setImmediate } from 'node:timers/promises';
import { strictScalars } from '../../../schema/graphql/fhir-scalars.ts';
import { responseWith } from '../asked-operation.ts';
import type { KnownOperations } from '../known-operations.ts';
import type { GatewayContext } from '../request-scope.ts';
import type { CompiledExecution } from './compiled-execution.ts';

/**
 * Executes operations for Apollo Server by compiling them. The gateway plans what is not compiled.
 * @param known is told what was executed; undefined: nobody is
 */
export function compiledExecution(
  execution: CompiledExecution,
  known?: KnownOperations,
): ApolloServerPlugin<GatewayContext> {
  // One for all requests: it holds nothing of any.
  const listener = {
    async responseForOperation(context: GraphQLRequestContext<GatewayContext>) {
      const { schema, document, operation, request, queryHash, source } = context;
      const { scope } = context.contextValue;
      const variables = request.variables ?? {};
      const asked = { schema, document: document!, operation: operation!, variables };
      // Validation has used much of this turn of the event loop.
      await setImmediate();
      const found = await execution.run(queryHash!, asked, scope);
      if (!found) return null;
      known?.add(queryHash!, { source: source!, operationName: request.operationName, ...asked });
      const { data, errors } = found;
      return responseWith({
        ...(errors.length > 0 && { errors }),
        data: data as Record<string, never> | null,
      });
    },
  };
  return {
    serverWillStart: async () => ({
      schemaDidLoadOrUpdate: ({ apiSchema }) => strictScalars(apiSchema),
    }),
    requestDidStart: async () => listener,
  };
}
