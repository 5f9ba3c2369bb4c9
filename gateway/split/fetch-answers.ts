import type { FastifyReply, FastifyRequest } from 'fastify';
import { getOperationAST, parse, type DocumentNode } from 'graphql';
import { LRUCache } from 'lru-cache';
import { AnswerBudget } from '../../schema/graphql/answer-budget.ts';
import { clientLeft } from '../../schema/http/client-left.ts';
import { KEPT_CHARACTERS } from '../federation/document-cache.ts';
import { CompiledExecution } from '../federation/executor/compiled-execution.ts';
import { answerText } from '../federation/executor/written-data.ts';
import { localDataSource, type LocalSubgraph } from '../federation/local-data-source.ts';
import type { ServiceName } from '../federation/service-name.ts';
import { DEFAULT_LIMITS } from '../http/limits.ts';
import type { RequestScope } from '../federation/request-scope.ts';
import { collector, type Collected } from './collected.ts';

interface Fetch {
  query: string;
  variables?: Record<string, unknown>;
}

const JSON_TYPE = 'application/json; charset=utf-8';

type Execute = (scope: RequestScope, fetch: Fetch) => Promise<Answered>;
type Answered = { data: object | null; errors?: readonly object[] };

/**
 * Returns a function that executes fetches of the gateway: documents on the schema of this subgraph, which the gateway has
 * made. They are compiled, as the operations of clients are; what is not compiled is executed by graphql-js.
 */
export function fetchExecution(service: ServiceName, subgraph: LocalSubgraph): Execute {
  // The gateway has left out the fields that the scopes do not cover, and the resolvers refuse them.
  const scopes = { refusals: () => undefined };
  const execution = new CompiledExecution({ [service]: subgraph }, { fields: DEFAULT_LIMITS.cost, scopes });
  const source = localDataSource(service, subgraph);
  const documents = new LRUCache<string, DocumentNode>({
    maxSize: KEPT_CHARACTERS,
    sizeCalculation: (_document, query) => query.length,
  });
  const documentOf = (query: string): DocumentNode => {
    const document = documents.get(query) ?? parse(query, { noLocation: true });
    documents.set(query, document);
    return document;
  };
  return async (scope, { query, variables = {} }) => {
    const document = documentOf(query);
    const asked = { schema: subgraph.schema, document, operation: getOperationAST(document)!, variables };
    const compiled = await execution.run(query, asked, { scope });
    return (compiled ??
      (await source.process({ request: { query, variables }, context: { scope } } as never))) as Answered;
  };
}

/** Returns the handler that answers fetches. */
export function fetchAnswers(service: ServiceName, subgraph: LocalSubgraph) {
  const execute = fetchExecution(service, subgraph);
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const { access, audit, collected } = collector(request, reply);
    const { tenant, log } = request;
    const scope = {
      ...{ tenant, access, log, audit, signal: clientLeft(reply), fhir: false, cores: new Map() },
      budget: new AnswerBudget(DEFAULT_LIMITS.cost),
    };
    const answer = await execute(scope, request.body as Fetch);
    return reply.type(JSON_TYPE).send(fetchedText(answer, collected()));
  };
}

/** Writes the answer to a fetch. */
export function fetchedText({ data, errors = [] }: Answered, collected: Collected): string {
  return answerText({ data, ...(errors.length > 0 && { errors }), ...collected });
}
