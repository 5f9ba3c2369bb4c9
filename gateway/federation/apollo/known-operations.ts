import { HeaderMap, type HTTPGraphQLResponse } from '@apollo/server';
import { getOperationAST, type GraphQLSchema } from 'graphql';
import { setImmediate } from 'node:timers/promises';
import { andThen, type Awaitable } from '../../../schema/process/awaitable.ts';
import type { Limits } from '../document/limits.ts';
import { parseDocument } from '../document/parse-document.ts';
import type { Answered, CompiledExecution } from '../executor/compiled-execution.ts';
import type { Operation } from '../executor/operation.ts';
import type { Operations } from '../executor/operations.ts';
import { answerText } from '../executor/written-data.ts';
import type { AskedGraphql } from '../request/asked-graphql.ts';
import { requireAffordable } from '../document/operation-cost.ts';
import { isRecord } from '../request/sent-document.ts';
import type { RequestScope } from '../request/request-scope.ts';
import { requireCovered } from '../scopes/refused-fields.ts';
import { finishAnswer, requireFewValues } from './tenant-rules.ts';
import { requireTrusted } from '../request/trusted-documents.ts';

/** Characters of an answer that is written in one turn of the event loop with its execution. */
const SHORT = 100_000;

/**
 * Operations that Apollo Server has taken once: it has parsed and validated the document, or one of its shape, and found the
 * operation in it. The rest is done here for each request, in one step: the rules of the tenant, the limits of the variables, the
 * execution. Requests that are not of the usual form go through Apollo Server again.
 */
export class KnownOperations {
  readonly #execution: CompiledExecution;
  readonly #operations: Operations;
  readonly #limits: Limits;
  readonly #schema: GraphQLSchema;

  constructor(
    execution: CompiledExecution,
    operations: Operations,
    { limits, schema }: { limits: Limits; schema: GraphQLSchema },
  ) {
    this.#execution = execution;
    this.#operations = operations;
    this.#limits = limits;
    this.#schema = schema;
  }

  /** @returns undefined for a request that Apollo Server has to answer; nothing is executed then */
  answer(asked: AskedGraphql, scope: RequestScope): Awaitable<HTTPGraphQLResponse | undefined> {
    const usual = usualForm(asked);
    const known = usual && this.#operationOf(usual);
    if (!usual || !known?.facts.isExecuted) return undefined;
    const { variables } = usual;
    const taken = known.asked(variables);
    try {
      requireTrusted(scope, taken.operation.name?.value);
      requireFewValues(variables, this.#limits);
      // Without a variable it costs what Apollo Server's request did.
      if (known.facts.costsByVariable) requireAffordable(taken, this.#limits);
      requireCovered(scope, taken, known.facts.refusals(scope.access));
    } catch {
      // Apollo Server writes the refusal.
      return undefined;
    }
    scope.operation = taken;
    return andThen(this.#execution.run(known, variables, { scope }), (result) => {
      const isLong = (result?.data?.text.length ?? 0) > SHORT;
      return isLong ? setImmediate().then(() => written(result, scope)) : written(result, scope);
    });
  }

  #operationOf({ query: source, operationName }: UsualForm): Operation | undefined {
    const known = this.#operations.find(source, operationName);
    if (known) return known;
    try {
      const document = parseDocument(source, this.#limits);
      const operation = getOperationAST(document, operationName);
      const sent = operation && { source, schema: this.#schema, document, operation };
      return sent ? this.#operations.ofKnownShape(sent) : undefined;
    } catch {
      // Apollo Server writes the error.
      return undefined;
    }
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
  return { query, operationName: operationName ?? undefined, variables: variables ?? {} };
}

const isNothing = (value: unknown): value is undefined | null => value === undefined || value === null;
