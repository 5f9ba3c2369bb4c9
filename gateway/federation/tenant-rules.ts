import type { ApolloServerPlugin } from '@apollo/server';
import type { DocumentNode, GraphQLFormattedError, OperationDefinitionNode } from 'graphql';
import { GraphQLError, Kind } from 'graphql';
import { Fault, faultExtensions } from '../../schema/fault.ts';
import { operationOutcome } from '../../schema/fhir.ts';
import type { Limits } from '../limits.ts';
import { faultOf } from './local-data-source.ts';
import { operationCost } from './operation-cost.ts';
import type { GatewayContext } from './request-scope.ts';

/** What a tenant allows of a request, and how it wants refusals told. */
export function tenantRules(limits: Limits): ApolloServerPlugin<GatewayContext> {
  return {
    async requestDidStart() {
      return {
        async didResolveOperation({ contextValue, document, operation, schema, request }) {
          const { graphql } = contextValue.scope.tenant;
          if (operation!.operation !== 'query') {
            throw refusal(new Fault('invalid_request', 'Only queries are answered here.'));
          }
          if (graphql.trustedDocumentsOnly) {
            throw refusal(
              new Fault('not_implemented', 'This tenant takes trusted documents only; there are none yet.'),
            );
          }
          if (!graphql.introspection && introspects(document, operation!)) {
            throw refusal(
              new Fault(
                'invalid_request',
                'Introspection is off for this tenant; its schema is at /schema.graphql.',
              ),
            );
          }
          const cost = operationCost(schema, document, operation!, request.variables ?? {});
          if (cost > limits.cost) {
            const message = `The answer could hold ${cost} fields, more than ${limits.cost}: ask for less with _count.`;
            throw refusal(new Fault('invalid_request', message));
          }
        },
        async didEncounterErrors({ contextValue, errors }) {
          for (const error of errors) {
            const { code, http } = error.extensions;
            if (code !== undefined || http || faultOf(error)) continue;
            contextValue.scope.log.error({ err: error.originalError ?? error }, 'a GraphQL request failed');
          }
        },
        async willSendResponse({ contextValue, response }) {
          const { body, http } = response;
          if (body.kind !== 'single') return;
          const { singleResult } = body;
          const refused = singleResult.errors?.some(({ extensions }) => isRefusal(extensions?.['code']));
          if (refused && contextValue.scope.tenant.authorization.refusedFields === 'reject') {
            http.status = 403;
            delete singleResult.data;
          }
          if (contextValue.scope.fhir) {
            body.singleResult = { ...singleResult, ...withOutcomes(singleResult.errors) };
          }
        },
      };
    },
  };
}

/** A Fault before execution: the whole request is refused with its status. */
function refusal(fault: Fault): GraphQLError {
  const extensions = { ...faultExtensions(fault), http: { status: fault.status } };
  return new GraphQLError(fault.message, { originalError: fault, extensions });
}

function introspects(document: DocumentNode, operation: OperationDefinitionNode): boolean {
  // Fragments on the root type may hide it: any use in the document counts.
  const sets = [
    operation.selectionSet,
    ...document.definitions.flatMap((definition) =>
      definition.kind === Kind.FRAGMENT_DEFINITION ? [definition.selectionSet] : [],
    ),
  ];
  const found = (set: (typeof sets)[number]): boolean =>
    set.selections.some((selection) => {
      if (selection.kind === Kind.FIELD) {
        return selection.name.value === '__schema' || selection.name.value === '__type';
      }
      return selection.kind === Kind.INLINE_FRAGMENT && found(selection.selectionSet);
    });
  return sets.some(found);
}

const isRefusal = (code: unknown) => code === 'insufficient_scope' || code === 'forbidden';

/** FHIR R4 §2.1.2.10: each error as an OperationOutcome besides. */
function withOutcomes(errors: readonly GraphQLFormattedError[] | undefined) {
  return (
    errors && {
      errors: errors.map((error) => ({
        ...error,
        extensions: { ...error.extensions, resource: operationOutcome('error', 'processing', error.message) },
      })),
    }
  );
}
