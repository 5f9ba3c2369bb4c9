import { Fault } from '../../../schema/fault/fault.ts';

/** Time after the limit to send an answer with the fields that were in time. */
export const GRACE_MILLISECONDS = 500;

/** Rejects after the time limit and a grace period: fields that stop in time become errors in the answer. */
export function outOfTime(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => {
      if (signal.reason instanceof Fault) setTimeout(reject, GRACE_MILLISECONDS, signal.reason);
    });
  });
}
