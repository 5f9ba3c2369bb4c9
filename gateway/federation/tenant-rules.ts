import type { ApolloServerPlugin } from '@apollo/server';
import { HeaderMap } from '@apollo/server';
import type { DocumentNode, GraphQLFormattedError, OperationDefinitionNode } from 'graphql';
import { GraphQLError, Kind } from 'graphql';
import { setImmediate } from 'node:timers/promises';
import { Fault, faultExtensions } from '../../schema/fault/fault.ts';
import { queriesOnly } from '../../schema/fault/refusals.ts';
import { operationOutcome } from '../../schema/fhir/fhir.ts';
import type { Limits } from '../http/limits.ts';
import { introspectionSize, type Introspection } from './introspection/size.ts';
import { UsualIntrospection } from './introspection/usual-form.ts';
import { faultOf } from './local-data-source.ts';
import { defaultsOf, requireAffordable } from './operation-cost.ts';
import type { GatewayContext } from './request-scope.ts';

/** Checks a request against the limits and the tenant's settings, and writes refusals as the tenant wants them. */
export function tenantRules(limits: Limits): ApolloServerPlugin<GatewayContext> {
  const usual = new UsualIntrospection();
  return {
    async requestDidStart() {
      return {
        async didResolveOperation({ contextValue, document, operation, schema, request }) {
          // Validation has used much of this turn of the event loop; planning comes next.
          await setImmediate();
          const { graphql } = contextValue.scope.tenant;
          if (!operation) {
            throw refusal(
              new Fault('invalid_request', 'operationName must name one operation of the document.'),
            );
          }
          if (operation.operation !== 'query') {
            throw refusal(queriesOnly());
          }
          if (graphql.trustedDocumentsOnly) {
            throw refusal(
              new Fault('not_implemented', 'This tenant takes trusted documents only; there are none yet.'),
            );
          }
          const isIntrospection = introspects(document, operation);
          if (!graphql.introspection && isIntrospection) {
            throw refusal(
              new Fault(
                'invalid_request',
                'Introspection is off for this tenant; its schema is at /schema.graphql.',
              ),
            );
          }
          requireFewValues(request.variables, limits);
          if (isIntrospection) {
            const form = usual.formOf(document, operation);
            if (form) {
              contextValue.scope.introspection = form;
              return;
            }
            const variables = { ...defaultsOf(operation), ...request.variables };
            requireLittleIntrospection({ schema, document, operation, variables }, limits);
          }
          const asked = { schema, document, operation, variables: request.variables ?? {} };
          refusing(() => requireAffordable(asked, limits));
        },
        // The route sends the prepared answer; there is nothing to execute.
        async responseForOperation({ contextValue: { scope } }) {
          if (!scope.introspection) return null;
          const http = { status: undefined, headers: new HeaderMap() };
          return { http, body: { kind: 'single', singleResult: { data: null } } };
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
          // At FHIR's own addresses each error has an OperationOutcome (FG-11).
          if (contextValue.scope.fhir) {
            body.singleResult = { ...singleResult, ...withOutcomes(singleResult.errors) };
          }
        },
      };
    },
  };
}

/** Refuses an introspection whose answer is too large to write while other requests wait. */
function requireLittleIntrospection(asked: Introspection, { introspection: most }: Limits): void {
  if (introspectionSize(asked, most) <= most) return;
  const message =
    `The answer would hold more than ${most} fields about the schema. Ask with the introspection query of ` +
    'graphql-js (`getIntrospectionQuery()`), which is answered whole, or read /schema.graphql.';
  throw refusal(new Fault('invalid_request', message));
}

/** Refuses too many values in variables. It runs before they are checked, which makes an error for each wrong value. */
function requireFewValues(variables: unknown, { variableValues }: Limits): void {
  const waiting = [variables];
  for (let count = 0; waiting.length > 0; count++) {
    if (count > variableValues || waiting.length > variableValues) {
      const message = `The variables hold more than ${variableValues} values: ask for fewer at a time.`;
      throw refusal(new Fault('invalid_request', message));
    }
    const value = waiting.pop();
    if (typeof value === 'object' && value !== null)
      waiting.push(...Object.values(value).slice(0, variableValues + 1));
  }
}

/** Returns the error for a Fault before execution: it refuses the whole request with the Fault's status. */
function refusal(fault: Fault): GraphQLError {
  const extensions = { ...faultExtensions(fault), http: { status: fault.status } };
  return new GraphQLError(fault.message, { originalError: fault, extensions });
}

/** Runs a check; its Fault refuses the whole request. */
function refusing(check: () => void): void {
  try {
    check();
  } catch (error) {
    throw error instanceof Fault ? refusal(error) : error;
  }
}

function introspects(document: DocumentNode, operation: OperationDefinitionNode): boolean {
  // A fragment on the root type may contain it: any use in the document counts.
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

/** Adds an OperationOutcome to each error (FHIR R4 §2.1.2.10). */
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
