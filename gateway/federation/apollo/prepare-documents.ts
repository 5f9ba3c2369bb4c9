import {
  Kind,
  parse,
  specifiedRules,
  validate,
  type DocumentNode,
  type GraphQLSchema,
  type ValidationRule,
} from 'graphql';
import { setImmediate } from 'node:timers/promises';
import type { CompiledExecution } from '../executor/compiled-execution.ts';
import { KEPT_BYTES, type Operations } from '../executor/operations.ts';

export interface Preparation {
  schema: GraphQLSchema;
  maxTokens: number;
  /** Rules beside those of GraphQL. */
  rules: readonly ValidationRule[];
  operations: Operations;
  execution: CompiledExecution;
}

/**
 * Parses, validates and compiles documents before they are asked for, until half of the memory for them is full. Each
 * step takes up to 30 ms; requests have their turn in between. Documents that are not valid are left out: those of
 * `$graphql` are rewritten before they are.
 * @returns the number of documents that are ready, with all their operations
 */
export async function prepareDocuments(texts: Iterable<string>, means: Preparation): Promise<number> {
  let count = 0;
  for (const text of texts) {
    if (means.operations.bytes > KEPT_BYTES / 2) break;
    if (await prepared(text, means)) count++;
  }
  return count;
}

async function prepared(
  text: string,
  { schema, maxTokens, rules, operations, execution }: Preparation,
): Promise<boolean> {
  const document = parsed(text, maxTokens);
  await setImmediate();
  if (!document || validate(schema, document, [...specifiedRules, ...rules]).length > 0) return false;
  await setImmediate();
  let isReady = true;
  for (const operation of document.definitions) {
    if (operation.kind !== Kind.OPERATION_DEFINITION) continue;
    const known = operations.of({ source: text, schema, document, operation });
    isReady = execution.prepare(known, text.includes('@defer')) && isReady;
    await setImmediate();
  }
  return isReady;
}

function parsed(text: string, maxTokens: number): DocumentNode | undefined {
  try {
    return parse(text, { maxTokens });
  } catch {
    return undefined;
  }
}
