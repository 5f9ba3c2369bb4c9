import {
  buildSchemaFromAST,
  operationFromDocument,
  Supergraph,
  type Schema,
} from '@apollo/federation-internals';
import type { ServiceMap } from '@apollo/gateway';
import { QueryPlanner, type QueryPlan } from '@apollo/query-planner';
import type { ApolloServerOptionsWithGateway, BaseContext } from '@apollo/server';
import { buildASTSchema, getVariableValues, parse, type GraphQLSchema } from 'graphql';
import { LRUCache } from 'lru-cache';
import { withoutAst } from '../../schema/graphql/without-ast.ts';
import { fragmentsOf } from './fragments.ts';

type Gateway = ApolloServerOptionsWithGateway<BaseContext>['gateway'];
type Listener = Parameters<Gateway['onSchemaLoadOrUpdate']>[0];
type Executor = NonNullable<Awaited<ReturnType<Gateway['load']>>['executor']>;
type Asked = Parameters<Executor>[0];

/** Characters of all kept plans, written as JSON. */
const KEPT_PLANS = 8 * 1024 * 1024;

export interface PlanningGatewayOptions {
  /** The composed supergraph, which is not validated again. */
  supergraphSdl: string;
  /** The API schema of the same composition. */
  apiSdl: string;
  services: ServiceMap;
}

/**
 * Plans operations over a fixed supergraph with Apollo's query planner, and executes the plans with Apollo's executor. It
 * does what `ApolloGateway` does for a fixed supergraph, with half of its memory: it keeps no syntax tree of the SDL, no
 * executable schema of the supergraph, and does not print and parse the API schema at the start.
 */
export class PlanningGateway implements Gateway {
  readonly #supergraphSdl: string;
  readonly #services: ServiceMap;
  readonly #schema: GraphQLSchema;
  readonly #apiSchema: Schema;
  readonly #planner: QueryPlanner;
  readonly #plans = new LRUCache<string, QueryPlan>({
    ...{ maxSize: KEPT_PLANS, sizeCalculation: (plan) => JSON.stringify(plan).length },
  });

  constructor({ supergraphSdl, apiSdl, services }: PlanningGatewayOptions) {
    this.#supergraphSdl = supergraphSdl;
    this.#services = services;
    const document = parse(supergraphSdl, { noLocation: true });
    const supergraph = Supergraph.build(document, { validateSupergraph: false });
    this.#planner = new QueryPlanner(supergraph);
    const api = parse(apiSdl, { noLocation: true });
    // The supergraph could derive it, but would validate it, which takes three times as long.
    this.#apiSchema = buildSchemaFromAST(api, { validate: false });
    this.#apiSchema.assumeValid();
    this.#schema = withoutAst(buildASTSchema(api, { assumeValid: true, assumeValidSDL: true }));
  }

  /** Tells a listener the schema, which never changes. */
  onSchemaLoadOrUpdate(listener: Listener): () => void {
    listener({ apiSchema: this.#schema, coreSupergraphSdl: this.#supergraphSdl });
    return () => undefined;
  }

  async load(): Promise<{ executor: Executor }> {
    return { executor: (asked) => this.#execute(asked) };
  }

  async stop(): Promise<void> {}

  async #execute(asked: Asked): ReturnType<Executor> {
    const { request, document, operation } = asked;
    const schema = this.#schema;
    const { errors } = getVariableValues(
      schema,
      operation.variableDefinitions ?? [],
      request.variables ?? {},
    );
    if (errors) return { errors };
    const context = { schema, operation, fragments: Object.fromEntries(fragmentsOf(document)) };
    // Loaded when a plan is first executed: it brings 30 MB of modules, and most operations are executed directly.
    const { executeQueryPlan } = await import('@apollo/gateway');
    // The executor needs only the types of the supergraph, and those are the types of the API.
    return executeQueryPlan(this.#planOf(asked), this.#services, asked, context, schema, this.#apiSchema);
  }

  #planOf({ queryHash, document, request: { operationName } }: Asked): QueryPlan {
    const key = `${queryHash}\n${operationName ?? ''}`;
    let plan = this.#plans.get(key);
    if (!plan) {
      const name = operationName === undefined ? {} : { operationName };
      plan = this.#planner.buildQueryPlan(operationFromDocument(this.#apiSchema, document, name));
      this.#plans.set(key, plan);
    }
    return plan;
  }
}
