import type { FastifyReply } from 'fastify';

/**
 * Sets `Warning: 299` (PS3.18 §8.3.1): parameters that were not applied, or that there are more results.
 * @param base the host of this URL is the warning agent
 */
export function setWarnings(reply: FastifyReply, base: string, warnings: readonly string[]): void {
  if (warnings.length === 0) return;
  const { host } = new URL(base);
  reply.header(
    'warning',
    warnings.map((text) => `299 ${host} "${text}"`),
  );
}
