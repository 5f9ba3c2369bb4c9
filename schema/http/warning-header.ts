import type { FastifyReply } from 'fastify';

/**
 * Sets `Warning: 299`, PS3.18 §8.3.1: what was not done, or that there is more.
 * @param base whose host warns
 */
export function setWarnings(reply: FastifyReply, base: string, warnings: readonly string[]): void {
  if (warnings.length === 0) return;
  const { host } = new URL(base);
  reply.header(
    'warning',
    warnings.map((text) => `299 ${host} "${text}"`),
  );
}
