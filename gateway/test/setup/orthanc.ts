/** A real Orthanc with its DICOMweb plugin, on free ports, with its own empty storage. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { request } from 'undici';
import { startChild, type Child } from './child.ts';
import { freePort } from './free-port.ts';
import { startPostgresql, type Postgresql } from './postgresql.ts';

export interface OrthancOptions {
  /** HTTP user. Default `gateway` / `orthanc-test`. */
  username?: string;
  password?: string;
  /** Targets of a C-MOVE, by symbolic name. */
  modalities?: Record<string, { aet: string; port: number; host?: string; tls?: boolean }>;
  /** Application entity title of Orthanc. Default `ORTHANC`. */
  aet?: string;
  /** Files to import before `startOrthanc` resolves. */
  files?: Iterable<string | Uint8Array>;
  /** Settings of orthanc.json that are added or replaced. */
  configuration?: Record<string, unknown>;
  /** Where it keeps its index and its files. Default: `ORTHANC_STORE`, or else SQLite and a folder of its own. */
  store?: Postgresql | 'files';
  /** Where it listens: an address that is not loopback, and a command that runs another one there. */
  place?: { address: string; within: readonly string[] };
}

export interface Orthanc {
  /** `http://127.0.0.1:port`, without a slash at the end. */
  readonly url: string;
  /** The DICOMweb root: `{url}/dicom-web`. */
  readonly dicomWebUrl: string;
  readonly dicomPort: number;
  readonly aet: string;
  readonly username: string;
  readonly password: string;
  readonly pid: number;
  /** `Basic …`, for the Authorization header. */
  readonly authorization: string;
  /**
   * Imports Part 10 files (paths or bytes); returns Orthanc's instance ids, in order. Rejects on the first refusal.
   */
  upload(files: Iterable<string | Uint8Array>): Promise<string[]>;
  /** Deletes a study or an instance; all studies without a UID. */
  remove(level: 'Study' | 'Instance', uid?: string): Promise<void>;
  /** Ends the process at once and keeps the storage: a dead PACS. */
  kill(): Promise<void>;
  /** Starts again on the same ports with the same storage. */
  restart(): Promise<void>;
  /** Accepts connections but answers nothing, until `thaw`: a hanging PACS. */
  freeze(): Promise<void>;
  thaw(): void;
  /** Ends the process and deletes the storage. Safe to call twice. */
  stop(): Promise<void>;
}

const program = '/usr/sbin/Orthanc';
// By its full path: the plugin folder may hold orthanc-gdcm, which crashes this version on compressed objects.
const plugin = (name: string) => `/usr/share/orthanc/plugins/libOrthanc${name}.so`;
/** `ORTHANC_STORE=postgresql npx vitest run …` runs tests with Orthanc over PostgreSQL. */
const ON_POSTGRESQL = process.env['ORTHANC_STORE'] === 'postgresql';

/** Tells whether every thread of the process is in state T, proc_pid_stat(5). */
async function allThreadsStopped(pid: number): Promise<boolean> {
  const threads = await readdir(`/proc/${pid}/task`);
  const stats = await Promise.all(threads.map((id) => readFile(`/proc/${pid}/task/${id}/stat`, 'utf8')));
  return stats.every((stat) => /\) T /.test(stat));
}

/** Starts Orthanc and waits until it answers (about 0.2 s). Call `stop()` in `afterAll`. */
export async function startOrthanc(options: OrthancOptions = {}): Promise<Orthanc> {
  const { username = 'gateway', password = 'orthanc-test', aet = 'ORTHANC' } = options;
  const { address, within } = options.place ?? { address: '127.0.0.1', within: [] };
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const directory = await mkdtemp(join(tmpdir(), 'orthanc-'));
  const settingsFile = join(directory, 'orthanc.json');
  const own = options.store === undefined && ON_POSTGRESQL ? await startPostgresql() : undefined;
  const database = own ?? (options.store === 'files' ? undefined : options.store);
  let url = '';
  let dicomPort = 0;

  const launch = () =>
    // Without TCP_NODELAY its DIMSE answers wait 40 ms each for our acknowledgement.
    startChild('/usr/bin/env', ['TCP_NODELAY=1', ...within, program, settingsFile], async () => {
      const { statusCode, body } = await request(`${url}/system`, {
        headers: { authorization },
        reset: true,
      });
      await body.dump();
      return statusCode === 200;
    });

  async function launchOnFreePorts(attempts: number): Promise<Child> {
    const httpPort = await freePort();
    dicomPort = await freePort();
    url = `http://${address}:${httpPort}`;
    const settings = {
      Name: 'test',
      DicomAet: aet,
      HttpPort: httpPort,
      DicomPort: dicomPort,
      RemoteAccessAllowed: options.place !== undefined,
      AuthenticationEnabled: true,
      RegisteredUsers: { [username]: password },
      StorageDirectory: join(directory, 'storage'),
      IndexDirectory: join(directory, 'index'),
      Plugins: [
        plugin('DicomWeb'),
        ...(database ? [plugin('PostgreSQLIndex'), plugin('PostgreSQLStorage')] : []),
      ],
      ...(database && { PostgreSQL: database.orthancSettings }),
      DicomWeb: { Enable: true, Root: '/dicom-web/' },
      DicomAlwaysAllowEcho: true,
      DicomAlwaysAllowFind: true,
      DicomAlwaysAllowGet: true,
      DicomAlwaysAllowMove: true,
      DicomModalities: Object.fromEntries(
        Object.entries(options.modalities ?? {}).map(([name, { aet, port, host = '127.0.0.1', tls }]) => [
          name,
          { AET: aet, Host: host, Port: port, UseDicomTls: tls === true },
        ]),
      ),
      ...options.configuration,
    };
    await writeFile(settingsFile, JSON.stringify(settings));
    try {
      return await launch();
    } catch (error) {
      // Another process may have taken one of the ports meanwhile.
      if (attempts > 1) return launchOnFreePorts(attempts - 1);
      await rm(directory, { recursive: true, force: true });
      await own?.stop();
      throw error;
    }
  }

  async function upload(files: Iterable<string | Uint8Array>): Promise<string[]> {
    const ids: string[] = [];
    const queue = [...files].entries();
    const worker = async () => {
      for (const [index, file] of queue) {
        const bytes = typeof file === 'string' ? await readFile(file) : file;
        // reset: Orthanc closes idle sockets after one second
        const answer = await request(`${url}/instances`, {
          method: 'POST',
          headers: { authorization, 'content-type': 'application/dicom' },
          body: bytes,
          reset: true,
        });
        const text = await answer.body.text();
        if (answer.statusCode !== 200) {
          const name = typeof file === 'string' ? file : `file number ${index}`;
          throw new Error(`Orthanc refused ${name}: ${answer.statusCode} ${text}`);
        }
        ids[index] = (JSON.parse(text) as { ID: string }).ID;
      }
    };
    await Promise.all([worker(), worker(), worker(), worker()]);
    return ids;
  }

  async function remove(level: 'Study' | 'Instance', uid?: string): Promise<void> {
    const call = (path: string, method: 'POST' | 'DELETE', query?: object) =>
      request(`${url}${path}`, {
        method,
        headers: { authorization },
        reset: true,
        ...(query && { body: JSON.stringify(query) }),
      });
    const [key, folder] =
      level === 'Study' ? ['StudyInstanceUID', 'studies'] : ['SOPInstanceUID', 'instances'];
    const Query = uid === undefined ? {} : { [key!]: uid };
    const { body } = await call('/tools/find', 'POST', { Level: level, Query });
    for (const id of (await body.json()) as string[])
      await (await call(`/${folder}/${id}`, 'DELETE')).body.dump();
  }

  async function stop(): Promise<void> {
    await child.end('SIGKILL'); // its own shutdown takes seconds and the storage goes anyway
    await own?.stop();
    await rm(directory, { recursive: true, force: true });
  }

  let child = await launchOnFreePorts(3);
  if (options.files) {
    try {
      await upload(options.files);
    } catch (error) {
      await stop();
      throw error;
    }
  }
  return {
    url,
    dicomWebUrl: `${url}/dicom-web`,
    dicomPort,
    aet,
    username,
    password,
    authorization,
    remove,
    get pid() {
      return child.process.pid!;
    },
    upload,
    kill: () => child.end('SIGKILL'),
    async restart() {
      await child.end();
      child = await launch();
    },
    async freeze() {
      child.process.kill('SIGSTOP');
      // The signal stops a thread when it is next scheduled; until then a thread may still answer.
      while (!(await allThreadsStopped(child.process.pid!))) await delay(5);
    },
    thaw: () => void child.process.kill('SIGCONT'),
    stop,
  };
}
