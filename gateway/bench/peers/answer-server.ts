/** A server of JSON that answers by the body of a request alone: it stands for a subgraph. */
import { createServer, type IncomingMessage, type Server } from 'node:http';

/** Starts it on a port of loopback. @param answer gives the body of the answer */
export async function serveAnswers(
  port: number,
  answer: (body: string) => Buffer | Promise<Buffer>,
): Promise<Server> {
  const server = createServer((request, response) => {
    void textOf(request)
      .then(answer)
      .then((body) => {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length });
        response.end(body);
      })
      .catch((error: unknown) => response.writeHead(500).end(String(error)));
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return server;
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
