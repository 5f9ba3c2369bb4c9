import type { ApolloServerPlugin, GraphQLRequestContext } from '@apollo/server';
import type {
  DocumentNode,
  FieldNode,
  GraphQLError,
  GraphQLFieldResolver,
  GraphQLFormattedError,
  GraphQLSchema,
  OperationDefinitionNode,
} from 'graphql';
import { defaultFieldResolver, execute, isObjectType, isUnionType } from 'graphql';
import { setImmediate } from 'node:timers/promises';
import { AnswerBudget } from '../../schema/graphql/answer-budget.ts';
import { strictScalars } from '../../schema/graphql/fhir-scalars.ts';
import { Fault } from '../../schema/fault/fault.ts';
import { responseWith, type AskedOperation } from './asked-operation.ts';
import { formatError } from './format-error.ts';
import { fieldOwners, ownField, type FieldOwners, type SubgraphSchemas } from './field-owners.ts';
import { coreOf, formatted, type LocalSubgraph, type ServiceName } from './local-data-source.ts';
import type { GatewayContext } from './request-scope.ts';

type Resolver = GraphQLFieldResolver<unknown, DirectContext>;
/** Errors are written for the caller. */
interface Answered {
  data: Record<string, unknown> | null;
  errors?: readonly GraphQLFormattedError[];
}

/** The context of one execution: the contexts of both subgraphs' resolvers, and the subgraph that resolves each field. */
interface DirectContext {
  owners: FieldOwners;
  partial: GraphQLError[];
  request: object;
  budget: AnswerBudget;
}

/**
 * Executes an operation without a plan when a subgraph of this process resolves every field from the object around it.
 * This is one pass over both subgraphs' resolvers, instead of one for each fetch and one to merge them. The gateway plans
 * an operation that needs more. A field that fails is null with the same error as in a planned answer.
 * @param fields limit of the fields that the lists of one answer may hold
 */
export function directExecution(
  subgraphs: Readonly<Record<ServiceName, LocalSubgraph>>,
  fields: number,
): ApolloServerPlugin<GatewayContext> {
  const schemas = { clinical: subgraphs.clinical.schema, imaging: subgraphs.imaging.schema };
  const owned = new WeakMap<DocumentNode, Map<OperationDefinitionNode, FieldOwners | undefined>>();
  const ownersOf = ({ schema, document, operation }: AskedOperation): FieldOwners | undefined => {
    let known = owned.get(document);
    if (!known) owned.set(document, (known = new Map<OperationDefinitionNode, FieldOwners | undefined>()));
    if (!known.has(operation)) known.set(operation, fieldOwners(schema, schemas, document, operation));
    return known.get(operation);
  };

  /** @returns undefined where the gateway has to plan */
  const run = async (asked: AskedOperation, { scope }: GatewayContext): Promise<Answered | undefined> => {
    const owners = ownersOf(asked);
    if (!owners) return undefined;
    if (scope.explanation) scope.explanation.plan = { kind: 'direct' };
    const partial: GraphQLError[] = [];
    const budget = new AnswerBudget(fields);
    const cores = [...new Set(owners.values())].map((name) => [name, coreOf(name, subgraphs[name], scope)]);
    const { data = null, errors = [] } = await execute({
      schema: asked.schema,
      document: asked.document,
      operationName: asked.operation.name?.value,
      variableValues: asked.variables,
      contextValue: { ...Object.fromEntries(cores), ...{ owners, partial, request: scope, budget } },
    });
    // Validation has used much of this turn of the event loop.
    await setImmediate();
    const { aborted, reason } = scope.signal;
    // The client has left.
    if (aborted && !(reason instanceof Fault)) return { data: null };
    // Planned execution then refuses it before it does the same work again.
    if (budget.isExceeded) {
      scope.budget.charge(fields + 1);
      return undefined;
    }
    const written = [
      ...inOrder(errors, owners).map(([error, service]) => formatted(error, service, scope)),
      // A fault that does not name its service is of the images: of the record only whole fields fail.
      ...partial.map((error) => formatted(error, 'imaging', scope)),
    ].map((error) => formatError(error, error));
    return { ...(written.length > 0 && { errors: written }), data };
  };

  // One for all requests: it holds nothing of any.
  const listener = {
    async responseForOperation(context: GraphQLRequestContext<GatewayContext>) {
      const { schema, document, operation, request, contextValue } = context;
      const variables = request.variables ?? {};
      const asked = { schema, document: document!, operation: operation!, variables };
      const found = await run(asked, contextValue);
      return found ? responseWith(found) : null;
    },
  };
  return {
    serverWillStart: async () => ({
      schemaDidLoadOrUpdate: ({ apiSchema }) => addResolvers(apiSchema, schemas),
    }),
    requestDidStart: async () => listener,
  };
}

/** Returns errors with the subgraph that made each, those of the first field's subgraph first. */
function inOrder(errors: readonly GraphQLError[], owners: FieldOwners): [GraphQLError, ServiceName][] {
  const [first] = owners.values();
  const made = errors.map((error): [GraphQLError, ServiceName] => [
    error,
    owners.get(error.nodes?.[0] as FieldNode) ?? first!,
  ]);
  return [...made.filter(([, name]) => name === first), ...made.filter(([, name]) => name !== first)];
}

/** Sets the resolvers of the subgraphs on the fields of the API schema. */
function addResolvers(schema: GraphQLSchema, subgraphs: SubgraphSchemas): void {
  strictScalars(schema);
  for (const type of Object.values(schema.getTypeMap())) {
    if (isUnionType(type)) type.resolveType = unionIn(subgraphs, type.name)?.resolveType;
    if (!isObjectType(type) || type.name.startsWith('__')) continue;
    for (const [name, field] of Object.entries(type.getFields())) {
      field.resolve = resolverOf(subgraphs, type.name, name) as typeof field.resolve;
    }
  }
}

function unionIn({ clinical, imaging }: SubgraphSchemas, name: string) {
  return [clinical.getType(name), imaging.getType(name)].find(isUnionType);
}

/** Returns the resolver of the subgraph that has the field; where both have it, one that asks the owner of the field. */
function resolverOf(subgraphs: SubgraphSchemas, type: string, field: string): Resolver | undefined {
  const clinical = ownField(subgraphs.clinical, type, field);
  const imaging = ownField(subgraphs.imaging, type, field);
  if (!clinical || !imaging) return (clinical ?? imaging)?.resolve as Resolver | undefined;
  const resolvers = { clinical: clinical.resolve, imaging: imaging.resolve };
  if (!resolvers.clinical && !resolvers.imaging) return undefined;
  return (source, args, context, info) =>
    (resolvers[context.owners.get(info.fieldNodes[0]!)!] ?? defaultFieldResolver)(
      source,
      args,
      context,
      info,
    );
}
