import type { FastifyReply, FastifyRequest } from 'fastify';
import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { ALLOWED, outcomeOf, type Outcome } from '../../../schema/access/audit.ts';
import { Fault, faultExtensions, toFault } from '../../../schema/fault/fault.ts';
import { setCacheControl } from '../../../schema/http/cache-control.ts';
import { clientLeft } from '../../../schema/http/client-left.ts';
import { endIdleReader } from '../../../schema/http/reader-timeout.ts';
import type { Limits } from '../document/limits.ts';
import type { AskedGraphql } from '../request/asked-graphql.ts';
import type { FederatedServer } from '../apollo/supergraph.ts';
import { Pages, type Page } from './pages.ts';
import type { StreamFormat } from './row-format.ts';
import { StreamAudit } from './stream-audit.ts';
import { streamedQuery } from './streamed-query.ts';

interface StreamOptions {
  server: FederatedServer;
  limits: Limits;
  format: StreamFormat;
  asked: AskedGraphql;
}

/**
 * Sends the rows of the one connection of a query, page after page to its end (FG-29). Until its first page is read, an
 * error is an answer as usual; later, the transfer is broken off, so that nobody takes the rows for all.
 * @throws Fault `invalid_request` for a query that has not exactly one connection
 */
export async function streamRows(
  request: FastifyRequest,
  reply: FastifyReply,
  { server, limits, format, asked: sent }: StreamOptions,
): Promise<FastifyReply> {
  const { text, ...asked } = textAndVariables(sent);
  const query = streamedQuery(text, { ...asked, limits });
  const schema = await server.schema();
  const audit = new StreamAudit(request.audit, query.type);
  const left = clientLeft(reply);
  const options = {
    server,
    schema,
    query,
    request,
    limits,
    left,
    format,
    audit: audit.recordOfPage,
    document: sent.document,
  };
  const pages = new Pages(options);
  let first: Page;
  try {
    first = await pages.read(query.cursor);
  } catch (error) {
    audit.end(outcomeOf(error));
    throw error;
  }
  const texts = textsOf({ first, pages, format, audit });
  const { readerTimeout } = request.tenant.limits;
  endIdleReader(reply.raw, readerTimeout, () =>
    request.log.warn(
      { tenant: request.tenant.key, seconds: readerTimeout },
      'a client that did not read its rows was disconnected',
    ),
  );
  return setCacheControl(reply, 'noStore')
    .type(format.type)
    .send(Readable.from(texts, { objectMode: false }));
}

interface Rows {
  first: Page;
  pages: Pages;
  format: StreamFormat;
  audit: StreamAudit;
}

/** Writes the rows of all pages. While a page is sent, the next one is read, and none beyond. */
async function* textsOf({ first, pages, format, audit }: Rows): AsyncGenerator<Buffer> {
  let outcome: Outcome = ALLOWED;
  try {
    yield Buffer.from(first.head);
    for (let page: Page | undefined = first; page;) {
      const { rows, next }: Page = page;
      const following: Promise<Page> | undefined = next === undefined ? undefined : pages.read(next);
      // It may fail before it is awaited.
      following?.catch(() => undefined);
      const last = rows.length - 1;
      const lines = rows.map((row, at) => format.line(row, at === last ? next : undefined));
      audit.given(rows.length);
      yield Buffer.from(lines.join(''));
      await setImmediate();
      page = await following;
    }
  } catch (error) {
    outcome = outcomeOf(error);
    const fault = toFault(error);
    yield Buffer.from(format.error({ message: fault.message, ...faultExtensions(fault) }));
    throw error;
  } finally {
    audit.end(outcome);
  }
}

/**
 * Tells whether an error has places in the document. Those are of the query of a page, which is another text than the
 * client's.
 */
export function isOfDocument(error: unknown): boolean {
  const { cause } = error instanceof Fault ? error.details : {};
  return typeof cause === 'object' && cause !== null && 'locations' in cause;
}

/** Returns what a client sends to GraphQL over HTTP. @throws Fault `invalid_request` */
function textAndVariables({ method, search, body }: AskedGraphql) {
  const sent = (method === 'POST' ? (body ?? {}) : fromUrl(search)) as Record<string, unknown>;
  const { query: text, operationName, variables } = sent;
  if (typeof text !== 'string' || text === '') {
    throw new Fault('invalid_request', 'A stream needs the text of its query: persisted queries have none.');
  }
  if (typeof (variables ?? {}) !== 'object' || Array.isArray(variables)) {
    throw new Fault('invalid_request', 'variables must be an object.');
  }
  return {
    text,
    variables: (variables ?? {}) as object,
    ...(typeof operationName === 'string' && { operationName }),
  };
}

function fromUrl(search: string): object {
  const { variables, ...others } = Object.fromEntries(new URLSearchParams(search));
  try {
    return { ...others, ...(variables && { variables: JSON.parse(variables) as unknown }) };
  } catch (cause) {
    throw new Fault('invalid_request', 'variables must be JSON.', { cause });
  }
}
