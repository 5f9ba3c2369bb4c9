import type { FastifyReply } from 'fastify';
import type { Fault } from '../../../schema/fault/fault.ts';

/** What is said of sources that did not answer, beside what the others gave (DW-18, DW-27). */
export function warningsOf(unanswered: readonly Fault[]): string[] {
  return unanswered.map(({ message }) => `A source of images did not answer: ${message}`);
}

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
