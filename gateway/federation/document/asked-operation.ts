import { HeaderMap } from '@apollo/server';
import type { DocumentNode, GraphQLFormattedError, GraphQLSchema, OperationDefinitionNode } from 'graphql';

/** The operation that a request asks for, in a valid document. */
export interface AskedOperation {
  schema: GraphQLSchema;
  document: DocumentNode;
  operation: OperationDefinitionNode;
  /** Values of the variables; defaults may be missing. */
  variables: Readonly<Record<string, unknown>>;
}

/** A valid operation, with the text of its document. */
export interface TakenOperation extends AskedOperation {
  source: string;
}

/** Returns the response to an operation that Apollo does not execute itself. */
export function responseWith(result: {
  data: Record<string, unknown> | null;
  errors?: readonly GraphQLFormattedError[];
}) {
  const http = { status: undefined, headers: new HeaderMap() };
  return { http, body: { kind: 'single' as const, singleResult: result } };
}
