import { readFileSync } from 'node:fs';
import { Kind, parse, print, visit, type ASTNode, type TypeNode } from 'graphql';

/** The committed supergraph. */
export const supergraphSdl = readFileSync(
  new URL('../../schema/supergraph.graphql', import.meta.url),
  'utf8',
);

const KEPT = new Set([
  'Query',
  'Patient',
  'Condition',
  'Encounter',
  'ImagingStudy',
  'CodeableConcept',
  'ConditionReferencingPatient',
  'ImagingStudyReferencingPatient',
  'date',
  'dateTime',
  'ID',
  'String',
  'Int',
  'Boolean',
  'Float',
]);

/** Returns the committed supergraph with a few types only: it is checked and started in a tenth of the time. */
export function smallSupergraph(): string {
  const isKept = (name: string) => KEPT.has(name) || name.includes('__');
  return print(
    visit(parse(supergraphSdl, { noLocation: true }), {
      enter(node: ASTNode) {
        if (node.kind === Kind.FIELD_DEFINITION || node.kind === Kind.INPUT_VALUE_DEFINITION)
          return isKept(namedType(node.type)) ? undefined : null;
        const isType = node.kind.endsWith('TypeDefinition') && 'name' in node;
        return isType && !isKept(node.name!.value) ? null : undefined;
      },
    }),
  );
}

function namedType(type: TypeNode): string {
  return type.kind === Kind.NAMED_TYPE ? type.name.value : namedType(type.type);
}

/** Returns a supergraph without a field. @param path `Type.field` */
export function withoutField(sdl: string, path: string): string {
  const [typeName, fieldName] = path.split('.');
  const changed = print(
    visit(parse(sdl, { noLocation: true }), {
      ObjectTypeDefinition(node) {
        if (node.name.value !== typeName) return false;
        return { ...node, fields: node.fields?.filter(({ name }) => name.value !== fieldName) };
      },
    }),
  );
  if (changed === print(parse(sdl, { noLocation: true }))) throw new Error(`There is no ${path}.`);
  return changed;
}
