import type { FastifyBaseLogger } from 'fastify';

/** Milliseconds between two lines of the log about a load. */
const STORE_REPORT = 5_000;

/** Returns a callback that writes into the log how far a store is. The load of a small one is not worth a line. */
export function storeProgress(
  log: Pick<FastifyBaseLogger, 'info'>,
  tenant: string,
): (progress: object) => void {
  let last = Date.now();
  return (progress) => {
    if (Date.now() - last < STORE_REPORT) return;
    last = Date.now();
    log.info({ tenant, ...progress }, 'store: loading');
  };
}
