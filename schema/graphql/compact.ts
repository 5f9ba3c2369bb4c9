import { isEnumType, isInputObjectType, isInterfaceType, isObjectType, type GraphQLSchema } from 'graphql';
import { ownText } from '../process/texts.ts';

/** A part of a schema that remembers the SDL from which it was made. */
interface Part {
  description?: string | null | undefined;
  astNode?: { readonly directives?: readonly unknown[] | undefined } | undefined | null;
  extensionASTNodes?: readonly unknown[];
  extensions: Readonly<Record<string, unknown>>;
}

/** The `extensions` of every part that has none: one object of its own for each of 50,000 parts would take 10 MB. */
const NONE = Object.freeze(Object.create(null) as Record<string, unknown>);

/**
 * Drops from a schema what execution does not use: the SDL's syntax tree, which takes as much memory as the schema, empty
 * objects, and equal descriptions. Fields with directives of federation keep their part of the tree, because execution reads
 * these; the scopes of fields are read from the supergraph.
 */
export function compact(schema: GraphQLSchema): GraphQLSchema {
  const descriptions = new Map<string, string>();
  const once = (description: string): string => {
    const known = descriptions.get(description);
    if (known !== undefined) return known;
    const text = ownText(description);
    descriptions.set(text, text);
    return text;
  };
  const compactAll = (parts: readonly Part[]): void => {
    for (const part of parts) {
      compactPart(part);
      if (part.description) part.description = once(part.description);
    }
  };
  compactAll([schema]);
  for (const directive of schema.getDirectives()) compactAll([directive, ...directive.args]);
  for (const type of Object.values(schema.getTypeMap())) {
    compactAll([type]);
    if (isEnumType(type)) compactAll(type.getValues());
    if (isInputObjectType(type)) compactAll(Object.values(type.getFields()));
    if (!isObjectType(type) && !isInterfaceType(type)) continue;
    for (const field of Object.values(type.getFields())) {
      const { astNode } = field;
      compactAll([field, ...field.args]);
      const isRead = astNode?.directives?.some(({ name }) => name.value !== 'requiresScopes');
      if (isRead) field.astNode = astNode;
    }
  }
  return schema;
}

function compactPart(part: Part): void {
  part.astNode = undefined;
  if (part.extensionASTNodes) part.extensionASTNodes = [];
  if (Object.keys(part.extensions).length === 0) part.extensions = NONE;
}
