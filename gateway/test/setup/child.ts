/** Child processes of tests: started, watched until they are ready, and ended by their process id. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

export interface Child {
  readonly process: ChildProcess;
  /** All it wrote; of more than a million characters, the last. */
  log(): string;
  /** Sends the signal and resolves when the process is gone; after 8 s it is killed. */
  end(signal?: NodeJS.Signals): Promise<void>;
}

/** Milliseconds within which a process has written what it logged: it writes lines together, a tenth of a second later. */
const LOGGED_WITHIN = 300;
const LONGEST_LOG = 1_000_000;
const LONGEST_MESSAGE = 4000;

// The kernel ends them when the test worker is killed: a killed worker runs no exit handler.
const setpriv = existsSync('/usr/bin/setpriv') ? '/usr/bin/setpriv' : undefined;

/**
 * Starts a program and waits until `ready` resolves to true, asking every 20 ms.
 * Rejects with the last lines of the program when it ends first or is not ready within `timeout` milliseconds.
 */
export async function startChild(
  command: string,
  args: readonly string[],
  ready: () => Promise<boolean>,
  timeout = 20_000,
): Promise<Child> {
  const argv = setpriv ? [setpriv, '--pdeathsig', 'KILL', command, ...args] : [command, ...args];
  const child = spawn(argv[0] as string, argv.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });
  let written = '';
  const keep = (chunk: Buffer) => (written = (written + chunk.toString()).slice(-LONGEST_LOG));
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const gone = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', (error) => {
      written += String(error);
      resolve();
    });
  });
  const ended = () => child.exitCode !== null || child.signalCode !== null || child.pid === undefined;

  const handle: Child = {
    process: child,
    log: () => written,
    async end(signal = 'SIGTERM') {
      if (ended()) return;
      child.kill(signal);
      child.kill('SIGCONT'); // a frozen process takes no SIGTERM
      const late = setTimeout(() => child.kill('SIGKILL'), 8_000);
      await gone;
      clearTimeout(late);
    },
  };

  const giveUp = Date.now() + timeout;
  while (!ended() && Date.now() < giveUp) {
    if (await ready().catch(() => false)) return handle;
    await Promise.race([gone, delay(20)]);
  }
  await handle.end('SIGKILL');
  throw new Error(`${command} did not become ready:\n${written.slice(-LONGEST_MESSAGE)}`);
}

/** Returns all that a process has logged up to now, for tests of what is not in it. */
export async function wholeLog({ log }: Pick<Child, 'log'>): Promise<string> {
  await delay(LOGGED_WITHIN);
  return log();
}
