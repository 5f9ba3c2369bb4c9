import { copyWith } from '../../../schema/process/copy-with.ts';
import { HeaderMap, type HTTPGraphQLResponse } from '@apollo/server';
import type { DocumentNode } from 'graphql';
import { Kind, visit } from 'graphql';
import { LRUCache } from 'lru-cache';
import { setImmediate } from 'node:timers/promises';
import { andThen, type Awaitable } from '../../../schema/process/awaitable.ts';
import type { AskedOperation, TakenOperation } from '../document/asked-operation.ts';
import { KEPT_CHARACTERS } from '../document/document-cache.ts';
import type { Answered, CompiledExecution } from '../executor/compiled-execution.ts';
import { answerText } from '../executor/written-data.ts';
import type { AskedGraphql } from '../request/asked-graphql.ts';
import { requireAffordable } from '../document/operation-cost.ts';
import { isRecord } from '../request/sent-document.ts';
import type { RequestScope } from '../request/request-scope.ts';
import { requireCovered } from '../scopes/refused-fields.ts';
import { finishAnswer, requireFewValues, type Rules } from './tenant-rules.ts';
import { requireTrusted } from '../request/trusted-documents.ts';

interface Known extends Omit<TakenOperation, 'variables'> {
  /** True when no variable changes what the operation costs, and it was found affordable. */
  isAffordable: boolean;
}

/** Characters of an answer that is written in one turn of the event loop with its execution. */
const SHORT = 100_000;

/**
 * Operations that Apollo Server has taken once: it has parsed and validated the document, and found the operation in it.
 * The rest is done here for each request, in one step: the rules of the tenant, the limits of the variables, the
 * execution. Requests that are not of the usual form go through Apollo Server again.
 */
export class KnownOperations {
  readonly #execution: CompiledExecution;
  readonly #rules: Rules;
  readonly #known = new LRUCache<string, Known>({
    maxSize: KEPT_CHARACTERS,
    sizeCalculation: (_known, text) => text.length,
  });

  constructor(execution: CompiledExecution, rules: Rules) {
    this.#execution = execution;
    this.#rules = rules;
  }

  /** Takes an operation that was executed. */
  add(
    hash: string,
    taken: Omit<AskedOperation, 'variables'> & { source: string; operationName: string | undefined },
  ): void {
    const { source, operationName, schema, document, operation } = taken;
    const key = keyOf(source, operationName);
    if (this.#known.has(key)) return;
    this.#known.set(key, { hash, schema, document, operation, isAffordable: !countsByVariable(document) });
  }

  /** @returns undefined for a request that Apollo Server has to answer; nothing is executed then */
  answer(asked: AskedGraphql, scope: RequestScope): Awaitable<HTTPGraphQLResponse | undefined> {
    const usual = usualForm(asked);
    const known = usual && this.#known.get(keyOf(usual.query, usual.operationName));
    if (!known) return undefined;
    const { variables } = usual;
    const taken = copyWith(known, { variables });
    const { limits, scopes } = this.#rules;
    try {
      requireTrusted(scope, known.operation.name?.value);
      requireFewValues(variables, limits);
      if (!known.isAffordable) requireAffordable(taken, limits);
      requireCovered(scope, taken, scopes);
    } catch {
      // Apollo Server writes the refusal.
      return undefined;
    }
    scope.operation = taken;
    return andThen(this.#execution.run(known.hash, taken, { scope }), (result) => {
      const isLong = (result?.data?.text.length ?? 0) > SHORT;
      return isLong ? setImmediate().then(() => written(result, scope)) : written(result, scope);
    });
  }
}

const JSON_TYPE = new HeaderMap([['content-type', 'application/json; charset=utf-8']]);

function written(result: Answered | undefined, scope: RequestScope): HTTPGraphQLResponse | undefined {
  if (!result) return undefined;
  const { errors, data } = result;
  const answer = { ...(errors.length > 0 && { errors }), data };
  const status = finishAnswer(answer, scope);
  return { status, headers: JSON_TYPE, body: { kind: 'complete', string: `${answerText(answer)}\n` } };
}

const keyOf = (query: string, operationName: string | undefined): string =>
  `${operationName ?? ''}\n${query}`;

interface UsualForm {
  query: string;
  operationName: string | undefined;
  variables: Record<string, unknown>;
}

/** Returns what a usual client sends: JSON by POST, without extensions, for an answer in JSON. */
function usualForm({ method, headers, body }: AskedGraphql): UsualForm | undefined {
  const { accept = '*/*', 'content-type': type } = headers;
  const isJson = method === 'POST' && /^application\/json(; *charset=utf-8)?$/i.test(type ?? '');
  if (!isJson || (accept !== '*/*' && accept !== 'application/json')) return undefined;
  if (!isRecord(body)) return undefined;
  const { query, operationName, variables, extensions } = body;
  if (typeof query !== 'string' || !isNothing(extensions)) return undefined;
  if (!isNothing(operationName) && typeof operationName !== 'string') return undefined;
  if (!isNothing(variables) && !isRecord(variables)) return undefined;
  return {
    query,
    operationName: operationName ?? undefined,
    variables: variables ?? {},
  };
}

const isNothing = (value: unknown): value is undefined | null => value === undefined || value === null;

/** Tells if the size of a list is a variable. */
function countsByVariable(document: DocumentNode): boolean {
  let found = false;
  visit(document, {
    Argument: ({ name, value }) => void (found ||= name.value === '_count' && value.kind === Kind.VARIABLE),
  });
  return found;
}
