import type { Fault } from '../../../schema/fault/fault.ts';

/** What is said of sources that did not answer, beside what the others gave (DW-18, DW-27). */
export function warningsOf(unanswered: readonly Fault[]): string[] {
  return unanswered.map(({ message }) => `A source of images did not answer: ${message}`);
}
