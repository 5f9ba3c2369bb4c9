import type { GraphQLDataSource, GraphQLDataSourceProcessOptions } from '@apollo/gateway';
import type { DocumentNode, GraphQLError, GraphQLFormattedError, GraphQLSchema } from 'graphql';
import { execute, parse } from 'graphql';
import { LRUCache } from 'lru-cache';
import { setImmediate } from 'node:timers/promises';
import type { Access } from '../../schema/access/access.ts';
import type { RecordOperation } from '../../schema/fault/audit.ts';
import { Fault, faultExtensions, toFault } from '../../schema/fault/fault.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import { logFault } from '../../schema/fault/log-fault.ts';
import { KEPT_CHARACTERS } from './document-cache.ts';
import type { GatewayContext, RequestScope } from './request-scope.ts';

/** A subgraph of this process: its schema, and the per-request core that its resolvers work from. */
export interface LocalSubgraph {
  schema: GraphQLSchema;
  open(tenant: Tenant, access: Access, signal?: AbortSignal, audit?: RecordOperation): unknown;
}

export type ServiceName = 'clinical' | 'imaging';

type Response = Awaited<ReturnType<GraphQLDataSource['process']>>;

/**
 * Executes a query plan's fetches on a subgraph's schema as function calls. The subgraph's resolvers get
 * `{ [name]: core, partial, request, budget }` as context: errors beside data that they could give in part go into
 * `partial`, `request` stands for the request, and lists are charged to its `budget`. The answer is made of fresh objects: the gateway merges other fetches into them.
 */
export function localDataSource(
  name: ServiceName,
  subgraph: LocalSubgraph,
): GraphQLDataSource<GatewayContext> {
  const documents = new LRUCache<string, DocumentNode>({
    maxSize: KEPT_CHARACTERS,
    sizeCalculation: (_document, query) => query.length,
  });
  const documentOf = (query: string): DocumentNode => {
    const document = documents.get(query) ?? parse(query, { noLocation: true });
    documents.set(query, document);
    return document;
  };
  return {
    async process(options: GraphQLDataSourceProcessOptions<GatewayContext>): Promise<Response> {
      const { request } = options;
      const scope = (options.context as GatewayContext).scope;
      try {
        // What has just been planned or merged has taken its share of this turn of the event loop.
        await setImmediate();
        scope.budget.requireNotExceeded();
        const planned = 'document' in options ? options.document : undefined;
        const partial: GraphQLError[] = [];
        const result = await execute({
          schema: subgraph.schema,
          document: planned ?? documentOf(request.query ?? ''),
          variableValues: request.variables ?? {},
          contextValue: {
            [name]: coreOf(name, subgraph, scope),
            partial,
            request: scope,
            budget: scope.budget,
          },
        });
        // The gateway merges and completes what was found: a large answer takes long enough in each of these steps.
        await setImmediate();
        scope.budget.requireNotExceeded();
        const errors = [...(result.errors ?? []), ...partial].map((error) => formatted(error, name, scope));
        return { data: result.data ?? null, ...(errors.length > 0 && { errors }) } as Response;
      } catch (error) {
        return { data: null, errors: [formatted(error, name, scope)] } as unknown as Response;
      }
    },
  };
}

/** The subgraph's core for this request, opened when it is first needed. */
export function coreOf(name: ServiceName, subgraph: LocalSubgraph, scope: RequestScope): unknown {
  if (!scope.cores.has(name)) {
    const { tenant, access, signal, audit } = scope;
    scope.cores.set(name, subgraph.open(tenant, access, signal, audit));
  }
  return scope.cores.get(name);
}

/**
 * What a resolver threw, for the caller: a Fault with its code and the service that failed (FG-10); of anything else
 * only that it happened, and the log the rest.
 */
function formatted(error: unknown, service: ServiceName, scope: RequestScope): GraphQLFormattedError {
  const { originalError, path } = error as Partial<GraphQLError>;
  const thrown = faultOf(error) ?? toFault(originalError ?? error);
  // What was broken off for want of time says so, whatever its source made of that.
  const { reason } = scope.signal as { reason: unknown };
  const fault = reason instanceof Fault && thrown.status >= 500 ? reason : thrown;
  // A caller who has gone is nobody's failure.
  const gone = scope.signal.aborted && fault !== reason;
  if (!gone) logFault(scope.log, fault, { service, path: path?.join('.') }, 'a field failed');
  return {
    message: fault.message,
    ...(path && { path }),
    extensions: { service, ...faultExtensions(fault) },
  };
}

/** True for errors that come from a subgraph and have been made fit for the caller there. */
export function isFormatted(extensions: Readonly<Record<string, unknown>> | undefined): boolean {
  return typeof extensions?.['status'] === 'number' && typeof extensions['code'] === 'string';
}

/** The Fault that a plugin or resolver threw, where it was one. */
export function faultOf(error: unknown): Fault | undefined {
  if (error instanceof Fault) return error;
  const { originalError } = (error ?? {}) as Partial<GraphQLError>;
  return originalError ? faultOf(originalError) : undefined;
}
