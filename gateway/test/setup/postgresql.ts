/** A real PostgreSQL with an empty database, for an Orthanc that keeps its index and its files there. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { appendFile, chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startChild } from './child.ts';
import { freePort, isOpen } from './free-port.ts';
import { ensureInstalled } from './parts.ts';

export interface Postgresql {
  readonly port: number;
  /** Settings `PostgreSQL` of orthanc.json: the index and the files of Orthanc are in this database. */
  readonly orthancSettings: Readonly<Record<string, unknown>>;
  readonly pid: number;
  /** Ends the process at once, with all connections, and keeps the data. */
  kill(): Promise<void>;
  /** Starts it again at the same port, with the same data. */
  start(): Promise<void>;
  /** Ends the process and deletes the data. */
  stop(): Promise<void>;
}

/** Where it listens: an address, and a command that runs another one there (`ip netns exec …`). */
export interface PostgresqlPlace {
  address?: string;
  within?: readonly string[];
}

const VERSIONS = '/usr/lib/postgresql';
const USER = 'orthanc';

/** Starts PostgreSQL and waits until it takes connections (about 2 s). It does not run as root, so root uses the user postgres. */
export async function startPostgresql({
  address = '127.0.0.1',
  within = [],
}: PostgresqlPlace = {}): Promise<Postgresql> {
  ensureInstalled({
    postgresql: '/usr/share/postgresql-common/pg_wrapper',
    'orthanc-postgresql': '/usr/share/orthanc/plugins/libOrthancPostgreSQLIndex.so',
  });
  const directory = await mkdtemp(join(tmpdir(), 'postgresql-'));
  const data = join(directory, 'data');
  const port = await freePort();
  const isRoot = process.getuid?.() === 0;
  // The kernel forgets who to end with whom when the user changes: it is told after that.
  const asUser = isRoot
    ? ['setpriv', '--reuid=postgres', '--regid=postgres', '--init-groups', '--pdeathsig=KILL']
    : ['setpriv', '--pdeathsig=KILL'];
  const run = (program: string, args: readonly string[]) => {
    const [command, ...rest] = [...asUser, join(newest(), 'bin', program), ...args];
    execFileSync(command!, rest, { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] });
  };
  if (isRoot) execFileSync('chown', ['postgres:', directory]);
  else await chmod(directory, 0o700);
  run('initdb', ['-D', data, '-U', USER, '-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-sync']);
  await appendFile(join(data, 'pg_hba.conf'), 'host all all samehost trust\n');
  const settings = {
    listen_addresses: address,
    unix_socket_directories: directory,
    fsync: 'off',
    max_connections: '200',
  };
  const args = [
    '-D',
    data,
    '-p',
    String(port),
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ];
  const [program, ...before] = [...within, ...asUser, join(newest(), 'bin', 'postgres'), ...args];
  const launch = () => startChild('/usr/bin/env', [program!, ...before], () => isOpen(port, address));
  let child = await launch();
  return {
    port,
    orthancSettings: {
      EnableIndex: true,
      EnableStorage: true,
      Host: address,
      Port: port,
      Database: 'postgres',
      Username: USER,
      Password: '',
      ConnectionRetryInterval: 1,
      IndexConnectionsCount: 8,
    },
    get pid() {
      return child.process.pid!;
    },
    kill: () => child.end('SIGQUIT'),
    async start() {
      child = await launch();
    },
    async stop() {
      await child.end('SIGQUIT');
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Returns the folder of the newest version that is installed. */
function newest(): string {
  const versions = existsSync(VERSIONS) ? readdirSync(VERSIONS).map(Number) : [];
  return join(VERSIONS, String(Math.max(...versions)));
}
