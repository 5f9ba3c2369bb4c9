import { ApolloServer, type HTTPGraphQLResponse } from '@apollo/server';
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginInlineTraceDisabled,
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginSchemaReportingDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled';
import {
  getIntrospectionQuery,
  parse,
  validate,
  type DocumentNode,
  type GraphQLFormattedError,
  type GraphQLSchema,
} from 'graphql';
import { setImmediate } from 'node:timers/promises';
import { utf8 } from '../../../schema/process/texts.ts';
import { incrementalDelivery } from '../../../schema/fault/refusals.ts';
import { andThen, type Awaitable } from '../../../schema/process/awaitable.ts';
import type { Limits } from '../document/limits.ts';
import type { GraphExecutor } from '../../settings.ts';
import { CompiledExecution } from '../executor/compiled-execution.ts';
import { Operations } from '../executor/operations.ts';
import { compiledExecution } from './plugin.ts';
import { answerText, WrittenData } from '../executor/written-data.ts';
import { documentLimits } from '../document/document-limits.ts';
import { formatError } from '../subgraphs/format-error.ts';
import { measuredOperations, type GraphqlMeasures } from './measured-operations.ts';
import type { AskedGraphql } from '../request/asked-graphql.ts';
import { KnownOperations } from './known-operations.ts';
import { localDataSource } from '../subgraphs/local-data-source.ts';
import { remoteDataSource, type GraphSubgraph } from '../subgraphs/remote-data-source.ts';
import { prepareDocuments } from './prepare-documents.ts';
import type { PersistedQueries } from '../document/persisted-queries.ts';
import { PlanningGateway } from '../planning/planning-gateway.ts';
import type { GatewayContext, RequestScope } from '../request/request-scope.ts';
import { FieldScopes } from '../scopes/field-scopes.ts';
import type { ServiceName } from '../request/service-name.ts';
import { tenantRules } from './tenant-rules.ts';

export interface FederatedServer extends Pick<
  ApolloServer<GatewayContext>,
  'executeHTTPGraphQLRequest' | 'stop'
> {
  /** Answers a request for an operation that it knows; undefined for one that it has to execute otherwise. */
  answerKnown(asked: AskedGraphql, scope: RequestScope): Awaitable<HTTPGraphQLResponse | undefined>;
  /** Executes an operation, and measures it from the request to the answer. */
  measured<Answer>(scope: RequestScope, execute: () => Awaitable<Answer>): Awaitable<Answer>;
  /**
   * Parses, validates and compiles documents, so that their first request does not wait for it.
   * @returns how many are ready
   */
  prepare(texts: Iterable<string>): Promise<number>;
  /** Returns a valid document that was sent before. */
  document(text: string): DocumentNode | undefined;
  /** Returns the API schema. */
  schema(): Promise<GraphQLSchema>;
  /**
   * Executes a query with all checks of a request, for an answer that is not the JSON text of GraphQL over HTTP.
   * @throws Fault like `executeHTTPGraphQLRequest`
   */
  execute(query: string, variables: Record<string, unknown>, scope: RequestScope): Promise<Executed>;
}

/** The result of an execution; errors are written for the caller. */
export interface Executed {
  data: Record<string, unknown> | null;
  errors: readonly GraphQLFormattedError[];
  /** HTTP status of a refusal of the whole request. */
  status: number | undefined;
}

type ApolloLog = Record<'debug' | 'info' | 'warn' | 'error', (message?: unknown) => void>;

interface FederatedServerOptions {
  supergraphSdl: Uint8Array;
  /** The API schema of the supergraph. */
  apiSdl: Uint8Array;
  subgraphs: Readonly<Record<ServiceName, GraphSubgraph>>;
  limits: Limits;
  log: ApolloLog;
  persisted: PersistedQueries['cache'];
  measures?: GraphqlMeasures | undefined;
  /** Default `compiled`. */
  executor?: GraphExecutor | undefined;
  /** Milliseconds from which on an operation is logged as slow; undefined: none is. */
  slow?: number | undefined;
}

/**
 * Starts the federated graph over both subgraphs. It uses the committed supergraph: nothing is composed or
 * fetched (FG-14).
 * @returns a started server
 */
export async function federatedServer(deps: FederatedServerOptions): Promise<FederatedServer> {
  const { supergraphSdl, apiSdl, subgraphs, limits, measures } = deps;
  const measured = measuredOperations(measures, deps.slow);
  const log = quieter(deps.log);
  const operations = new Operations(new FieldScopes(utf8(supergraphSdl)));
  const gateway = new PlanningGateway({
    supergraphSdl,
    apiSdl,
    operations,
    onExecute: () => measures?.executed('planned'),
    services: {
      clinical: dataSource('clinical', subgraphs.clinical),
      imaging: dataSource('imaging', subgraphs.imaging),
    },
  });
  const onExecute = () => measures?.executed('compiled');
  const rowsOnly = deps.executor === 'apollo';
  const execution = new CompiledExecution(subgraphs, { fields: limits.cost, rowsOnly, onExecute });
  const rules = [documentLimits(limits)];
  const server = new ApolloServer<GatewayContext>({
    gateway,
    logger: log,
    introspection: true, // the plugin below decides for each tenant
    includeStacktraceInErrorResponses: false,
    stopOnTerminationSignals: false,
    allowBatchedHttpRequests: false,
    persistedQueries: { cache: deps.persisted },
    // No cookie authorizes anything here, so a request with one of these headers is not a forgery (FG-13).
    csrfPrevention: {
      requestHeaders: ['authorization', 'apollo-require-preflight', 'x-apollo-operation-name'],
    },
    documentStore: operations.store,
    parseOptions: { maxTokens: limits.tokens },
    validationRules: rules,
    // Each error about an unknown name searches for similar names, which takes time.
    validationOptions: { maxErrors: 20 },
    formatError,
    // Each step of a large answer runs in a separate turn of the event loop.
    stringifyResult: async (result) => {
      await setImmediate();
      return `${answerText(result)}\n`;
    },
    plugins: [
      ...withoutApolloPlugins(),
      tenantRules(limits, operations),
      // After the rules: it answers, so that nothing is asked after it.
      compiledExecution(execution, operations),
    ],
  });
  await server.start();
  // Compiles the code of validation, for which the first request would wait 20 ms.
  validate(gateway.schema, parse(getIntrospectionQuery()));
  const known = new KnownOperations(execution, operations, { limits, schema: gateway.schema });
  return {
    answerKnown(asked, scope) {
      return andThen(known.answer(asked, scope), (answer) => {
        measures?.cacheLookup('operations', answer !== undefined);
        return answer;
      });
    },
    measured,
    executeHTTPGraphQLRequest: (request) => server.executeHTTPGraphQLRequest(request),
    async execute(query, variables, scope) {
      const { body, http } = await measured(scope, () =>
        server.executeOperation({ query, variables }, { contextValue: { scope } }),
      );
      if (body.kind !== 'single') throw incrementalDelivery();
      const { data = null, errors = [] } = body.singleResult;
      const values = data instanceof WrittenData ? data.values() : data;
      return { data: values, errors, status: http.status };
    },
    prepare(texts) {
      const means = { schema: gateway.schema, maxTokens: limits.tokens, rules, operations, execution };
      return prepareDocuments(texts, means);
    },
    document: (text) => operations.document(text),
    stop: () => server.stop(),
    schema: async () => gateway.schema,
  };
}

const dataSource = (name: ServiceName, subgraph: GraphSubgraph) =>
  'fetch' in subgraph ? remoteDataSource(name, subgraph) : localDataSource(name, subgraph);

/** Returns what turns off the plugins that Apollo Server adds by itself. */
const withoutApolloPlugins = () => [
  ApolloServerPluginCacheControlDisabled(),
  ApolloServerPluginInlineTraceDisabled(),
  ApolloServerPluginLandingPageDisabled(),
  ApolloServerPluginSchemaReportingDisabled(),
  ApolloServerPluginUsageReportingDisabled(),
];

/** Logs Apollo's information at debug level; warnings and errors keep their level. */
function quieter(log: ApolloLog): ApolloLog {
  return {
    debug: (message) => log.debug(message),
    info: (message) => log.debug(message),
    warn: (message) => log.warn(message),
    error: (message) => log.error(message),
  };
}
