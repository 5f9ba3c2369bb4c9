import { buildSchemaFromAST, type Schema } from '@apollo/federation-internals';
import { parse } from 'graphql';

/** A block string (GraphQL §2.9.4): in the text of a printed schema, always a description. */
const DESCRIPTION = /"""(?:\\"""|[^])*?"""/g;

/**
 * Builds the API schema for Apollo's planner and executor. The supergraph could derive it, but would validate it, which
 * takes three times as long. Descriptions, two thirds of the text, are left out.
 */
export function apiSchemaOf(apiSdl: string): Schema {
  const schema = buildSchemaFromAST(parse(apiSdl.replace(DESCRIPTION, ''), { noLocation: true }), {
    validate: false,
  });
  schema.assumeValid();
  return schema;
}
