import type { GraphQLDataSource } from '@apollo/gateway';
import type { DocumentNode, FieldNode, GraphQLFormattedError, GraphQLSchema } from 'graphql';
import { getOperationAST, isObjectType, parse } from 'graphql';
import { RequestValues } from '../../../schema/process/request-values.ts';
import { collectFields } from '../document/collect-fields.ts';
import { fragmentsOf } from '../document/fragments.ts';
import type { GatewayContext, RequestScope } from '../request/request-scope.ts';

/** A fetch of a query plan. */
interface Fetch {
  schema: GraphQLSchema;
  document: DocumentNode | string;
  variables: Readonly<Record<string, unknown>>;
}

interface Answer {
  data?: Record<string, unknown> | null;
  errors?: readonly GraphQLFormattedError[];
}

const ENTITIES = '_entities';

/** Errors of fields that only subgraphs see, of the fetches of a request, by entity and field. */
const unread = new RequestValues<RequestScope, Map<string, GraphQLFormattedError>>();

/**
 * Makes a data source whose errors name fields of the graph that clients see. What a fetch needs of another subgraph may have
 * failed there: then all that it asks for fails for that reason.
 * @param schema of the subgraph
 */
export function withErrorsOfFields(
  schema: GraphQLSchema,
  { process }: GraphQLDataSource<GatewayContext>,
): GraphQLDataSource<GatewayContext> {
  return {
    async process(options) {
      const { request, context } = options as Required<typeof options>;
      const { query = '', variables = {} } = request;
      const { scope } = context;
      const known = unread.get(scope);
      const answer = (await process(options)) as Answer;
      const own = answer.errors ? withoutHidden(schema, answer, unreadOf(scope)) : answer;
      const whole = known ? withUnread(own, variables, known) : own;
      if (!whole.errors) return whole as typeof answer & object;
      const document = ('document' in options && options.document) || query;
      return { ...whole, errors: errorsOfFields({ schema, document, variables }, whole) };
    },
  };
}

function unreadOf(scope: RequestScope): Map<string, GraphQLFormattedError> {
  const known = unread.get(scope) ?? new Map<string, GraphQLFormattedError>();
  unread.set(scope, known);
  return known;
}

interface Entity extends Record<string, unknown> {
  __typename?: string;
  id?: unknown;
}

const nameOf = ({ __typename: type, id }: Entity, field: string): string => `${type} ${String(id)} ${field}`;

/** Takes the errors of fields out of an answer that clients do not see. */
function withoutHidden(
  schema: GraphQLSchema,
  answer: Answer,
  hidden: Map<string, GraphQLFormattedError>,
): Answer {
  const errors = answer.errors!.filter((error) => {
    const { path = [] } = error;
    const field = String(path.at(-1));
    let holder: unknown = answer.data;
    for (const key of path.slice(0, -1)) holder = (holder as Record<string, unknown> | undefined)?.[key];
    const entity = (holder ?? {}) as Entity;
    const type = schema.getType(entity.__typename ?? '');
    const { astNode } = (isObjectType(type) && type.getFields()[field]) || {};
    if (!astNode?.directives?.some(({ name }) => name.value === 'inaccessible')) return true;
    hidden.set(nameOf(entity, field), error);
    return false;
  });
  return { ...answer, errors };
}

/** Makes entities null for which another subgraph could not read what they need. */
function withUnread(
  answer: Answer,
  { representations = [] }: { representations?: readonly Entity[] },
  known: ReadonlyMap<string, GraphQLFormattedError>,
): Answer {
  const failed = new Map<number, GraphQLFormattedError>();
  for (const [index, one] of representations.entries())
    for (const field of Object.keys(one)) {
      const error = known.get(nameOf(one, field));
      if (error) failed.set(index, { ...error, path: [ENTITIES, index] });
    }
  const entities = answer.data?.[ENTITIES];
  if (failed.size === 0 || !Array.isArray(entities)) return answer;
  const others = (answer.errors ?? []).filter(({ path = [] }) => !failed.has(Number(path[1] ?? -1)));
  return {
    data: { [ENTITIES]: entities.map((one: unknown, index) => (failed.has(index) ? null : one)) },
    errors: [...others, ...failed.values()],
  };
}

/**
 * Returns the errors of an answer so that each names a field: one of the whole fetch, or of an entity that is null, becomes an
 * error of each field that was asked for there.
 */
function errorsOfFields(fetch: Fetch, { data, errors = [] }: Answer): GraphQLFormattedError[] {
  const entities = data?.[ENTITIES] as readonly unknown[] | undefined;
  const isNull = (index: number) => !entities || (entities[index] ?? null) === null;
  const askedFor = fieldsOf(fetch);
  return errors.flatMap((error) => {
    const [root, index] = error.path ?? [];
    const ofAll = root === undefined || (root === ENTITIES && index === undefined);
    const ofEntity = root === ENTITIES && typeof index === 'number' && isNull(index);
    if (ofAll ? data && !(ENTITIES in data) : !ofEntity) return [error];
    return askedFor().flatMap(({ path, name }) =>
      ofAll || path[1] === index ? [{ ...error, path: [...path, name] }] : [],
    );
  });
}

/** A field of a fetch, and the path to the object that has it. */
interface AskedField {
  path: readonly (string | number)[];
  name: string;
}

/** Returns the fields of a fetch, found once: those of its root or, where it asks for entities, of each of them. */
function fieldsOf({ schema, document: asked, variables }: Fetch): () => readonly AskedField[] {
  const find = (): AskedField[] => {
    const document = typeof asked === 'string' ? parse(asked, { noLocation: true }) : asked;
    const from = { schema, fragments: fragmentsOf(document), variables, defers: false };
    const selected = (typeName: string, nodes: readonly Pick<FieldNode, 'selectionSet'>[]) => {
      const type = schema.getType(typeName);
      const sets = nodes.flatMap(({ selectionSet }) => selectionSet ?? []);
      const fields = isObjectType(type) ? [...collectFields(from, type, sets).fields] : [];
      return fields.filter(([name]) => name !== '__typename');
    };
    return selected('Query', [getOperationAST(document)!]).flatMap(([name, nodes]): AskedField[] => {
      if (name !== ENTITIES) return [{ path: [], name }];
      const { representations } = variables as { representations: readonly { __typename: string }[] };
      return representations.flatMap(({ __typename: type }, index) =>
        selected(type, nodes).map(([name]) => ({ path: [ENTITIES, index], name })),
      );
    });
  };
  let found: AskedField[] | undefined;
  return () => (found ??= find());
}
