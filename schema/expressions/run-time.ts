import { readFileSync } from 'node:fs';
import { createContext, Script } from 'node:vm';

/**
 * Milliseconds that this thread has run, exact to some; the time in which it waited for a CPU does not count. Where the
 * system does not tell, it is the time of the clock.
 */
export function runTime(): number {
  try {
    // Run time in ns, time of waiting in ns, and more (Linux, Documentation/scheduler/sched-stats.rst).
    return Number(readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ')[0]) / 1e6;
  } catch {
    return performance.now();
  }
}

/** Nothing may wait for a CPU longer than this many times its limit. */
const LONGEST_WAIT = 32;

const nothing = (): void => undefined;
const context = createContext({ work: nothing });
const script = new Script('work()');

/**
 * Runs work in this thread and breaks it off when the thread has run for so long. It may be broken off anywhere and
 * called again, when the thread had to wait for a CPU.
 * @param limit milliseconds
 * @returns whether the work was done
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
