/** A program that is started again when it ends, as Kubernetes does. */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startChild, type Child } from '../setup/child.ts';

export interface Supervised {
  readonly name: string;
  /** Process id of the present one. */
  readonly pid: number;
  /** Kills it (SIGKILL), unless it ends by another signal, and resolves when its successor is ready. */
  restart(signal?: NodeJS.Signals): Promise<void>;
  freeze(): void;
  thaw(): void;
  /** Ends it for good. */
  stop(): Promise<void>;
}

export interface Program {
  name: string;
  argv: readonly string[];
  /** Its output goes there: reading it would cost the program that makes the load time. */
  log: string;
  ready(): Promise<boolean>;
  /** Milliseconds until it is started again. */
  pause?: number;
}

/** Starts a program and waits until it is ready. */
export async function supervise({ name, argv, log, ready, pause = 1000 }: Program): Promise<Supervised> {
  mkdirSync(dirname(log), { recursive: true });
  const shell = ['-c', 'log=$1; shift; exec "$@" >> "$log" 2>&1', 'sh', log, ...argv];
  const launch = () => startChild('/bin/sh', shell, ready, 60_000);
  let child: Child = await launch();
  return {
    name,
    get pid() {
      return child.process.pid!;
    },
    async restart(signal = 'SIGKILL') {
      await child.end(signal);
      await delay(pause);
      child = await launch();
    },
    freeze: () => void child.process.kill('SIGSTOP'),
    thaw: () => void child.process.kill('SIGCONT'),
    stop: () => child.end('SIGKILL'),
  };
}
