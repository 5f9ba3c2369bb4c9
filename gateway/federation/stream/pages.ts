import type { FastifyRequest } from 'fastify';
import type { GraphQLSchema } from 'graphql';
import type { RecordOperation } from '../../../schema/access/audit.ts';
import { Fault, faultOfGraphql } from '../../../schema/fault/fault.ts';
import { RequestEnd } from '../../../schema/process/request-end.ts';
import type { Limits } from '../document/limits.ts';
import { endAfterLimit, newScope } from '../request/request-scope.ts';
import type { RowFormat, WantedRows } from '../executor/rows.ts';
import { outOfTime } from '../request/out-of-time.ts';
import { operationCost } from '../document/operation-cost.ts';
import type { Executed, FederatedServer } from '../apollo/supergraph.ts';
import type { SentDocument } from '../request/sent-document.ts';
import { COUNT, CURSOR, type StreamedQuery } from './streamed-query.ts';

/** Largest number of rows on a page: the resources of more would outlive the collector's young space. */
const MOST_ROWS = 500;

/** One page of rows, and the cursor of the page after it. */
export interface Page {
  /** Text before the first row. */
  head: string;
  /** Each without its end. */
  rows: readonly string[];
  next: string | undefined;
}

export interface PagesOptions {
  server: FederatedServer;
  schema: GraphQLSchema;
  query: StreamedQuery;
  request: FastifyRequest;
  limits: Limits;
  format: RowFormat;
  /** Aborts when the client has left. */
  left: AbortSignal;
  audit: RecordOperation;
  /** The client's own document: the query of a page is made of it. */
  document: SentDocument | undefined;
}

/**
 * Reads the pages of a connection. Each is one execution of the query with the checks, the limits and the time of a
 * request, and keeps nothing of the page before.
 */
export class Pages {
  readonly #options: PagesOptions;
  #size: number;

  constructor(options: PagesOptions) {
    this.#options = options;
    this.#size = pageSize(options);
  }

  /**
   * Reads the page at a cursor; undefined: the first. A page whose answer is too large is read again with half as many rows.
   * @throws Fault of the first error in a page: a stream has all of its rows, or fails; `invalid_token` when the token has
   * expired meanwhile, `gateway_timeout` after the time limit
   */
  async read(cursor: string | undefined): Promise<Page> {
    for (;;) {
      requireNotExpired(this.#options.request);
      const { query, format } = this.#options;
      const rows: WantedRows = { format, path: [...query.path, 'edges', 'resource'] };
      const executed = await this.#execute(cursor, rows);
      const isTooLarge = executed.errors.some(({ extensions }) => extensions?.['code'] === 'too_large');
      if (!isTooLarge || this.#size === 1) return pageOf(executed, rows, query);
      this.#size = Math.ceil(this.#size / 2);
    }
  }

  async #execute(cursor: string | undefined, rows: WantedRows): Promise<Executed> {
    const { server, query, request, limits, left, audit, document } = this.#options;
    left.throwIfAborted();
    const over = new RequestEnd();
    const leave = () => over.abort(left.reason);
    left.addEventListener('abort', leave);
    const timer = endAfterLimit(over, limits);
    try {
      const scope = { ...newScope(request, limits, over), audit, rows, document };
      const variables = { ...query.variables, [COUNT]: this.#size, [CURSOR]: cursor };
      const executed = await Promise.race([
        server.execute(query.text, variables, scope),
        outOfTime(over.signal),
      ]);
      // The result for a client who has left is no page.
      left.throwIfAborted();
      return executed;
    } finally {
      clearTimeout(timer);
      left.removeEventListener('abort', leave);
    }
  }
}

function pageOf({ data, errors }: Executed, { found }: WantedRows, { path }: StreamedQuery): Page {
  const [error] = errors;
  if (error) throw faultOfGraphql(error);
  let page: unknown = data;
  for (const name of path) page = (page as Record<string, unknown> | null)?.[name];
  const { next } = (page ?? {}) as { next?: string | null };
  return { head: found?.head ?? '', rows: found?.texts ?? [], next: next ?? undefined };
}

/** Returns the rows of a page: as many as the cost limit allows, and not more than the client's `_count`. */
function pageSize({ schema, query, limits }: PagesOptions): number {
  const { document, operation, count = MOST_ROWS } = query;
  const cost = (rows: number) =>
    operationCost({ schema, document, operation, variables: { ...query.variables, [COUNT]: rows } });
  const affordable = Math.floor((limits.cost - cost(0)) / Math.max(1, cost(1) - cost(0)));
  return Math.min(count, MOST_ROWS, Math.max(1, affordable));
}

function requireNotExpired({ access }: FastifyRequest): void {
  if (Date.now() / 1000 < access.expires) return;
  throw new Fault('invalid_token', 'The token has expired. Continue at the last _next with a new token.');
}
