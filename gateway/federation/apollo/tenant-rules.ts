import type { ApolloServerPlugin, GraphQLRequestContextDidResolveOperation } from '@apollo/server';
import type { DocumentNode, GraphQLFormattedError, OperationDefinitionNode } from 'graphql';
import { GraphQLError, Kind } from 'graphql';
import { setImmediate } from 'node:timers/promises';
import { helpUrl } from '../../../schema/fault/fault-help.ts';
import { Fault, faultExtensions } from '../../../schema/fault/fault.ts';
import { queriesOnly } from '../../../schema/fault/refusals.ts';
import { operationOutcome } from '../../../schema/fhir/fhir.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { Limits } from '../document/limits.ts';
import { responseWith, type AskedOperation } from '../document/asked-operation.ts';
import { beginExplanation, explainMode, writtenExplanation } from '../document/explanation.ts';
import { introspectionSize } from '../introspection/size.ts';
import { UsualIntrospection } from '../introspection/usual-form.ts';
import { joinEqualErrors, withoutSuggestions, withSchemaHint } from '../subgraphs/joined-errors.ts';
import { faultOf } from '../subgraphs/local-data-source.ts';
import { defaultsOf, requireAffordable } from '../document/operation-cost.ts';
import type { GatewayContext, RequestScope } from '../request/request-scope.ts';
import type { ValidOperation } from '../executor/operation.ts';
import type { Operations } from '../executor/operations.ts';
import { requireCovered } from '../scopes/refused-fields.ts';
import { requireTrusted } from '../request/trusted-documents.ts';

type Resolved = GraphQLRequestContextDidResolveOperation<GatewayContext>;

/** Checks a request against the limits and the tenant's settings, and writes refusals as the tenant wants them. */
export function tenantRules(limits: Limits, operations: Operations): ApolloServerPlugin<GatewayContext> {
  const usual = new UsualIntrospection();
  return {
    async requestDidStart() {
      return {
        async didResolveOperation(context) {
          // Validation has used much of this turn of the event loop; planning comes next.
          await setImmediate();
          try {
            check(context, usual, { limits, operations });
          } catch (error) {
            const fault = faultOf(error);
            throw fault ? refusal(fault, (error as Partial<GraphQLError>).path) : error;
          }
        },
        // The route sends the prepared answer; there is nothing to execute. Nor is there for the cost alone.
        async responseForOperation({ contextValue: { scope } }) {
          if (!scope.introspection && scope.explanation?.mode !== 'cost') return null;
          return responseWith({ data: null });
        },
        async didEncounterErrors({ contextValue, errors }) {
          for (const error of errors) {
            const { code, http } = error.extensions;
            if (code !== undefined || http || faultOf(error)) continue;
            const { log, tenant } = contextValue.scope;
            log.error({ tenant: tenant.key, err: error.originalError ?? error }, 'a GraphQL request failed');
          }
        },
        async willSendResponse({ contextValue, response }) {
          const { body, http } = response;
          if (body.kind !== 'single') return;
          const status = finishAnswer(body.singleResult, contextValue.scope);
          if (status !== undefined) http.status = status;
        },
      };
    },
  };
}

/** An answer on its way to the caller. */
interface Answer {
  data?: unknown;
  errors?: readonly GraphQLFormattedError[];
  extensions?: Record<string, unknown>;
}

/**
 * Changes an answer as the tenant wants it.
 * @returns the HTTP status, if it is not the usual one
 */
export function finishAnswer(
  answer: Answer,
  { request, tenant, explanation, fhir }: RequestScope,
): number | undefined {
  if (explanation) answer.extensions = { explain: writtenExplanation(explanation) };
  if (explanation?.mode === 'cost') delete answer.data;
  if (!answer.errors) return undefined;
  const errors = shownErrors(answer.errors, tenant).map((error) => withHelp(error, request));
  const refused = errors.some(({ extensions }) => isRefusal(extensions?.['code']));
  const isRejected = refused && tenant.authorization.refusedFields === 'reject';
  if (isRejected) delete answer.data;
  // At FHIR's own addresses each error has an OperationOutcome (FG-11).
  answer.errors = fhir ? errors.map(withOutcome) : errors;
  return isRejected ? 403 : undefined;
}

/** Checks an operation before it is executed. @throws Fault that refuses the whole request */
function check(
  context: Resolved,
  usual: UsualIntrospection,
  { limits, operations }: { limits: Limits; operations: Operations },
): void {
  const {
    contextValue: { scope },
    document,
    operation,
    request,
  } = context;
  const { graphql } = scope.tenant;
  const explain = explainMode(request.extensions, scope.tenant);
  if (!operation)
    throw new Fault('invalid_request', 'operationName must name one operation of the document.');
  if (operation.operation !== 'query') throw queriesOnly();
  requireTrusted(scope, operation.name?.value);
  const isIntrospection = introspects(document, operation);
  if (!graphql.introspection && isIntrospection)
    throw new Fault(
      'invalid_request',
      'Introspection is off for this tenant; its schema is at /schema.graphql.',
    );
  requireFewValues(request.variables, limits);
  const known = operations.of(context as ValidOperation);
  const asked = known.asked(request.variables ?? {});
  scope.operation = asked;
  if (explain) {
    if (isIntrospection)
      throw new Fault(
        'invalid_request',
        'An introspection has no plan to explain: leave out extensions.explain.',
      );
    const explanation = beginExplanation(explain, asked, limits);
    scope.explanation = explanation;
    if (explain === 'cost') return;
    scope.access = { ...scope.access, calls: (call) => explanation.calls.push(call) };
  }
  if (isIntrospection) {
    scope.introspection = usual.formOf(document, operation);
    if (scope.introspection) return;
    const variables = { ...defaultsOf(operation), ...asked.variables };
    requireLittleIntrospection({ ...asked, variables }, limits);
  }
  requireAffordable(asked, limits);
  requireCovered(scope, asked, known.facts.refusals(scope.access));
}

/** Refuses an introspection whose answer is too large to write while other requests wait. */
function requireLittleIntrospection(asked: AskedOperation, { introspection: most }: Limits): void {
  if (introspectionSize(asked, most) <= most) return;
  const message =
    `The answer would hold more than ${most} fields about the schema. Ask with the introspection query of ` +
    'graphql-js (`getIntrospectionQuery()`), which is answered whole, or read /schema.graphql.';
  throw new Fault('invalid_request', message);
}

/** Refuses too many values in variables. It runs before they are checked, which makes an error for each wrong value. */
export function requireFewValues(variables: unknown, { variableValues }: Limits): void {
  const waiting = [variables];
  for (let count = 0; waiting.length > 0; count++) {
    if (count > variableValues || waiting.length > variableValues) {
      const message = `The variables hold more than ${variableValues} values: ask for fewer at a time.`;
      throw new Fault('invalid_request', message);
    }
    const value = waiting.pop();
    if (typeof value === 'object' && value !== null)
      waiting.push(...Object.values(value).slice(0, variableValues + 1));
  }
}

/** Returns the error for a Fault before execution: it refuses the whole request with the Fault's status. */
function refusal(fault: Fault, path?: GraphQLError['path']): GraphQLError {
  const extensions = { ...faultExtensions(fault), http: { status: fault.status } };
  return new GraphQLError(fault.message, { originalError: fault, extensions, path });
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

/** Returns the errors for the caller: equal ones joined, without parts of a schema that the tenant does not show. */
function shownErrors(
  errors: readonly GraphQLFormattedError[],
  { graphql }: Tenant,
): readonly GraphQLFormattedError[] {
  return joinEqualErrors(withSchemaHint(graphql.introspection ? errors : withoutSuggestions(errors)));
}

/** Adds the address of the page about the error. */
function withHelp(error: GraphQLFormattedError, request: RequestScope['request']): GraphQLFormattedError {
  const help = request && helpUrl(request.server.baseUrl, String(error.extensions?.['code']));
  return { ...error, extensions: { ...error.extensions, help } };
}

const isRefusal = (code: unknown) => code === 'insufficient_scope' || code === 'forbidden';

/** Adds an OperationOutcome to an error (FHIR R4 §2.1.2.10). */
function withOutcome(error: GraphQLFormattedError): GraphQLFormattedError {
  const resource = operationOutcome('error', 'processing', error.message);
  return { ...error, extensions: { ...error.extensions, resource } };
}
