/** Latency at a part of the capacity, measured by a process of its own. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Posted } from './distinct-patients.ts';

export interface SteadyJob {
  origin: string;
  path: string;
  /** Requests, one after another, again and again. */
  posted: readonly Posted[];
  connections: number;
  /** Part of the capacity at which latency is measured. */
  part: number;
  /** Of each of the two measurements. */
  seconds: number;
  /** Process of the server. */
  pid: number;
}

export interface SteadyResult {
  /** Requests in a second with all connections busy, and the rate at which latency was measured. */
  capacity: number;
  rate: number;
  /** Milliseconds from the time when a request was due until its answer was complete. */
  p50: number;
  p99: number;
  p999: number;
  /** Answers in a second at that rate. */
  answered: number;
  /** Milliseconds by which the client itself was late, p99. */
  delay99: number;
  /** Milliseconds of the server's processor for a request, with all connections busy and at the rate. */
  costBusy: number;
  costAtRate: number;
}

/** Measures once. @param directory for the job @throws when an answer is no 200 */
export async function steadyLoad(directory: string, job: SteadyJob): Promise<SteadyResult> {
  const file = join(directory, 'steady-load.json');
  await writeFile(file, JSON.stringify(job));
  const script = join(import.meta.dirname, 'steady-load.child.ts');
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', script, file]);
  return JSON.parse(stdout) as SteadyResult;
}
