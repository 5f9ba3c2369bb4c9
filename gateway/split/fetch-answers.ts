import type { FastifyReply, FastifyRequest } from 'fastify';
import { getOperationAST, parse } from 'graphql';
import { AnswerBudget } from '../../schema/graphql/answer-budget.ts';
import { endOf } from '../../schema/http/client-left.ts';
import { CompiledExecution } from '../federation/executor/compiled-execution.ts';
import type { Operation } from '../federation/executor/operation.ts';
import { Operations } from '../federation/executor/operations.ts';
import { answerText } from '../federation/executor/written-data.ts';
import { localDataSource, type LocalSubgraph } from '../federation/subgraphs/local-data-source.ts';
import type { ServiceName } from '../federation/request/service-name.ts';
import { DEFAULT_LIMITS } from '../federation/document/limits.ts';
import type { RequestScope } from '../federation/request/request-scope.ts';
import { collector, type Collected } from './collected.ts';

interface Fetch {
  query: string;
  variables?: Record<string, unknown>;
}

const JSON_TYPE = 'application/json; charset=utf-8';

type Execute = (scope: RequestScope, fetch: Fetch) => Promise<Answered>;
type Answered = { data: object | null; errors?: readonly object[]; spent?: number };

/**
 * Returns a function that executes fetches of the gateway: documents on the schema of this subgraph, which the gateway has
 * made. They are compiled, as the operations of clients are; what is not compiled is executed by graphql-js.
 */
export function fetchExecution(service: ServiceName, subgraph: LocalSubgraph): Execute {
  // The gateway has left out the fields that the scopes do not cover, and the resolvers refuse them.
  const operations = new Operations();
  const execution = new CompiledExecution({ [service]: subgraph }, { fields: DEFAULT_LIMITS.cost });
  const source = localDataSource(service, subgraph);
  const { schema } = subgraph;
  const operationOf = (query: string): Operation => {
    const document = parse(query, { noLocation: true });
    const operation = getOperationAST(document)!;
    return operations.of({ source: query, schema, document, operation });
  };
  return async (scope, { query, variables = {} }) => {
    const operation = operations.find(query, undefined) ?? operationOf(query);
    const compiled = await execution.run(operation, variables, { scope });
    if (compiled) return compiled;
    const { document } = operation.valid;
    const planned = { request: { variables }, document, context: { scope } };
    // eslint-disable-next-line no-restricted-syntax -- the source reads no other options
    return (await source.process(planned as never)) as Answered;
  };
}

/** Returns the handler that answers fetches. */
export function fetchAnswers(service: ServiceName, subgraph: LocalSubgraph) {
  const execute = fetchExecution(service, subgraph);
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const { access, audit, collected } = collector(request, reply);
    const { tenant, log } = request;
    const over = endOf(reply);
    const budget = new AnswerBudget(DEFAULT_LIMITS.cost);
    const scope = { tenant, access, log, audit, over, budget, fhir: false, cores: new Map() };
    const answer = await execute(scope, request.body as Fetch);
    return reply.type(JSON_TYPE).send(fetchedText(answer, collected()));
  };
}

/** Writes the answer to a fetch. */
export function fetchedText({ data, errors = [], spent }: Answered, collected: Collected): string {
  return answerText({ data, ...(errors.length > 0 && { errors }), ...(spent && { spent }), ...collected });
}
