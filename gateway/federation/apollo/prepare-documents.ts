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
import { documentIdOf } from '../../../schema/graphql/trusted-manifest.ts';
import { KEPT_CHARACTERS, type DocumentCache } from '../document/document-cache.ts';
import type { CompiledExecution } from '../executor/compiled-execution.ts';
import { defaultsOf } from '../document/operation-cost.ts';

/** Of the cache of documents, half is left to those of requests. */
const MOST_CHARACTERS = KEPT_CHARACTERS / 2;

export interface Preparation {
  schema: GraphQLSchema;
  maxTokens: number;
  /** Rules beside those of GraphQL. */
  rules: readonly ValidationRule[];
  cache: DocumentCache;
  execution: CompiledExecution;
}

/**
 * Parses, validates and compiles documents before they are asked for, until half of the cache is full. Each step takes up
 * to 30 ms; requests have their turn in between. Documents that are not valid are left out: those of `$graphql` are
 * rewritten before they are.
 * @returns the number of documents that are ready, with all their operations
 */
export async function prepareDocuments(texts: Iterable<string>, means: Preparation): Promise<number> {
  let characters = 0;
  let count = 0;
  for (const text of texts) {
    characters += text.length;
    if (characters > MOST_CHARACTERS) break;
    if (await prepared(text, means)) count++;
  }
  return count;
}

async function prepared(
  text: string,
  { schema, maxTokens, rules, cache, execution }: Preparation,
): Promise<boolean> {
  const document = parsed(text, maxTokens);
  await setImmediate();
  if (!document || validate(schema, document, [...specifiedRules, ...rules]).length > 0) return false;
  await setImmediate();
  const hash = documentIdOf(text);
  await cache.set(hash, document);
  let isReady = true;
  for (const operation of document.definitions) {
    if (operation.kind !== Kind.OPERATION_DEFINITION) continue;
    const asked = { schema, document, operation, variables: defaultsOf(operation) };
    isReady = execution.prepare(hash, asked, text.includes('@defer')) && isReady;
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
