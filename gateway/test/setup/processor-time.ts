/** Processor time: how long a program works, however many others have the processors meanwhile. */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** Milliseconds of a tick of the kernel's clock in /proc (USER_HZ). */
const TICK = 10;
/** Milliseconds of a step of `timeAwake` and `awake`. */
const STEP = 10;

/** Measures the milliseconds that all threads of this process work during `work`. */
export async function processorTime(work: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** Measures the milliseconds that all threads of another process work during `work`, in steps of 10. */
export async function processorTimeOf(pid: number, work: () => unknown): Promise<number> {
  const before = workedBy(pid);
  await work();
  return workedBy(pid) - before;
}

/** Returns the milliseconds that all threads of a process have worked, in steps of 10. */
export const workedBy = (pid: number): number => sumOfTimes(pid, 2);

/** Returns the milliseconds that this process has worked, and its children that have ended, in steps of 10. */
export const workedHere = (): number => sumOfTimes(process.pid, 4);

/** Adds the first times of proc_pid_stat(5), fields 14 to 17: user and system, then those of ended children. */
function sumOfTimes(pid: number, count: 2 | 4): number {
  // After the name of the program, which may have spaces.
  const [, fields] = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ');
  const times = fields!.split(' ').slice(11, 11 + count);
  return times.reduce((sum, time) => sum + Number(time), 0) * TICK;
}

/**
 * Measures the milliseconds that pass during `work` while this process has its turns. A pause in which others have the
 * processors counts as one step of 10 ms: for bounds of a wait within this process.
 */
export async function timeAwake(work: () => unknown): Promise<number> {
  let steps = 0;
  const timer = setInterval(() => steps++, STEP);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  return steps * STEP;
}

/** Waits until this process has had its turns for so many milliseconds: what is on its way to it has come by then. */
export async function awake(milliseconds: number): Promise<void> {
  for (let waited = 0; waited < milliseconds; waited += STEP) await delay(STEP);
}
