/** The result of one check. */
export interface Check {
  name: string;
  outcome: 'ok' | 'failed' | 'skipped';
  /**
   * Why it failed or was skipped, and what an operator can do; what a good result does not test. Without a name, an identifier
   * or a secret.
   */
  reason?: string;
  milliseconds: number;
}

/** A check fails; the message says why. */
export class Failing extends Error {}

/** A check is skipped; the message says why. */
export class NotTried extends Error {}

/**
 * Runs one check.
 * @param seconds time limit
 * @param attempt throws Failing, NotTried, or any other error, which `reasonOf` explains
 */
export async function runCheck(
  name: string,
  seconds: number,
  attempt: (signal: AbortSignal) => Promise<void>,
  reasonOf: (error: unknown) => string,
): Promise<Check> {
  const start = performance.now();
  const signal = AbortSignal.timeout(seconds * 1000);
  const timedOut = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(new Failing(`there was no answer within ${seconds} s`)));
  });
  const result = (outcome: Check['outcome'], reason?: string): Check => {
    const milliseconds = Math.round(performance.now() - start);
    return { name, outcome, reason, milliseconds };
  };
  try {
    await Promise.race([attempt(signal), timedOut]);
    return result('ok');
  } catch (error) {
    if (error instanceof NotTried) return result('skipped', error.message);
    return result('failed', error instanceof Failing ? error.message : reasonOf(error));
  }
}
