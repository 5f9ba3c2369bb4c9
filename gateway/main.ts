import cluster from 'node:cluster';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NewerDataError } from '../schema/process/data-format.ts';
import { readSettings, SettingsError, type Settings } from './settings.ts';

/** Longest path of a Unix socket, in bytes, on the systems that Node runs on. */
const LONGEST_SOCKET_PATH = 100;

/**
 * Reads the environment, then serves in this process, or in several that it supervises (WORKERS). The supervisor loads little
 * of the gateway.
 */
async function main(settings: Settings, root: string): Promise<void> {
  const [command, target] = process.argv.slice(2);
  if (command === 'backup') {
    const { backUp } = await import('./state/backup.ts');
    for (const file of backUp(settings.dataDir, target)) console.log(file);
    return;
  }
  const isCommand = command !== undefined;
  if (settings.workers === 1 || isCommand || cluster.isWorker) {
    const { serve } = await import('./serve.ts');
    return serve(settings, root);
  }
  const { processLogger } = await import('./http/logger.ts');
  const { Supervisor } = await import('./workers/supervisor.ts');
  const log = processLogger(settings.logLevel, settings.logFormat);
  mkdirSync(settings.dataDir, { recursive: true, mode: 0o700 });
  const isKeySet = settings.sealingKeys.length > 0;
  if (!isKeySet)
    log.warn(
      'SEALING_KEY is not set: only these processes can open what they seal, and not after a restart.',
    );
  const supervisor = new Supervisor({
    processes: settings.workers,
    socket: socketIn(settings.dataDir),
    log,
    exit: process.exit,
    environment: isKeySet ? {} : { SEALING_KEY: randomBytes(32).toString('hex') },
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => supervisor.stop(signal));
  process.on('SIGHUP', () => (process.stdin.isTTY ? supervisor.stop('SIGINT') : supervisor.passOn('SIGHUP')));
  supervisor.start();
}

/** Returns the path of the first process's socket: in DATA_DIR, unless that is too long for one. */
function socketIn(dataDir: string): string {
  const path = join(dataDir, 'first-process.sock');
  return Buffer.byteLength(path) <= LONGEST_SOCKET_PATH
    ? path
    : join(tmpdir(), `smart-imaging-${process.pid}.sock`);
}

/** Finds the folder of package.json, from the sources or from dist/. */
function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}

/** Names the variable with which an operator corrects an error of the system; undefined for any other error. */
function mistakeOf(error: unknown, { dataDir }: Settings): string | undefined {
  const { code, syscall, address, hostname, port, path } = error as NodeJS.ErrnoException &
    Record<'address' | 'hostname' | 'port', unknown>;
  if (code === 'EADDRINUSE')
    return `Another program uses port ${String(port)} of ${String(address)}. End it, or set another PORT.`;
  if (code === 'EADDRNOTAVAIL')
    return `HOST: no network interface of this machine has the address ${String(address)}.`;
  if (syscall === 'getaddrinfo') return `HOST: the name ${String(hostname)} is not known (${code}).`;
  if (code === 'EACCES' && syscall === 'listen')
    return `This user may not open port ${String(port)}. Set another PORT.`;
  const isData = path !== undefined && `${path}${sep}`.startsWith(`${dataDir}${sep}`);
  if (!isData) return undefined;
  const isFile = code === 'EEXIST' || code === 'ENOTDIR';
  return `DATA_DIR: ${path} ${isFile ? 'is not a folder' : `cannot be used (${code})`}.`;
}

try {
  const root = packageRoot();
  const settings = readSettings(process.env, root);
  await main(settings, root).catch((error: unknown) => {
    const mistake = mistakeOf(error, settings);
    throw mistake === undefined ? error : new SettingsError(mistake);
  });
} catch (error) {
  // An error that an operator can correct needs no stack.
  const isMistake = error instanceof SettingsError || error instanceof NewerDataError;
  console.error(isMistake ? error.message : error);
  process.exit(1);
}
