import type { GraphQLError, GraphQLFormattedError } from 'graphql';
import { GRAPHQL_HELP } from '../../../schema/fault/fault-help.ts';
import { Fault, faultExtensions } from '../../../schema/fault/fault.ts';
import { faultOf, isFormatted } from './local-data-source.ts';

/** Apollo's codes for errors of a request: their messages are safe, and clients know the codes. */
const PROTOCOL = new Set(Object.keys(GRAPHQL_HELP));

/** Turns any error into the one that a client sees; messages of unknown errors are replaced. */
export function formatError(formatted: GraphQLFormattedError, error: unknown): GraphQLFormattedError {
  if (isFormatted(formatted.extensions)) {
    const { serviceName: _, stacktrace: __, ...extensions } = formatted.extensions!;
    return { ...formatted, extensions };
  }
  if (PROTOCOL.has(String(formatted.extensions?.['code']))) return formatted;
  // Apollo refuses a persisted query that does not match its hash with a status, but without a code.
  const { http } = ((error as Partial<GraphQLError>).extensions ?? {}) as { http?: { status?: number } };
  if (http?.status === 400) {
    return { ...formatted, extensions: faultExtensions(new Fault('invalid_request', formatted.message)) };
  }
  const fault =
    faultOf(error) ?? new Fault('internal', 'The server failed to answer this part of the request.');
  const { message } = fault;
  return { message, ...(formatted.path && { path: formatted.path }), extensions: faultExtensions(fault) };
}
