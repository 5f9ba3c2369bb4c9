import type { Fault } from '../../../schema/fault/fault.ts';

/** Returns a warning for each source that did not answer while others did (DW-18, DW-27). */
export function warningsOf(unanswered: readonly Fault[]): string[] {
  return unanswered.map(({ message, details }) =>
    details.service === 'clinical' ? message : `A source of images did not answer: ${message}`,
  );
}
