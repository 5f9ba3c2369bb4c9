import type { Access } from '../../../schema/access/access.ts';

/** The jobs of exports, which the composition root takes from the clinical subgraph: those of `$export`. */
export interface Jobs {
  /**
   * Begins a job. It runs on after the request.
   * @returns its id
   * @throws Fault `too_many_requests`; `forbidden` for a token that names no client
   */
  start(
    access: Access,
    described: { kind: typeof KIND; request: string; reach: JobReach; seconds: number; details: unknown },
    work: (
      output: JobOutput,
      signal: AbortSignal,
      onProgress: (done: number) => void,
    ) => Promise<readonly JobFile[]>,
  ): Promise<string>;
  /** @throws Fault `not_found` for one that this client has not begun, or that reaches more than its token does now */
  find(access: Access, id: string, kind: typeof KIND): Promise<Job>;
  /** @throws Fault like `find`, and for another name */
  file(
    access: Access,
    id: string,
    name: string,
    kind: typeof KIND,
  ): Promise<{ path: string; file: JobFile; expires: number }>;
  /** @throws Fault like `find` */
  remove(access: Access, id: string, kind: typeof KIND): Promise<void>;
}

export const KIND = 'sql-export';

/** A file, by its path below the folder of the job. */
export interface JobFile {
  name: string;
  /** The answer that it is of. */
  type: string;
  count: number;
  bytes: number;
}

export interface JobOutput {
  folder: string;
  /** @throws Fault `too_large` */
  takeRoom(bytes: number): void;
}

/** The patients and types of a job: a later token has to reach all of them to get the files. */
export interface JobReach {
  patients: 'all' | readonly { id: string; studies?: readonly string[] }[];
  types: readonly { type: string; constraints?: unknown }[];
}

interface Job {
  id: string;
  state: 'running' | 'complete' | 'failed';
  /** FHIR instant at which it began. */
  transactionTime: string;
  failure?: string;
  files: readonly JobFile[];
  details?: unknown;
  /** Milliseconds since the epoch. */
  ended?: number;
  expires?: number;
  running?: { done: number; seconds: number };
}
