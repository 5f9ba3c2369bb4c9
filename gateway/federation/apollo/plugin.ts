import type { ApolloServerPlugin, GraphQLRequestContext } from '@apollo/server';
import { setImmediate } from 'node:timers/promises';
import { strictScalars } from '../../../schema/graphql/fhir-scalars.ts';
import { responseWith } from '../document/asked-operation.ts';
import { incrementalForm, incrementalResponse } from './incremental.ts';
import type { GatewayContext, RequestScope } from '../request/request-scope.ts';
import type { CompiledExecution } from '../executor/compiled-execution.ts';
import type { ValidOperation } from '../executor/operation.ts';
import type { Operations } from '../executor/operations.ts';

/** Executes operations for Apollo Server by compiling them. The gateway plans what is not compiled. */
export function compiledExecution(
  execution: CompiledExecution,
  operations: Operations,
): ApolloServerPlugin<GatewayContext> {
  // One for all requests: it holds nothing of any.
  const listener = {
    async responseForOperation(context: GraphQLRequestContext<GatewayContext>) {
      const { request } = context;
      const { scope } = context.contextValue;
      const operation = operations.of(context as ValidOperation);
      // Validation has used much of this turn of the event loop.
      await setImmediate();
      const form = takesParts(scope) ? incrementalForm(request.http?.headers.get('accept')) : undefined;
      const wanted = { scope, defers: form !== undefined };
      const found = await execution.run(operation, request.variables ?? {}, wanted);
      if (!found) return null;
      operation.facts.isExecuted = true;
      const { data, errors, later } = found;
      if (later && form) return incrementalResponse({ data, errors, later }, scope, form);
      return responseWith({
        ...(errors.length > 0 && { errors }),
        data: data as Record<string, never> | null,
      });
    },
  };
  return {
    serverWillStart: async () => ({ schemaDidLoadOrUpdate: ({ apiSchema }) => strictScalars(apiSchema) }),
    requestDidStart: async () => listener,
  };
}

/** Tells if an answer may come in parts: not where all of it is changed, counted or refused together. */
function takesParts({ fhir, rows, explanation, tenant }: RequestScope): boolean {
  return !fhir && !rows && !explanation && tenant.authorization.refusedFields !== 'reject';
}
