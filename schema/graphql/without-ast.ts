import type { GraphQLSchema } from 'graphql';
import { isEnumType, isInputObjectType, isInterfaceType, isObjectType } from 'graphql';

/** A part of a schema that remembers the SDL from which it was made. */
interface FromSdl {
  astNode?: { readonly directives?: readonly unknown[] | undefined } | undefined | null;
  extensionASTNodes?: readonly unknown[];
}

/**
 * Drops the SDL's syntax tree from a schema, which takes as much memory as the schema. Execution does not use it. Fields
 * with directives keep their part of it, because federation reads these directives.
 */
export function withoutAst(schema: GraphQLSchema): GraphQLSchema {
  drop(schema);
  for (const directive of schema.getDirectives()) dropAll([directive, ...directive.args]);
  for (const type of Object.values(schema.getTypeMap())) {
    drop(type);
    if (isEnumType(type)) dropAll(type.getValues());
    if (isInputObjectType(type)) dropAll(Object.values(type.getFields()));
    if (!isObjectType(type) && !isInterfaceType(type)) continue;
    for (const field of Object.values(type.getFields())) {
      dropAll(field.args);
      if (!field.astNode?.directives?.length) drop(field);
    }
  }
  return schema;
}

function dropAll(parts: readonly object[]): void {
  for (const part of parts) drop(part);
}

function drop(part: FromSdl): void {
  part.astNode = undefined;
  if (part.extensionASTNodes) part.extensionASTNodes = [];
}
