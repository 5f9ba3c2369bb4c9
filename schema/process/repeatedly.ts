import { setTimeout as delay } from 'node:timers/promises';

/**
 * Runs work again and again until it is ended. The process does not stay for it.
 * @param milliseconds before each run
 */
export async function repeatedly(
  milliseconds: number,
  ending: AbortSignal,
  work: () => void | Promise<void>,
): Promise<void> {
  while (!ending.aborted) {
    await delay(milliseconds, undefined, { signal: ending, ref: false }).catch(() => undefined);
    if (!ending.aborted) await work();
  }
}
