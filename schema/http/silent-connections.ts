import type { FastifyInstance } from 'fastify';
import type { Socket } from 'node:net';

/** Milliseconds that a new connection has to send its first byte when the server stops. */
const PATIENCE = 1_000;
const LOOK_AGAIN = 100;

/**
 * Closes connections on which nothing was ever sent, when the server stops. Browsers and clients open them in advance; for
 * Node they are neither idle nor finished, and a server that closes would wait a minute for them.
 */
export function closeSilentConnections(app: FastifyInstance): void {
  const opened = new Map<Socket, number>();
  app.server.on('connection', (socket: Socket) => {
    opened.set(socket, performance.now());
    socket.once('close', () => opened.delete(socket));
  });
  app.addHook('preClose', async () => {
    const close = () => {
      for (const [socket, since] of opened) {
        if (socket.bytesRead > 0) opened.delete(socket);
        else if (performance.now() - since > PATIENCE) socket.destroy();
      }
    };
    close();
    const interval = setInterval(close, LOOK_AGAIN).unref();
    app.server.once('close', () => clearInterval(interval));
  });
}
