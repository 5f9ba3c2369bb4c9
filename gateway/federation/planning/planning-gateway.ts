import type { ServiceMap } from '@apollo/gateway';
import type { ApolloServerOptionsWithGateway, BaseContext } from '@apollo/server';
import { buildASTSchema, getVariableValues, parse, print, type GraphQLSchema } from 'graphql';
import { setImmediate } from 'node:timers/promises';
import { compact } from '../../../schema/graphql/compact.ts';
import { utf8 } from '../../../schema/process/texts.ts';
import type { GatewayContext, RequestScope } from '../request/request-scope.ts';
import type { Operation } from '../executor/operation.ts';
import type { Operations } from '../executor/operations.ts';
import { reducedOperation } from '../scopes/reduced-operation.ts';
import { Planner, type SchemaTexts } from './planner.ts';
import type { Executor, PlannedExecution } from './planned-execution.ts';

type Gateway = ApolloServerOptionsWithGateway<BaseContext>['gateway'];
type Listener = Parameters<Gateway['onSchemaLoadOrUpdate']>[0];

interface PlanningOptions extends SchemaTexts {
  services: ServiceMap;
  /** Keep the plans. */
  operations: Operations;
  onExecute?: (() => void) | undefined;
}

/**
 * Plans operations over a fixed supergraph with Apollo's query planner, and executes the plans with Apollo's executor. It
 * does what `ApolloGateway` does for a fixed supergraph, with a part of its memory: the planner is in a thread, the executor
 * is loaded with the first plan, and no syntax tree of the SDL is kept.
 */
export class PlanningGateway implements Gateway {
  readonly #texts: SchemaTexts;
  readonly #services: ServiceMap;
  readonly #operations: Operations;
  readonly #schema: GraphQLSchema;
  readonly #planner: Planner;
  readonly #onExecute: (() => void) | undefined;
  #execution: Promise<PlannedExecution> | undefined;

  /** @param options the supergraph is not validated again; `onExecute` is called for each execution of a plan */
  constructor({ services, operations, onExecute, ...texts }: PlanningOptions) {
    this.#onExecute = onExecute;
    this.#texts = texts;
    this.#services = services;
    this.#operations = operations;
    this.#planner = new Planner(texts);
    const api = parse(utf8(texts.apiSdl), { noLocation: true });
    this.#schema = compact(buildASTSchema(api, { assumeValid: true, assumeValidSDL: true }));
  }

  /** The API schema. */
  get schema(): GraphQLSchema {
    return this.#schema;
  }

  /** Tells a listener the schema, which never changes. */
  onSchemaLoadOrUpdate(listener: Listener): () => void {
    // Apollo reads the supergraph only to report it, which this gateway never does.
    listener({ apiSchema: this.#schema, coreSupergraphSdl: '' });
    return () => undefined;
  }

  async load(): Promise<{ executor: Executor }> {
    return { executor: (asked) => this.#execute(asked) };
  }

  async stop(): Promise<void> {
    await this.#planner.close();
  }

  async #execute(asked: Parameters<Executor>[0]): ReturnType<Executor> {
    const { request, operation, document, source } = asked;
    const { variables = {} } = request;
    const schema = this.#schema;
    const { errors } = getVariableValues(schema, operation.variableDefinitions ?? [], variables);
    if (errors) return { errors };
    const { scope } = asked.context as GatewayContext;
    const known = this.#operations.of({ source, schema, document, operation });
    const refusals = known.facts.refusals(scope.access);
    if (!refusals) return this.#planned(asked, scope, known);
    const reduced = reducedOperation(known.asked(variables), refusals);
    const answer = await this.#planned(
      { ...asked, document: reduced.document, operation: reduced.operation, source: print(reduced.document) },
      scope,
      known,
      refusals.key,
    );
    const refused = reduced.refuse(answer.data, scope);
    return refused.length > 0 ? { ...answer, errors: [...(answer.errors ?? []), ...refused] } : answer;
  }

  /** @param key of the plan among those of the operation */
  async #planned(
    asked: Parameters<Executor>[0],
    { explanation }: RequestScope,
    known: Operation,
    key = '',
  ): ReturnType<Executor> {
    const { request, source } = asked;
    const { operationName } = request;
    // Loaded while the first plan is made.
    this.#execution ??= this.#loadExecution();
    const [execution, plan] = await Promise.all([
      this.#execution,
      known.plan(key, () => this.#planner.plan({ source, operationName })),
    ]);
    if (explanation) explanation.plan = { kind: 'planned', text: execution.written(plan) };
    this.#onExecute?.();
    return execution.execute(plan, asked);
  }

  async #loadExecution(): Promise<PlannedExecution> {
    // Loaded in parts, so that other requests have their turn in between.
    await import('@apollo/federation-internals');
    await setImmediate();
    await import('@apollo/query-planner');
    await setImmediate();
    const { plannedExecution } = await import('./planned-execution.ts');
    await setImmediate();
    return plannedExecution(this.#schema, utf8(this.#texts.apiSdl), this.#services);
  }
}
