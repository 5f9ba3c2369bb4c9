/** Memory and open files of the processes of a system. */
import { readdirSync, readFileSync } from 'node:fs';
import { request } from 'undici';
import type { System } from './system.ts';

export interface Sample {
  /** Resident memory, megabytes. */
  memory: number;
  /** Used heap, megabytes, as `/metrics` says; 0 for programs without it. */
  heap: number;
  /** Open file descriptors. */
  files: number;
}

/** Returns a sample of each process by its name. */
export async function sampleOf(system: System): Promise<Record<string, Sample>> {
  const samples = Object.entries(system.pids()).map(async ([name, pid]) => {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const memory = Number(/^VmRSS:\s*(\d+)/m.exec(status)![1]) / 1000;
    const files = readdirSync(`/proc/${pid}/fd`).length;
    return [name, { memory, files, heap: await heapOf(system.metricsUrls[name]) }] as const;
  });
  return Object.fromEntries(await Promise.all(samples));
}

async function heapOf(url: string | undefined): Promise<number> {
  if (url === undefined) return 0;
  const { body } = await request(url, { reset: true });
  const [, bytes] = /^nodejs_heap_size_used_bytes (\S+)/m.exec(await body.text()) ?? [];
  return Number(bytes ?? 0) / 1e6;
}
