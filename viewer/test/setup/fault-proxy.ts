/** A proxy in front of the gateway that answers some requests itself, cuts answers off, or holds them back. */
import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Fault =
  | { status: number; headers?: Record<string, string>; body?: string }
  /** Bytes of the body after which the answer ends: as if whole, or with the connection. */
  | { cutAfter: number; how: 'ends' | 'breaks' }
  /** Milliseconds before the request is passed on. */
  | { delay: number };

export interface FaultProxy {
  /** `http://localhost:port`, without a slash at the end. */
  url: string;
  /** Port of the gateway. */
  target: number;
  /** Says what happens to a request; undefined passes it on. `about` is method, path and token. */
  fault: (about: { path: string; token: string | undefined }) => Fault | undefined;
  /** Requests so far: paths and tokens. */
  seen: { path: string; token: string | undefined }[];
  stop(): Promise<void>;
}

export async function startFaultProxy(): Promise<FaultProxy> {
  const server = createServer((incoming, reply) => {
    void handle(incoming, reply).catch(() => reply.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy: FaultProxy = {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
    target: 0,
    fault: () => undefined,
    seen: [],
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return proxy;

  async function handle(incoming: IncomingMessage, reply: ServerResponse): Promise<void> {
    const about = { path: incoming.url!, token: incoming.headers.authorization?.replace('Bearer ', '') };
    proxy.seen.push(about);
    const fault = proxy.fault(about);
    if (fault && 'status' in fault) {
      incoming.resume();
      reply.writeHead(fault.status, fault.headers).end(fault.body);
      return;
    }
    if (fault && 'delay' in fault) await new Promise((resolve) => setTimeout(resolve, fault.delay));
    const { method, headers } = incoming;
    const outgoing = request({ host: '127.0.0.1', port: proxy.target, path: about.path, method, headers });
    incoming.pipe(outgoing);
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of answer) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const { 'transfer-encoding': _, ...kept } = answer.headers;
    if (fault && 'cutAfter' in fault) {
      const part = body.subarray(0, fault.cutAfter);
      const length = String(fault.how === 'ends' ? part.length : body.length);
      reply.writeHead(answer.statusCode!, { ...kept, 'content-length': length });
      reply.write(part, () => (fault.how === 'ends' ? reply.end() : reply.destroy()));
      return;
    }
    reply.writeHead(answer.statusCode!, { ...kept, 'content-length': String(body.length) }).end(body);
  }
}
