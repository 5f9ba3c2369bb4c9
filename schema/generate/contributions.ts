import { Kind, parse, print } from 'graphql';
import type { ObjectTypeExtensionNode } from 'graphql';
import type { ObjectType } from './sdl.ts';

/**
 * Merges hand-written `extend type` definitions into the generated types. Other definitions are returned as SDL.
 * @returns SDL of the types that the contributions define themselves
 * @throws Error when the extended type does not exist; a field that exists twice fails in composition
 */
export function mergeContributions(types: Map<string, ObjectType>, contributions: string): string {
  const added: string[] = [];
  for (const definition of parse(contributions, { noLocation: true }).definitions) {
    if (definition.kind === Kind.OBJECT_TYPE_EXTENSION) extend(types, definition);
    else added.push(`${print(definition)}\n`);
  }
  return added.join('\n');
}

function extend(types: Map<string, ObjectType>, extension: ObjectTypeExtensionNode): void {
  const name = extension.name.value;
  const type = types.get(name);
  if (!type) throw new Error(`The contributions extend ${name}, which is not generated`);
  type.fields.push(...(extension.fields ?? []).map(print));
  for (const directive of (extension.directives ?? []).map(print)) {
    // A new @key turns a stub into an entity that this subgraph resolves.
    type.directives = [...type.directives.filter((own) => !own.startsWith('@key')), directive];
  }
}
