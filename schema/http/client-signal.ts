import type { FastifyReply } from 'fastify';

/** Made once: an error of its own for each request costs more than its frame's place in a file. */
const LEFT = new DOMException('The client has left.', 'AbortError');

/** Ends when the connection of an answer closes, and with it what was begun for the client (DW-15). */
export function clientSignal({ raw }: FastifyReply): AbortSignal {
  const left = new AbortController();
  raw.once('close', () => left.abort(LEFT));
  return left.signal;
}
