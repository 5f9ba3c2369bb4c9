import type {
  ArgumentNode,
  DocumentNode,
  FieldNode,
  OperationDefinitionNode,
  SelectionSetNode,
  VariableDefinitionNode,
} from 'graphql';
import {
  getOperationAST,
  Kind,
  parseType,
  print,
  separateOperations,
  valueFromASTUntyped,
  visit,
} from 'graphql';
import { Fault } from '../../../schema/fault/fault.ts';
import { queriesOnly } from '../../../schema/fault/refusals.ts';
import type { Limits } from '../document/limits.ts';
import { defaultsOf } from '../document/operation-cost.ts';
import { parseDocument } from '../document/parse-document.ts';

/** A query whose rows are streamed. */
export interface StreamedQuery {
  /** The query of one page: its variables `COUNT` and `CURSOR` say which. */
  document: DocumentNode;
  text: string;
  operation: OperationDefinitionNode;
  /** Values of the client's variables, with defaults. */
  variables: Readonly<Record<string, unknown>>;
  /** Names of the answer's members down to the page: the connection, or `Patient` and the connection. */
  path: readonly string[];
  /** FHIR type of the rows. */
  type: string;
  /** Selection of one row. */
  row: SelectionSetNode;
  /** The client's `_count` and `_cursor`. */
  count?: number;
  cursor?: string;
}

/** Names of the variables of the query of one page. */
export const COUNT = '_streamCount';
export const CURSOR = '_streamCursor';

const CONNECTION = /^([A-Z]\w*)Connection$/;

const HOW =
  'A stream has the rows of one connection: write { ObservationConnection { edges { resource { … } } } }, or that ' +
  'connection alone below Patient(id: …). Leave out other fields, or ask for JSON.';

/**
 * Finds the one connection of a query, and makes the query of one page of it. Of the connection, only its rows are kept.
 * The query is not validated yet: no fragment is unfolded here.
 * @throws Fault `invalid_request` for a query that has not exactly one connection
 */
export function streamedQuery(
  text: string,
  { operationName, variables, limits }: { operationName?: string; variables: object; limits: Limits },
): StreamedQuery {
  const document = parseDocument(text, limits);
  const operation = getOperationAST(document, operationName);
  if (!operation) {
    throw new Fault('invalid_request', 'operationName must name one operation of the document.');
  }
  if (operation.operation !== 'query') throw queriesOnly();
  const root = only(operation.selectionSet);
  const patient = root.name.value === 'Patient' ? root : undefined;
  const connection = patient ? only(patient.selectionSet) : root;
  const edges = only(connection.selectionSet, 'edges');
  const resource = only(edges.selectionSet, 'resource');
  const [, type] = CONNECTION.exec(connection.name.value) ?? [];
  if (type === undefined || !resource.selectionSet || connectionsIn(resource, document)) {
    throw new Fault('invalid_request', HOW);
  }

  const page: FieldNode = {
    ...plain(connection),
    arguments: [
      ...(connection.arguments ?? []).filter(({ name }) => !['_count', '_cursor'].includes(name.value)),
      ...argumentsOfPage,
    ],
    selectionSet: setOf(fieldOf('next'), { ...plain(edges), selectionSet: setOf(plain(resource)) }),
  };
  const selectionSet = setOf(patient ? { ...plain(patient), selectionSet: setOf(page) } : page);
  const rewritten = withUsedVariables({ ...operation, selectionSet }, document);
  const values = { ...defaultsOf(operation), ...variables };
  const given = (name: string): unknown => {
    const argument = connection.arguments?.find((one) => one.name.value === name);
    return argument && valueFromASTUntyped(argument.value, values);
  };
  const [count, cursor] = [given('_count'), given('_cursor')];
  return {
    document: rewritten.document,
    operation: rewritten.operation,
    text: print(rewritten.document),
    variables: values,
    path: patient ? ['Patient', connection.name.value] : [connection.name.value],
    type,
    row: resource.selectionSet,
    ...(typeof count === 'number' && { count }),
    ...(typeof cursor === 'string' && { cursor }),
  };
}

/** Returns the only field of a selection, or the only one of a name. @throws Fault `invalid_request` */
function only(set: SelectionSetNode | undefined, name?: string): FieldNode {
  const found = (set?.selections ?? []).filter(
    (one) => name === undefined || (one.kind === Kind.FIELD && one.name.value === name),
  );
  const [field] = found;
  if (found.length !== 1 || field?.kind !== Kind.FIELD) throw new Fault('invalid_request', HOW);
  return field;
}

/** Returns true for a connection within a row. Fragments are looked through even if the row does not use them. */
function connectionsIn(resource: FieldNode, { definitions }: DocumentNode): boolean {
  let found = false;
  const Field = ({ name }: FieldNode) => void (found ||= CONNECTION.test(name.value));
  visit(resource, { Field });
  for (const one of definitions) if (one.kind === Kind.FRAGMENT_DEFINITION) visit(one, { Field });
  return found;
}

/** Returns a field under its own name. */
const plain = ({ alias: _, ...field }: FieldNode): FieldNode => field;
const fieldOf = (name: string): FieldNode => ({ kind: Kind.FIELD, name: { kind: Kind.NAME, value: name } });
const setOf = (...selections: FieldNode[]): SelectionSetNode => ({ kind: Kind.SELECTION_SET, selections });
const variable = (name: string) => ({ kind: Kind.VARIABLE, name: { kind: Kind.NAME, value: name } }) as const;
const argument = (name: string, value: string): ArgumentNode => ({
  kind: Kind.ARGUMENT,
  name: { kind: Kind.NAME, value: name },
  value: variable(value),
});
const definition = (name: string, type: string): VariableDefinitionNode => ({
  kind: Kind.VARIABLE_DEFINITION,
  variable: variable(name),
  type: parseType(type),
});
const argumentsOfPage = [argument('_count', COUNT), argument('_cursor', CURSOR)];

/** Returns the operation with the variables and fragments that it still uses: GraphQL refuses others. */
function withUsedVariables(operation: OperationDefinitionNode, { definitions }: DocumentNode) {
  const fragments = definitions.filter(({ kind }) => kind === Kind.FRAGMENT_DEFINITION);
  const name = operation.name?.value ?? '';
  const alone = separateOperations({ kind: Kind.DOCUMENT, definitions: [operation, ...fragments] })[name]!;
  const used = new Set<string>();
  // The definitions of variables name them too.
  const Variable = ({ name }: { name: { value: string } }) => void used.add(name.value);
  visit(alone, { VariableDefinition: () => false, Variable });
  const own = operation.variableDefinitions?.filter((one) => used.has(one.variable.name.value)) ?? [];
  const rewritten: OperationDefinitionNode = {
    ...operation,
    variableDefinitions: [...own, definition(COUNT, 'Int'), definition(CURSOR, 'ID')],
  };
  const document: DocumentNode = {
    ...alone,
    definitions: alone.definitions.map((one) => (one.kind === Kind.OPERATION_DEFINITION ? rewritten : one)),
  };
  return { document, operation: rewritten };
}
