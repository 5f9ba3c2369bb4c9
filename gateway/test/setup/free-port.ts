/** A free TCP port on loopback, for a server that a test starts. */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/**
 * Ports that the system gives to nobody by itself: from there up it takes those of outgoing connections, and of
 * servers that listen at port 0 (`ip_local_port_range` of Linux). Browsers refuse some below.
 */
const PORTS = { from: 11_000, to: 32_768 };
let last = randomInt(PORTS.from, PORTS.to);

/**
 * Returns a port at which nobody listens, another one each time: some servers listen long after they were given their
 * port. Another process may still take it, though hardly: callers that can retry their start.
 */
export async function freePort(): Promise<number> {
  const port = last + 1 < PORTS.to ? last + 1 : PORTS.from;
  last = port;
  const probe = createServer();
  try {
    await once(probe.listen(port, '127.0.0.1'), 'listening');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return freePort();
    throw error;
  }
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** Tells whether a server listens at a port. */
export function isOpen(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host, () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
