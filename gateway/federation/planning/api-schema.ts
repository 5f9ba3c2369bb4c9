import { buildSchemaFromAST, type Schema } from '@apollo/federation-internals';
import { parse } from 'graphql';

/**
 * Builds the API schema for Apollo's planner and executor. The supergraph could derive it, but would validate it, which
 * takes three times as long.
 */
export function apiSchemaOf(apiSdl: string): Schema {
  const schema = buildSchemaFromAST(parse(apiSdl, { noLocation: true }), { validate: false });
  schema.assumeValid();
  return schema;
}
