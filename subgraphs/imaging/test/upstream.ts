import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { request } from 'undici';

/** A test server that records its requests. */
export interface Upstream {
  url: string;
  /** Path and query of every request, in order. */
  asked: string[];
  close(): Promise<void>;
}

/** Starts a server with this handler. */
export async function startUpstream(
  answer: (request: IncomingMessage, response: ServerResponse) => unknown,
): Promise<Upstream> {
  const asked: string[] = [];
  const server = createServer((incoming, response) => {
    asked.push(incoming.url!);
    void answer(incoming, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Starts a proxy of another server that records requests. */
export function startCountingProxy(target: string): Promise<Upstream> {
  return startUpstream(async ({ url, headers }, response) => {
    const { authorization = '', accept = '*/*' } = headers;
    const {
      statusCode,
      headers: answered,
      body,
    } = await request(target + url, { headers: { authorization, accept }, reset: true });
    response.writeHead(statusCode, { 'content-type': String(answered['content-type'] ?? '') });
    body.pipe(response);
  });
}

export interface SwitchedProxy extends Upstream {
  /**
   * `refusing` closes connections, `failing` answers 503, `breaking` closes the connection after the headers of an
   * answer.
   */
  mode: 'up' | 'refusing' | 'failing' | 'breaking';
}

/** Starts a proxy of another server that can be made to fail. */
export async function startSwitchedProxy(target: string): Promise<SwitchedProxy> {
  const upstream = await startUpstream(async ({ url, headers }, response) => {
    if (proxy.mode === 'refusing') return response.destroy();
    if (proxy.mode === 'failing') return response.writeHead(503).end();
    const { authorization = '', accept = '*/*' } = headers;
    const answer = await request(target + url, { headers: { authorization, accept }, reset: true });
    const type = String(answer.headers['content-type'] ?? '');
    response.writeHead(answer.statusCode, { 'content-type': type });
    if (proxy.mode === 'breaking') {
      response.flushHeaders();
      await answer.body.dump();
      return response.destroy();
    }
    return answer.body.pipe(response);
  });
  const proxy: SwitchedProxy = { ...upstream, mode: 'up' };
  return proxy;
}
