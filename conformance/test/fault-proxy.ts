/** A proxy in front of a server that alters requests or answers, for tests that the alteration is found. */
import { createServer, request as send, type IncomingMessage, type ServerResponse } from 'node:http';

/** An exchange that a fault may alter in place. */
export interface Exchange {
  method: string;
  /** Path and query of the request. */
  url: string;
  path: string;
  query: URLSearchParams;
  /** The header Authorization as the client sent it. */
  authorization: string | undefined;
  status: number;
  headers: NodeJS.Dict<string | string[] | number>;
  body: Buffer;
}

/** A fault of a server. */
export interface Fault {
  /** Returns the URL and credentials with which the server is asked in the client's place. */
  request?: (
    asked: Pick<Exchange, 'url' | 'path' | 'query' | 'authorization'>,
  ) => Partial<Pick<Exchange, 'url' | 'authorization'>>;
  answer?: (exchange: Exchange) => void;
}

export interface FaultProxy {
  /** Without a slash at the end. */
  url: string;
  /** The fault of the next requests; none by default. */
  fault: Fault;
  close(): Promise<void>;
}

/** Starts a proxy on this port for the server at the other port of this machine. */
export async function startFaultProxy(port: number, target: number): Promise<FaultProxy> {
  const self: FaultProxy = {
    url: `http://127.0.0.1:${port}`,
    fault: {},
    async close() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
  const server = createServer((request, response) => {
    forward(request, response).catch(() => response.destroy());
  });
  async function forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { fault } = self;
    const { method = 'GET', url = '/' } = request;
    const { authorization } = request.headers;
    const { pathname: path, searchParams: query } = new URL(url, self.url);
    const asked = { url, path, query, authorization };
    const altered = { ...asked, ...fault.request?.(asked) };
    const headers = {
      ...request.headers,
      'accept-encoding': 'identity',
      authorization: altered.authorization,
    };
    if (altered.authorization === undefined) delete headers.authorization;
    const body = await bytesOf(request);
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      send({ host: '127.0.0.1', port: target, method, path: altered.url, headers }, resolve)
        .on('error', reject)
        .end(body);
    });
    const exchange: Exchange = {
      ...asked,
      method,
      status: answer.statusCode!,
      headers: { ...answer.headers },
      body: await bytesOf(answer),
    };
    fault.answer?.(exchange);
    for (const name of ['transfer-encoding', 'connection', 'keep-alive']) delete exchange.headers[name];
    if (exchange.status !== 304) exchange.headers['content-length'] = exchange.body.length;
    response.writeHead(exchange.status, exchange.headers as Record<string, string>).end(exchange.body);
  }
  await new Promise<void>((listening) => server.listen(port, '127.0.0.1', listening));
  return self;
}

async function bytesOf(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}
