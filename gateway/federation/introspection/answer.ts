import type { GraphQLSchema } from 'graphql';
import { execute, parse } from 'graphql';

/**
 * Returns the JSON answer to an introspection in its usual form, which has several megabytes.
 * @throws Error when the query fails; a query in the usual form does not
 */
export async function introspectionAnswer(schema: GraphQLSchema, form: string): Promise<string> {
  const { data, errors } = await execute({ schema, document: parse(form, { noLocation: true }) });
  if (errors) throw new Error('An introspection failed.', { cause: errors[0] });
  return JSON.stringify({ data });
}
