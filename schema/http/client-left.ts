import type { FastifyReply } from 'fastify';

/** Made once: an error of its own for each request costs more than its frame's place in a file. */
const LEFT = new DOMException('The client has left.', 'AbortError');

export interface ClientLeftOptions {
  /** Ends with the answer, too: nothing then goes on that the answer did not wait for (default: false). */
  orAnswered?: boolean;
}

/** Ends when the client leaves before it has its answer, and with it what was begun for the client (DW-15). */
export function clientLeft(reply: FastifyReply, options: ClientLeftOptions = {}): AbortSignal {
  const left = new AbortController();
  abortWhenClientLeaves(reply, left, options);
  return left.signal;
}

/** The same for a controller that something else may abort first. */
export function abortWhenClientLeaves(
  { raw }: FastifyReply,
  left: AbortController,
  { orAnswered = false }: ClientLeftOptions = {},
): void {
  raw.once('close', () => {
    if (orAnswered || !raw.writableFinished) left.abort(LEFT);
  });
}
