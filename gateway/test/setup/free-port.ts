/** A free TCP port on loopback, for a server that a test starts. */
import { createServer, type AddressInfo } from 'node:net';

/** Asks the system for a free port. Another process may still take it: callers retry their start. */
export async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', resolve);
  });
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
