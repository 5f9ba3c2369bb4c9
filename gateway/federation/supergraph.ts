import { ApolloGateway } from '@apollo/gateway';
import type { ApolloServerPlugin } from '@apollo/server';
import { ApolloServer } from '@apollo/server';
import {
  ApolloServerPluginInlineTraceDisabled,
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginSchemaReportingDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled';
import type { DocumentNode, GraphQLFormattedError, OperationDefinitionNode } from 'graphql';
import { GraphQLError, Kind } from 'graphql';
import { Fault, faultExtensions } from '../../schema/fault.ts';
import { operationOutcome } from '../../schema/fhir.ts';
import type { Limits } from '../limits.ts';
import { documentLimits, operationCost } from '../limits.ts';
import type { LocalSubgraph, ServiceName } from './local-data-source.ts';
import { faultOf, isFormatted, localDataSource } from './local-data-source.ts';
import type { GatewayContext } from './request-scope.ts';

export type FederatedServer = ApolloServer<GatewayContext>;

export interface ApolloLog {
  debug(message?: unknown): void;
  info(message?: unknown): void;
  warn(message?: unknown): void;
  error(message?: unknown): void;
}

/**
 * The federated graph over subgraphs of this process. The supergraph is the committed one: nothing is composed or
 * fetched (FG-14). `APOLLO_TELEMETRY_DISABLED=true` must be in the environment before this is called.
 * @returns a started server
 */
export async function federatedServer(deps: {
  supergraphSdl: string;
  subgraphs: Readonly<Record<ServiceName, LocalSubgraph>>;
  limits: Limits;
  log: ApolloLog;
}): Promise<FederatedServer> {
  const { supergraphSdl, subgraphs, limits } = deps;
  const log = quieter(deps.log);
  const gateway = new ApolloGateway({
    supergraphSdl,
    logger: log,
    buildService: ({ name }) => localDataSource(name as ServiceName, subgraphs[name as ServiceName]),
  });
  const server = new ApolloServer<GatewayContext>({
    gateway,
    logger: log,
    introspection: true, // the plugin below decides for each tenant
    includeStacktraceInErrorResponses: false,
    stopOnTerminationSignals: false,
    allowBatchedHttpRequests: false,
    // No cookie authorises anything here, so a request with the header is no forgery (FG-13).
    csrfPrevention: {
      requestHeaders: ['authorization', 'apollo-require-preflight', 'x-apollo-operation-name'],
    },
    parseOptions: { maxTokens: limits.tokens },
    validationRules: [documentLimits(limits)],
    formatError,
    plugins: [
      ApolloServerPluginInlineTraceDisabled(),
      ApolloServerPluginLandingPageDisabled(),
      ApolloServerPluginSchemaReportingDisabled(),
      ApolloServerPluginUsageReportingDisabled(),
      tenantRules(limits),
    ],
  });
  await server.start();
  return server;
}

/** What Apollo says in passing is for debugging; what it warns of is not. */
function quieter(log: ApolloLog): ApolloLog {
  return {
    debug: (message) => log.debug(message),
    info: (message) => log.debug(message),
    warn: (message) => log.warn(message),
    error: (message) => log.error(message),
  };
}

/** What a tenant allows of a request, and how it wants refusals told. */
function tenantRules(limits: Limits): ApolloServerPlugin<GatewayContext> {
  return {
    async requestDidStart() {
      return {
        async didResolveOperation({ contextValue, document, operation, schema, request }) {
          const { graphql } = contextValue.scope.tenant;
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
            if (error.extensions['code'] !== undefined || faultOf(error)) continue;
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

/** Apollo's own words for what is wrong with a request: safe, and known to clients by these codes. */
const PROTOCOL = new Set([
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  'PERSISTED_QUERY_NOT_FOUND',
  'PERSISTED_QUERY_NOT_SUPPORTED',
  'BAD_USER_INPUT',
  'BAD_REQUEST',
  'OPERATION_RESOLUTION_FAILURE',
]);

/** The one place where an error becomes what a client sees: nothing foreign gets through. */
function formatError(formatted: GraphQLFormattedError, error: unknown): GraphQLFormattedError {
  if (isFormatted(formatted.extensions)) {
    const { serviceName: _, stacktrace: __, ...extensions } = formatted.extensions!;
    return { ...formatted, extensions };
  }
  if (PROTOCOL.has(String(formatted.extensions?.['code']))) return formatted;
  const fault =
    faultOf(error) ?? new Fault('internal', 'The server failed to answer this part of the request.');
  const { message } = fault;
  return {
    message,
    ...(formatted.path && { path: formatted.path }),
    extensions: faultExtensions(fault),
  };
}

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
