import type { DefinitionNode, FieldNode } from 'graphql';
import { GraphQLError, Kind, parse, print } from 'graphql';
import { Fault } from '../../schema/fault/fault.ts';
import { queriesOnly } from '../../schema/fault/refusals.ts';

/**
 * Rewrites a query of FHIR's instance-level GraphQL (`/Patient/1/$graphql`), whose selection starts at the resource:
 * `{ id birthDate }` becomes `{ resource: Patient(id: "1") { id birthDate } }`.
 * @throws Fault `invalid_request` for a document that does not parse or is not a query
 */
export function instanceQuery(query: string, type: string, id: string, maxTokens: number): string {
  let definitions: readonly DefinitionNode[];
  try {
    ({ definitions } = parse(query, { noLocation: true, maxTokens }));
  } catch (error) {
    throw new Fault(
      'invalid_request',
      error instanceof GraphQLError ? error.message : 'The query does not parse.',
    );
  }
  return print({
    kind: Kind.DOCUMENT,
    definitions: definitions.map((definition) => {
      if (definition.kind !== Kind.OPERATION_DEFINITION) return definition;
      if (definition.operation !== 'query') throw queriesOnly();
      const { selectionSet } = definition;
      return {
        ...definition,
        selectionSet: { kind: Kind.SELECTION_SET, selections: [resourceField(type, id, selectionSet)] },
      };
    }),
  });
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

interface Result {
  data?: Record<string, unknown> | null;
  errors?: { path?: unknown[]; extensions?: { paths?: unknown[][] } }[];
}

/** Makes the resource the root of the answer to an instance query: `data` has its fields, paths start in it. */
export function instanceResult(text: string): string {
  const result = JSON.parse(text) as Result;
  if (result.data) result.data = (result.data[RESOURCE] ?? null) as Result['data'];
  for (const error of result.errors ?? []) {
    if (error.path?.[0] !== RESOURCE) continue;
    error.path.shift();
    for (const path of error.extensions?.paths ?? []) path.shift();
    // GraphQL §7.1.4 has no path for the root.
    if (error.path.length === 0) delete error.path;
  }
  return JSON.stringify(result);
}
