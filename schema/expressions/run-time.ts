import { readFileSync } from 'node:fs';
import { createContext, Script } from 'node:vm';

/**
 * Returns the run time of this thread in milliseconds, exact to a few. Time spent waiting for a CPU does not count. On
 * systems without this figure it is clock time.
 */
export function runTime(): number {
  try {
    // The first figure is the run time in ns (Linux, Documentation/scheduler/sched-stats.rst).
    return Number(readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ')[0]) / 1e6;
  } catch {
    return performance.now();
  }
}

/** Work may take this many times its limit of clock time, which includes waiting for a CPU. */
const LONGEST_WAIT = 32;

const nothing = (): void => undefined;
const context = createContext({ work: nothing });
const script = new Script('work()');

/**
 * Runs work in this thread and interrupts it when the thread has run for the limit. When the thread had to wait for a CPU,
 * the work may be interrupted anywhere and called again.
 * @param limit milliseconds
 * @returns true when the work was done
 */
export function limitedRun(work: () => void, limit: number): boolean {
  const began = runTime();
  for (let timeout = limit; timeout <= limit * LONGEST_WAIT; timeout *= 2) {
    try {
      context['work'] = work;
      script.runInContext(context, { timeout });
      return true;
    } catch (error) {
      if ((error as { code?: string }).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
      if (runTime() - began >= limit) return false;
    } finally {
      context['work'] = nothing;
    }
  }
  return false;
}
