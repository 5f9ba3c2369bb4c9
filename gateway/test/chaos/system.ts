/** The whole system as it is run for hospitals, on one machine: three processes of each role, nginx, Redis, Orthanc, PostgreSQL. */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { authorizationServer, type AuthorizationServer } from '../authorization-server.ts';
import { freePort, isOpen } from '../setup/free-port.ts';
import { startOrthanc, type Orthanc } from '../setup/orthanc.ts';
import { startPostgresql, type Postgresql } from '../setup/postgresql.ts';
import { ROLES, startBalancers, type Role } from './balancers.ts';
import { makeNetwork, type CutPlace, type Network, type Place } from './network.ts';
import { chaosPatients, imagesOf, patientOf, recordOf, type ChaosPatient } from './patients.ts';
import { supervise, type Supervised } from './supervised.ts';

/** Tenants: tokens of an EHR, and tokens of our own authorization server, whose state is in Redis. */
export const TENANTS = ['ehr', 'own'] as const;
export type TenantName = (typeof TENANTS)[number];

export interface System {
  /** URL of the entry. */
  url: string;
  patients: readonly ChaosPatient[];
  processes: Record<Role, readonly Supervised[]>;
  redis: Supervised;
  orthanc: Orthanc;
  postgresql: Postgresql;
  /** Parts with a network of their own. */
  places: Record<'redis' | 'archive' | 'clinical' | 'imaging', CutPlace>;
  /** Process ids by name, for measurements. */
  pids(): Record<string, number>;
  /** URLs of the metrics of the processes of all roles, by name. */
  metricsUrls: Readonly<Record<string, string>>;
  /** The EHR, which counts its calls. */
  ehr: AuthorizationServer;
  redisUrl: string;
  /** Returns a fresh token of each patient in each tenant. */
  tokens(): Promise<Map<string, string>>;
  stop(): Promise<void>;
}

export const tokenOf = (tenant: TenantName, { id }: ChaosPatient): string => `${tenant} ${id}`;

const program = join(import.meta.dirname, '../../../dist/gateway/main.js');
const SECRET = 'the secret of every app of this system';

export interface SystemSize {
  /** Processes of each role. */
  size?: number;
  /** Rows and columns of an image. */
  side?: number;
}

/** Starts the system; call `stop` at the end. */
export async function startSystem({ size = 3, side = 128 }: SystemSize = {}): Promise<System> {
  const directory = await mkdtemp(join(tmpdir(), 'chaos-'));
  const stops: (() => unknown)[] = [
    () => rm(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 }),
  ];
  const kept = <T>(part: T, stop: (part: T) => unknown): T => {
    stops.unshift(() => stop(part));
    return part;
  };
  const stop = async (): Promise<void> => {
    for (const one of stops.splice(0)) await one();
  };
  try {
    return await start(directory, { size, side }, { kept, stop });
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Keeping {
  kept<T>(part: T, stop: (part: T) => unknown): T;
  stop(): Promise<void>;
}

async function start(
  directory: string,
  { size, side }: Required<SystemSize>,
  { kept, stop }: Keeping,
): Promise<System> {
  const network: Network = kept(makeNetwork(), (one) => one.remove());
  const places = {
    redis: network.place('redis'),
    archive: network.place('archive'),
    clinical: network.place('clinical'),
    imaging: network.place('imaging'),
  };
  const patients = chaosPatients(12);
  const [redis, postgresql, ehr] = await Promise.all([
    startRedis(directory, places.redis),
    startPostgresql(places.archive),
    authorizationServer(network.here.address),
  ]);
  kept(redis, (one) => one.stop());
  kept(postgresql, (one) => one.stop());
  kept(ehr, (one) => one.close());
  const orthanc = kept(
    await startOrthanc({
      place: places.archive,
      store: postgresql,
      files: patients.flatMap((one) => imagesOf(one, side)),
    }),
    (one) => one.stop(),
  );
  await writeTenants(directory, patients, { ehr, orthanc });

  const at = await placesOf(size, places);
  const servers = Object.fromEntries(
    ROLES.map((role) => [role, at[role].map(({ place, port }) => `${place.address}:${port}`)]),
  ) as Record<Role, string[]>;
  const balancers = kept(await startBalancers(directory, servers, network.here), (one) => one.end());
  const redisUrl = `redis://${places.redis.address}:${REDIS_PORT}`;
  const environment = {
    BASE_URL: balancers.urls.gateway,
    SEALING_KEY: randomBytes(32).toString('hex'),
    CLINICAL_URL: balancers.urls.clinical,
    IMAGING_URL: balancers.urls.imaging,
    REDIS_URL: redisUrl,
    TENANTS_DIR: join(directory, 'tenants'),
    TRUSTED_PROXIES: '127.0.0.1',
    NODE_ENV: 'production',
    LOG_LEVEL: 'warn',
    DIMSE_PORT: '0',
    // The processes with a network of their own do not listen on loopback.
    ALLOW_MOCK: '1',
    SHUTDOWN_DELAY_SECONDS: '0',
  };
  const processes = {} as Record<Role, Supervised[]>;
  for (const role of [...ROLES].reverse()) {
    const starting = at[role].map(({ place, port }, i) =>
      startRole({ role, name: `${role} ${i + 1}`, place, port, directory, environment }),
    );
    processes[role] = await Promise.all(starting);
    for (const one of processes[role]) kept(one, (process) => process.stop());
  }
  const pids = () => ({
    ...Object.fromEntries(ROLES.flatMap((role) => processes[role].map(({ name, pid }) => [name, pid]))),
    redis: redis.pid,
    nginx: balancers.pid,
    orthanc: orthanc.pid,
  });
  const metricsUrls = Object.fromEntries(
    ROLES.flatMap((role) =>
      servers[role].map((server, i) => [`${role} ${i + 1}`, `http://${server}/metrics`]),
    ),
  );
  const url = balancers.urls.gateway;
  const tokens = () => tokensOf(url, patients);
  const parts = { processes, redis, orthanc, postgresql, ehr, places };
  return { ...parts, url, patients, pids, metricsUrls, redisUrl, tokens, stop };
}

/** Returns where each process runs: the first ones of the subgraphs have a network of their own. */
async function placesOf(
  size: number,
  places: Record<'clinical' | 'imaging', Place>,
): Promise<Record<Role, { place: Place; port: number }[]>> {
  const loopback = { address: '127.0.0.1', within: [] };
  const found = {} as Record<Role, { place: Place; port: number }[]>;
  for (const role of ROLES) {
    found[role] = [];
    for (let i = 0; i < size; i++) {
      const place = i > 0 || role === 'gateway' ? loopback : places[role];
      found[role].push({ place, port: await freePort() });
    }
  }
  return found;
}

const REDIS_PORT = 6379;

/** Redis with its data on disk, as docs/several-processes.md asks for. */
async function startRedis(directory: string, { address, within }: Place): Promise<Supervised> {
  const folder = join(directory, 'redis');
  await mkdir(folder);
  const settings = { port: REDIS_PORT, bind: address, dir: folder, appendonly: 'yes', save: '' };
  const args = Object.entries({ ...settings, 'protected-mode': 'no' });
  return supervise({
    name: 'redis',
    argv: [
      ...within,
      '/usr/bin/redis-server',
      ...args.flatMap(([name, value]) => [`--${name}`, String(value)]),
    ],
    log: join(directory, 'logs/redis'),
    ready: () => isOpen(REDIS_PORT, address),
  });
}

interface RoleProcess {
  role: Role;
  name: string;
  place: Place;
  port: number;
  directory: string;
  environment: Readonly<Record<string, string>>;
}

function startRole({ role, name, place, port, directory, environment }: RoleProcess): Promise<Supervised> {
  const folder = name.replace(' ', '-');
  const own = { PORT: port, HOST: place.address, DATA_DIR: join(directory, 'data', folder) };
  const settings = Object.entries({ ...environment, ...own }).map(([key, value]) => `${key}=${value}`);
  const argv = ['/usr/bin/env', ...settings, process.execPath, program];
  return supervise({
    name,
    argv: [...place.within, ...argv, ...(role === 'gateway' ? [] : [role])],
    log: join(directory, 'logs', folder),
    async ready() {
      const { statusCode, body } = await request(`http://${place.address}:${port}/health/ready`, {
        reset: true,
      });
      await body.dump();
      return statusCode === 200;
    },
  });
}

async function writeTenants(
  directory: string,
  patients: readonly ChaosPatient[],
  { ehr, orthanc }: { ehr: AuthorizationServer; orthanc: Orthanc },
): Promise<void> {
  const [records, tenants] = [join(directory, 'records'), join(directory, 'tenants')];
  await Promise.all([records, tenants].map((folder) => mkdir(folder)));
  const exp = Math.floor(Date.now() / 1000) + 24 * 3600;
  for (const patient of patients) {
    await writeFile(join(records, `${patient.id}.json`), JSON.stringify(recordOf(patient)));
    ehr.patients.set(patient.id, patientOf(patient));
    const token = { client_id: 'app', sub: patient.id, exp, patient: patient.id, scope: 'patient/*.rs' };
    ehr.tokens.set(`ehr-token-${patient.number}`, token);
  }
  const { username, password, dicomWebUrl: endpoint } = orthanc;
  const images = {
    type: 'dicom-web',
    endpoint,
    lookup: 'studies-by-mrn',
    authentication: { type: 'http-basic', username, password },
  };
  const clinical = { type: 'store', path: records };
  const { fhirBaseUrl, client } = ehr;
  const authorization: Record<TenantName, object> = {
    ehr: { type: 'smart-on-fhir', fhirBaseUrl, client, introspectionTtl: 2 },
    own: {
      type: 'embedded',
      modes: ['backend-services'],
      clients: patients.map(({ id }) => ({ client_id: id, client_secret: SECRET, scope: 'system/*.rs' })),
      policy: patients.map(({ id }) => ({ client_id: id, patients: [id] })),
    },
  };
  for (const tenant of TENANTS) {
    const file = { authorization: authorization[tenant], clinical, images };
    await writeFile(join(tenants, `${tenant}.json`), JSON.stringify(file));
  }
}

async function tokensOf(url: string, patients: readonly ChaosPatient[]): Promise<Map<string, string>> {
  const tokens = new Map<string, string>();
  for (const patient of patients) {
    tokens.set(tokenOf('ehr', patient), `ehr-token-${patient.number}`);
    const basic = Buffer.from(`${patient.id}:${encodeURIComponent(SECRET)}`).toString('base64');
    const { statusCode, body } = await request(`${url}/own/oauth/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${basic}`, 'content-type': 'application/x-www-form-urlencoded' },
      body: 'grant_type=client_credentials&scope=system/*.rs',
    });
    const answer = (await body.json()) as { access_token?: string };
    if (statusCode !== 200) throw new Error(`No token: ${statusCode} ${JSON.stringify(answer)}`);
    tokens.set(tokenOf('own', patient), answer.access_token!);
  }
  return tokens;
}
