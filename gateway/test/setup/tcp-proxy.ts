/** A proxy between us and a server on loopback that counts bytes, slows connections down and cuts them. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** One connection through a proxy. */
export interface ProxiedConnection {
  open: boolean;
  /** Bytes so far, in both directions together. */
  bytes: number;
  /** Bytes from the side that connected. */
  sent: Buffer[];
}

export interface TcpProxy {
  port: number;
  /** Connections that were made through it, and how many are open. */
  made: number;
  open: number;
  /** All connections, in the order they were made; a test may empty the list. */
  connections: ProxiedConnection[];
  /** Cuts a connection once this many bytes have gone through it, in both directions together. */
  cutAfter: number;
  /** Speed of each connection. */
  bytesPerSecond: number;
  /** Milliseconds by which a chunk of so many bytes from the target is delayed. */
  heldBack: (bytes: number) => number;
  stop(): Promise<void>;
}

/**
 * Starts a proxy.
 * @param target port on loopback
 * @param host address to listen on
 * @param targetHost loopback address of the target
 */
export async function startTcpProxy(
  target: number,
  host = '127.0.0.1',
  targetHost = '127.0.0.1',
): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(target, targetHost);
    const connection: ProxiedConnection = { open: true, bytes: 0, sent: [] };
    proxy.connections.push(connection);
    proxy.made++;
    proxy.open++;
    near.on('close', () => {
      proxy.open--;
      connection.open = false;
    });
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => sockets.delete(socket));
    }
    void passOn(near, far, connection.sent);
    void passOn(far, near);

    async function passOn(from: Socket, to: Socket, heard?: Buffer[]): Promise<void> {
      // Aborted when the written side closes: bytes that the other side sent before its end are still on their way.
      const gone = new AbortController();
      const { signal } = gone;
      to.on('close', () => gone.abort());
      try {
        for await (const chunk of from as AsyncIterable<Buffer>) {
          heard?.push(chunk);
          connection.bytes += chunk.length;
          if (connection.bytes > proxy.cutAfter) throw new Error('cut');
          const late = to === near ? proxy.heldBack(chunk.length) : 0;
          if (late > 0) await delay(late, undefined, { signal });
          if (!to.write(chunk)) await once(to, 'drain', { signal });
          const wait = (chunk.length / proxy.bytesPerSecond) * 1000;
          if (wait > 1) await delay(wait, undefined, { signal });
        }
        // `end` sends the last bytes before it closes.
        to.end(() => to.destroy());
      } catch {
        near.destroy();
        far.destroy();
      }
    }
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const proxy: TcpProxy = {
    port: (server.address() as AddressInfo).port,
    made: 0,
    open: 0,
    connections: [],
    cutAfter: Infinity,
    bytesPerSecond: Infinity,
    heldBack: () => 0,
    stop: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
  return proxy;
}
