import type { FastifyInstance } from 'fastify';
import type { Socket } from 'node:net';

/** Milliseconds that a new connection has to send its first byte when the server stops. */
const PATIENCE = 1_000;
const LOOK_AGAIN = 100;

/**
 * Closes connections that nobody uses, when the server stops; it would wait a minute for them. Fastify closes those that are idle
 * at that moment. Others become idle later: a client may have its whole answer before the server knows that it is sent. And
 * browsers and clients open connections in advance, on which nothing was ever sent: for Node they are not idle.
 */
export function closeSilentConnections(app: FastifyInstance): void {
  const opened = new Map<Socket, number>();
  app.server.on('connection', (socket: Socket) => {
    opened.set(socket, performance.now());
    socket.once('close', () => opened.delete(socket));
  });
  app.addHook('preClose', async () => {
    const close = () => {
      app.server.closeIdleConnections();
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
