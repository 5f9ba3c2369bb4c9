/** Runs in the thread of `Planner`. */
import {
  operationFromDocument,
  ROUTER_SUPPORTED_SUPERGRAPH_FEATURES,
  Supergraph,
  type Schema,
} from '@apollo/federation-internals';
import { QueryPlanner } from '@apollo/query-planner';
import { parse } from 'graphql';
import { workerData } from 'node:worker_threads';
import { apiSchemaOf } from './api-schema.ts';
import type { PlannedOperation, SchemaTexts } from './planner.ts';

const planner = started(workerData as SchemaTexts);

/** Returns the plan of an operation in a valid document, as JSON. */
export function plan({ source, operationName }: PlannedOperation): string {
  const { apiSchema, queryPlanner } = planner;
  const name = operationName === undefined ? {} : { operationName };
  const operation = operationFromDocument(apiSchema, parse(source, { noLocation: true }), name);
  return JSON.stringify(queryPlanner.buildQueryPlan(operation));
}

function started({ supergraphSdl, apiSdl }: SchemaTexts): { apiSchema: Schema; queryPlanner: QueryPlanner } {
  const document = parse(supergraphSdl, { noLocation: true });
  // The gateway enforces `@requiresScopes` (FG-31), which Apollo's own gateway refuses to load.
  const supportedFeatures = ROUTER_SUPPORTED_SUPERGRAPH_FEATURES;
  const supergraph = Supergraph.build(document, { validateSupergraph: false, supportedFeatures });
  return { apiSchema: apiSchemaOf(apiSdl), queryPlanner: new QueryPlanner(supergraph) };
}
