/** Processor time and memory of a process and its children, by `/proc`. */
import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks of Linux in a second. */
const TICKS = 100;

export interface ProcessCost {
  /** Seconds of processor since its start. */
  processor: number;
  /** Resident memory, megabytes. */
  memory: number;
}

/** @param pid of the first process */
export function processCost(pid: number): ProcessCost {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap(statOf);
  const family = new Set([pid]);
  for (let before = 0; before !== family.size;) {
    before = family.size;
    for (const { id, parent } of all) if (family.has(parent)) family.add(id);
  }
  const own = all.filter(({ id }) => family.has(id));
  const sum = (of: 'processor' | 'memory') => own.reduce((total, one) => total + one[of], 0);
  return { processor: sum('processor'), memory: sum('memory') };
}

function statOf(id: string): (ProcessCost & { id: number; parent: number })[] {
  try {
    // Fields after the name, which may have spaces (proc_pid_stat(5)).
    const stat = readFileSync(`/proc/${id}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    const status = readFileSync(`/proc/${id}/status`, 'utf8');
    const processor = (Number(stat[11]) + Number(stat[12])) / TICKS;
    const memory = Number(/^VmRSS:\s*(\d+)/m.exec(status)?.[1] ?? 0) / 1000;
    return [{ id: Number(id), parent: Number(stat[1]), processor, memory }];
  } catch {
    return []; // it has ended
  }
}
