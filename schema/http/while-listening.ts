import type { FastifyReply } from 'fastify';

/** Made once: an error of its own for each request costs more than its frame's place in a file. */
const LEFT = new DOMException('The client has left.', 'AbortError');

/** Ends when the client leaves before it has its answer, and with it what was begun for it (DW-15). */
export function whileListening({ raw }: FastifyReply): AbortSignal {
  const gone = new AbortController();
  raw.once('close', () => {
    // An answer that was given leaves nothing to break off.
    if (!raw.writableFinished) gone.abort(LEFT);
  });
  return gone.signal;
}
