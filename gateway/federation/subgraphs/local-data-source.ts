import type { GraphQLDataSource, GraphQLDataSourceProcessOptions } from '@apollo/gateway';
import type { GraphQLFormattedError, GraphQLSchema } from 'graphql';
import { execute, GraphQLError, parse } from 'graphql';
import { setImmediate } from 'node:timers/promises';
import type { Access } from '../../../schema/access/access.ts';
import type { RecordOperation } from '../../../schema/access/audit.ts';
import { Fault, faultExtensions, toFault } from '../../../schema/fault/fault.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { logFault } from '../../../schema/fault/log-fault.ts';
import type { Abortable } from '../../../schema/process/request-end.ts';
import { withErrorsOfFields } from './fetch-errors.ts';
import type { GatewayContext, RequestScope } from '../request/request-scope.ts';
import type { ServiceName } from '../request/service-name.ts';

/** A subgraph of this process: its schema, and how its core for one request is opened, which its resolvers use. */
export interface LocalSubgraph {
  schema: GraphQLSchema;
  open(tenant: Tenant, access: Access, over?: Abortable, audit?: RecordOperation): unknown;
}

type Response = Awaited<ReturnType<GraphQLDataSource['process']>>;

/**
 * Executes a query plan's fetches on a subgraph's schema as function calls. The context of the subgraph's resolvers is
 * `{ [name]: core, partial, request, budget }`. They add errors of data that they can give only in part to `partial`;
 * `request` identifies the request, and lists are charged to `budget`. The answer consists of fresh objects, because the
 * gateway merges other fetches into them.
 */
export function localDataSource(
  name: ServiceName,
  subgraph: LocalSubgraph,
): GraphQLDataSource<GatewayContext> {
  return withErrorsOfFields(subgraph.schema, {
    async process(options: GraphQLDataSourceProcessOptions<GatewayContext>): Promise<Response> {
      const { request } = options;
      const scope = (options.context as GatewayContext).scope;
      try {
        // Planning or merging has used much of this turn of the event loop.
        await setImmediate();
        scope.budget.requireNotExceeded();
        const planned = 'document' in options ? options.document : undefined;
        const partial: GraphQLError[] = [];
        const result = await execute({
          schema: subgraph.schema,
          document: planned ?? parse(request.query ?? '', { noLocation: true }),
          variableValues: request.variables ?? {},
          contextValue: {
            [name]: coreOf(name, subgraph, scope),
            partial,
            request: scope,
            budget: scope.budget,
          },
        });
        // The gateway now merges and completes the data: each of these steps takes long for a large answer.
        await setImmediate();
        scope.budget.requireNotExceeded();
        const errors = [...(result.errors ?? []), ...partial].map((error) => formatted(error, name, scope));
        return { data: result.data ?? null, ...(errors.length > 0 && { errors }) } as Response;
      } catch (error) {
        return { data: null, errors: [formatted(error, name, scope)] } as Response;
      }
    },
  });
}

/** Returns the subgraph's core for this request; opens it at first use. */
export function coreOf(name: ServiceName, subgraph: LocalSubgraph, scope: RequestScope): unknown {
  if (!scope.cores.has(name)) {
    const { tenant, access, over, audit } = scope;
    scope.cores.set(name, subgraph.open(tenant, access, over, audit));
  }
  return scope.cores.get(name);
}

/** An error that the process of a subgraph has written for the caller, and logged. */
export class FetchedError extends GraphQLError {}

/**
 * Writes what a resolver threw for the caller: a Fault with its code and the service that failed (FG-10). Any other error
 * becomes `internal`, and its details are only logged.
 */
export function formatted(error: unknown, service: ServiceName, scope: RequestScope): GraphQLFormattedError {
  const { originalError, path, message, extensions } = error as Partial<GraphQLError>;
  if ([error, originalError].some((one) => one instanceof FetchedError))
    return { message: message!, ...(path && { path }), extensions: extensions! };
  const thrown = faultOf(error) ?? toFault(originalError ?? error);
  // A field that was cancelled by the time limit reports the time limit, not the error that its source made of it.
  const { reason, aborted } = scope.over;
  const fault = reason instanceof Fault && thrown.status >= 500 ? reason : thrown;
  // A caller who has gone is not a failure.
  const gone = aborted && fault !== reason;
  const where = { tenant: scope.tenant.key, service, path: path?.join('.') };
  if (!gone) logFault(scope.log, fault, where, 'a field failed');
  return {
    message: fault.message,
    ...(path && { path }),
    extensions: { service, ...faultExtensions(fault) },
  };
}

/** Tells if an error has been written for the caller already, by a subgraph. */
export function isFormatted(extensions: Readonly<Record<string, unknown>> | undefined): boolean {
  return typeof extensions?.['status'] === 'number' && typeof extensions['code'] === 'string';
}

/** Returns the Fault that a plugin or resolver threw; undefined for any other error. */
export function faultOf(error: unknown): Fault | undefined {
  if (error instanceof Fault) return error;
  const { originalError } = (error ?? {}) as Partial<GraphQLError>;
  return originalError ? faultOf(originalError) : undefined;
}
