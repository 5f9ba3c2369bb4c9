import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { request } from 'undici';

/** An archive that misbehaves as told, and one that counts what it is asked. */
export interface Upstream {
  url: string;
  /** Path and query of every request, in order. */
  asked: string[];
  close(): Promise<void>;
}

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

/** Passes everything on to another server, and counts. */
export function startCountingProxy(target: string): Promise<Upstream> {
  return startUpstream(async ({ url, headers }, response) => {
    const { authorization = '', accept = '*/*' } = headers;
    const {
      statusCode,
      headers: answered,
      body,
    } = await request(target + url, {
      headers: { authorization, accept },
      reset: true,
    });
    response.writeHead(statusCode, { 'content-type': String(answered['content-type'] ?? '') });
    body.pipe(response);
  });
}
