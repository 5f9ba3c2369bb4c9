/** Runs in the thread of `Planner`. */
import { operationFromDocument, type Schema } from '@apollo/federation-internals';
import { QueryPlanner } from '@apollo/query-planner';
import { parse } from 'graphql';
import { workerData } from 'node:worker_threads';
import { utf8 } from '../../../schema/process/texts.ts';
import { apiSchemaOf } from './api-schema.ts';
import { loadedSupergraph } from './loaded-supergraph.ts';
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
  const supergraph = loadedSupergraph(utf8(supergraphSdl), { validate: false });
  return { apiSchema: apiSchemaOf(utf8(apiSdl)), queryPlanner: new QueryPlanner(supergraph) };
}
