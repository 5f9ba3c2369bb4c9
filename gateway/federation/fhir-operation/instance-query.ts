import type { DocumentNode, FieldNode } from 'graphql';
import { Kind } from 'graphql';
import { queriesOnly } from '../../../schema/fault/refusals.ts';
import type { Answer } from './answer.ts';

/**
 * Rewrites a query of FHIR's instance-level GraphQL (`/Patient/1/$graphql`), whose selection starts at the resource:
 * `{ id birthDate }` becomes `{ resource: Patient(id: "1") { id birthDate } }`.
 * @param type a resource type of the graph
 * @throws Fault `invalid_request` for a document that is not a query
 */
export function instanceQuery(document: DocumentNode, type: string, id: string): DocumentNode {
  return {
    kind: Kind.DOCUMENT,
    definitions: document.definitions.map((definition) => {
      if (definition.kind !== Kind.OPERATION_DEFINITION) return definition;
      if (definition.operation !== 'query') throw queriesOnly();
      const { selectionSet } = definition;
      return {
        ...definition,
        selectionSet: { kind: Kind.SELECTION_SET, selections: [resourceField(type, id, selectionSet)] },
      };
    }),
  };
}

function resourceField(type: string, id: string, selectionSet: FieldNode['selectionSet']): FieldNode {
  return {
    kind: Kind.FIELD,
    alias: { kind: Kind.NAME, value: RESOURCE },
    name: { kind: Kind.NAME, value: type },
    arguments: [
      {
        kind: Kind.ARGUMENT,
        name: { kind: Kind.NAME, value: 'id' },
        value: { kind: Kind.STRING, value: id },
      },
    ],
    ...(selectionSet && { selectionSet }),
  };
}

const RESOURCE = 'resource';

/** Makes the resource the root of the answer to an instance query: `data` has its fields, paths start in it. */
export function unwrapInstance(answer: Answer): void {
  if (answer.data) answer.data = (answer.data[RESOURCE] ?? null) as Answer['data'];
  for (const error of answer.errors ?? []) {
    if (error.path?.[0] !== RESOURCE) continue;
    error.path.shift();
    // GraphQL §7.1.4 has no path for the root.
    if (error.path.length === 0) delete error.path;
  }
}
