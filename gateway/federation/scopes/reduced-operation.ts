import type { DocumentNode, FieldNode, OperationDefinitionNode } from 'graphql';
import { GraphQLError, Kind, visit } from 'graphql';
import { faultExtensions } from '../../../schema/fault/fault.ts';
import type { AskedOperation } from '../document/asked-operation.ts';
import type { RequestScope } from '../request/request-scope.ts';
import type { Refusals } from './field-scopes.ts';
import { refuseField } from './refuse-field.ts';
import { refusedFields, type FieldRefusal } from './refused-fields.ts';

/** An operation without the fields that are refused, for an executor that does not know of scopes. */
export interface ReducedOperation {
  document: DocumentNode;
  operation: OperationDefinitionNode;
  /**
   * Makes the refused fields null in the data of the reduced operation.
   * @returns their errors, one for each object that has the field
   */
  refuse(data: unknown, scope: RequestScope): GraphQLError[];
}

/** Replaces each refused field of an operation by the name of its type, which no source is asked for. */
export function reducedOperation(asked: AskedOperation, refusals: Refusals): ReducedOperation {
  const refused = refusedFields(asked, refusals);
  const nodes = new Set(refused.flatMap((field) => field.nodes));
  const document = visit(asked.document, {
    Field: (node) => (nodes.has(node) ? typeNameOf(node) : undefined),
  });
  // The visitor copies what it changes.
  const operation = document.definitions[asked.document.definitions.indexOf(asked.operation)];
  return {
    document,
    operation: operation as OperationDefinitionNode,
    refuse: (data, scope) => refused.flatMap((field) => refusedIn(data, field, scope)),
  };
}

function typeNameOf({ alias, name, directives = [] }: FieldNode): FieldNode {
  const typeName = { kind: Kind.NAME, value: '__typename' } as const;
  return { kind: Kind.FIELD, alias: alias ?? name, name: typeName, directives };
}

function refusedIn(data: unknown, field: FieldRefusal, scope: RequestScope): GraphQLError[] {
  const errors: GraphQLError[] = [];
  const last = field.path.length - 1;
  const refuse = (value: unknown, depth: number, path: readonly (string | number)[]): void => {
    if (Array.isArray(value)) value.forEach((item, index) => refuse(item, depth, [...path, index]));
    else if (typeof value === 'object' && value !== null) {
      const members = value as Record<string, unknown>;
      const name = field.path[depth]!;
      if (depth < last) return refuse(members[name], depth + 1, [...path, name]);
      // Another type of a union may have another field under this name.
      if (members[name] !== field.parent) return;
      members[name] = null;
      const fault = refuseField(scope, { ...field, source: members });
      const extensions = { service: field.need.service, ...faultExtensions(fault) };
      errors.push(new GraphQLError(fault.message, { path: [...path, name], extensions }));
    }
  };
  refuse(data, 0, []);
  return errors;
}
