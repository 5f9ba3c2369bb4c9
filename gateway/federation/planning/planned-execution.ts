/** Executes plans. It is loaded with the first plan: it brings 40 MB, and most operations are executed directly. */
import { executeQueryPlan, type ServiceMap } from '@apollo/gateway';
import { prettyFormatQueryPlan, type QueryPlan } from '@apollo/query-planner';
import type { ApolloServerOptionsWithGateway, BaseContext } from '@apollo/server';
import type { GraphQLSchema } from 'graphql';
import { apiSchemaOf } from './api-schema.ts';
import { fragmentsOf } from '../document/fragments.ts';

type Gateway = ApolloServerOptionsWithGateway<BaseContext>['gateway'];
/** Answers an operation for Apollo Server. */
export type Executor = NonNullable<Awaited<ReturnType<Gateway['load']>>['executor']>;

export type PlannedExecution = ReturnType<typeof plannedExecution>;

/** Returns what executes plans over the subgraphs. */
export function plannedExecution(schema: GraphQLSchema, apiSdl: string, services: ServiceMap) {
  const apiSchema = apiSchemaOf(apiSdl);
  return {
    /** Writes a plan as a tree: each fetch with its subgraph and its query, in the order of execution. */
    written: (plan: QueryPlan): string => prettyFormatQueryPlan(plan),
    execute(plan: QueryPlan, asked: Parameters<Executor>[0]): ReturnType<Executor> {
      const { document, operation } = asked;
      const context = { schema, operation, fragments: Object.fromEntries(fragmentsOf(document)) };
      // The executor needs only the types of the supergraph, and those are the types of the API.
      return executeQueryPlan(plan, services, asked, context, schema, apiSchema);
    },
  };
}
