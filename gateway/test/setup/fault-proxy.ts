/** A proxy between the gateway and a server on loopback that fails as networks fail. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export interface FaultProxy {
  readonly port: number;
  /** Ends connections with RST and accepts no others: the server is down. */
  refuse(): Promise<void>;
  /** Accepts connections and passes nothing on. */
  hang(): void;
  /** Ends each connection with RST as soon as data comes through it. */
  reset(): void;
  /** Passes everything on again. Connections that hung are ended. */
  restore(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a proxy. @param target port on loopback; it may be opened later */
export async function startFaultProxy(target: () => number): Promise<FaultProxy> {
  let mode: 'passing' | 'hanging' | 'resetting' = 'passing';
  const sockets = new Set<Socket>();
  const server = createServer(passOn);
  await listen(server, 0);
  const { port } = server.address() as AddressInfo;

  function passOn(near: Socket): void {
    const far = connect(target(), '127.0.0.1');
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.setNoDelay();
      socket.on('error', () => other.resetAndDestroy());
      socket.on('close', () => {
        sockets.delete(socket);
        other.end();
      });
      socket.on('data', (chunk: Buffer) => {
        if (mode === 'resetting') {
          near.resetAndDestroy();
          far.destroy();
        } else if (mode === 'hanging') socket.pause();
        else if (!other.write(chunk)) {
          socket.pause();
          other.once('drain', () => socket.resume());
        }
      });
    }
  }

  const endAll = (): void => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    port,
    async refuse() {
      const closed = once(server, 'close');
      server.close();
      endAll();
      await closed;
    },
    hang: () => void (mode = 'hanging'),
    reset: () => void (mode = 'resetting'),
    async restore() {
      if (mode === 'hanging') endAll();
      mode = 'passing';
      if (!server.listening) await listen(server, port);
    },
    async stop() {
      endAll();
      if (!server.listening) return;
      server.close();
      await once(server, 'close');
    },
  };
}

async function listen(server: Server, port: number): Promise<void> {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
}
