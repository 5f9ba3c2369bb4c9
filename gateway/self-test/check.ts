/** One thing that was tried. */
export interface Check {
  name: string;
  outcome: 'ok' | 'failed' | 'skipped';
  /** Why it failed or was not tried, and what to do: for an operator, without a name, an identifier or a secret. */
  reason?: string;
  milliseconds: number;
}

/** Does not work; the message says why. */
export class Failing extends Error {}

/** Was not tried; the message says why not. */
export class NotTried extends Error {}

/**
 * Tries one thing.
 * @param seconds it takes no longer
 * @param attempt throws Failing, NotTried, or anything else, which `words` puts into words
 */
export async function tryOut(
  name: string,
  seconds: number,
  attempt: (signal: AbortSignal) => Promise<void>,
  words: (error: unknown) => string,
): Promise<Check> {
  const begun = performance.now();
  const signal = AbortSignal.timeout(seconds * 1000);
  const late = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(new Failing(`there was no answer within ${seconds} s`)));
  });
  const ended = (outcome: Check['outcome'], reason?: string): Check => {
    const milliseconds = Math.round(performance.now() - begun);
    return { name, outcome, ...(reason !== undefined && { reason }), milliseconds };
  };
  try {
    await Promise.race([attempt(signal), late]);
    return ended('ok');
  } catch (error) {
    if (error instanceof NotTried) return ended('skipped', error.message);
    return ended('failed', error instanceof Failing ? error.message : words(error));
  }
}
