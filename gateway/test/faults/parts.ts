/** The real parts around one gateway, and the ways in which they fail. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis as RedisClient } from 'ioredis';
import { Journey, portal } from '../dual-launch.ts';
import { foreignEhr, type ForeignEhr } from '../foreign-ehr.ts';
import { freePort } from '../setup/free-port.ts';
import { startGateway, type GatewayProcess } from '../setup/gateway.ts';
import { startOrthanc, type Orthanc } from '../setup/orthanc.ts';
import { startRedis, type Redis } from '../setup/redis.ts';
import { smallObjects } from '../setup/small-objects.ts';
import { startFaultProxy, type FaultProxy } from '../setup/fault-proxy.ts';

/** Tenants by the kind of their image source. */
export const SOURCES = ['dicom-web', 'c-get', 'c-move', 'folder', 'several'] as const;
export type SourceName = (typeof SOURCES)[number];

/** The patient whose tokens are used, and another patient with images. */
const [PATIENT, OTHER] = ['helen-castellanos', 'maria-alvarez'] as const;

/** Number of studies of the patient, and of instances in each. */
const STUDIES = 3;
export const INSTANCES = 6;
/** The study whose series is split: neither the folder nor Orthanc by DICOMweb has all instances; two are in both. */
const SPLIT_STUDY = `1.2.10.${STUDIES}`;
const ALL = [1, 2, 3, 4, 5, 6];
const SPLIT: Partial<Record<SourceName, readonly number[]>> = {
  folder: [1, 2, 3, 4],
  'dicom-web': [3, 4, 5, 6],
};

/** Returns the numbers of the instances that a tenant has of a study of the patient. */
export function instancesOf(tenant: SourceName, study: string): readonly number[] {
  return (study === SPLIT_STUDY && SPLIT[tenant]) || ALL;
}

/** One way in which one part fails and is restored. */
export interface Fault {
  name: string;
  /** Tenants whose requests may be answered with 503 during the fault. */
  touches: readonly SourceName[];
  /** A study that does not exist during the fault: it is deleted from a source that is reachable, so 404 is right. */
  gone?: string;
  /** True if 502 is right during the fault: the source is not where the tenant file says. What exists is never 404. */
  misplaced?: true;
  begin(): Promise<void> | void;
  end(): Promise<void> | void;
}

export interface Surroundings {
  gateway: GatewayProcess;
  token: string;
  /** FHIR id of the patient. */
  patient: string;
  /** PatientID of the patient in DICOM. */
  mrn: string;
  /** Study UIDs of the patient, and one of another patient. */
  studies: readonly string[];
  foreign: string;
  faults: Fault[];
  stop(): Promise<void>;
}

/** Starts all parts; call `stop` at the end. */
export async function startSurroundings(): Promise<Surroundings> {
  const directory = await mkdtemp(join(tmpdir(), 'faults-'));
  const [images, tenants, dataDir] = ['images', 'tenants', 'data'].map((name) => join(directory, name));
  await Promise.all([images!, tenants!, dataDir!].map((path) => mkdir(path, { mode: 0o700 })));
  const stops: (() => Promise<unknown>)[] = [() => removeInUse(directory)];
  const started = async <T>(starting: Promise<T>, stop: (part: T) => Promise<unknown>): Promise<T> => {
    const part = await starting;
    stops.unshift(() => stop(part));
    return part;
  };
  const stop = async (): Promise<void> => {
    for (const one of stops) await one();
  };
  try {
    const ehrProxy: FaultProxy = await started(
      startFaultProxy((): number => ehr.port),
      (one) => one.stop(),
    );
    const ehr: ForeignEhr = await started(
      foreignEhr(['https://gateway.example.org/callback'], [PATIENT, OTHER, 'hospital'], ehrProxy.port),
      (one) => one.close(),
    );
    const [patient, other] = await Promise.all([PATIENT, OTHER].map(recordOf));
    const { access_token: token } = await portal(ehr, new Journey(ehr.issuer), `user-of-${patient!.id}`);
    const objects = objectsOf(patient!.mrn, other!.mrn);
    for (const [uid, files] of heldBy('folder', objects)) await writeStudy(images!, uid, files);

    const scp = await freePort();
    const [ofWeb, ofDimse] = [heldBy('dicom-web', objects), heldBy('c-get', objects)];
    const archive = (held: typeof objects) =>
      started(
        startOrthanc({
          files: [...held.values()].flat(),
          modalities: { gateway: { aet: 'GATEWAY', port: scp } },
          configuration: { TranscodeDicomProtocol: false, OverwriteInstances: true },
        }),
        (orthanc) => orthanc.stop(),
      );
    const [web, dimse] = [await archive(ofWeb), await archive(ofDimse)];
    const elsewhere = await started(startEmptyServer(), (one) => one.stop());
    let isMoved = false;
    const webProxy = await started(
      startFaultProxy(() => (isMoved ? elsewhere.port : Number(new URL(web.url).port))),
      (one) => one.stop(),
    );
    const move = async (away: boolean): Promise<void> => {
      await webProxy.refuse();
      isMoved = away;
      await webProxy.restore();
    };
    const dimseProxy = await started(
      startFaultProxy(() => dimse.dicomPort),
      (one) => one.stop(),
    );
    const redis = await started(redisThatComesBack(), (one) => one.stop());
    const redisProxy = await started(
      startFaultProxy(() => redis.port),
      (one) => one.stop(),
    );

    for (const [name, tenant] of Object.entries(
      tenantFiles({ ehr, images: images!, web, webProxy, dimse, dimseProxy }),
    )) {
      await writeFile(join(tenants!, `${name}.json`), JSON.stringify(tenant));
    }
    const gateway = await started(
      startGateway({
        TENANTS_DIR: tenants!,
        DATA_DIR: dataDir!,
        REDIS_URL: `redis://127.0.0.1:${redisProxy.port}`,
        SEALING_KEY: randomBytes(32).toString('hex'),
        DIMSE_PORT: String(scp),
        LOG_LEVEL: 'warn',
      }),
      (one) => one.stop(),
    );
    const faults = [
      ...ehrFaults(ehrProxy),
      ...archiveFaults('Orthanc by DICOMweb', web, webProxy, ofWeb, ['dicom-web', 'several']),
      {
        name: 'Orthanc by DICOMweb: 404 to everything',
        touches: ['dicom-web', 'several'],
        misplaced: true,
        begin: () => move(true),
        end: () => move(false),
      } satisfies Fault,
      ...archiveFaults('Orthanc by DIMSE', dimse, dimseProxy, ofDimse, ['c-get', 'c-move']),
      ...folderFaults(images!, objects),
      ...dataDirFaults(dataDir!),
      ...redisFaults(redis, redisProxy),
    ];
    const [foreign, ...studies] = [...objects.keys()].reverse();
    const { id, mrn } = patient!;
    return { gateway, token, patient: id, mrn, studies, foreign: foreign!, faults, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Starts a server that has nothing at any path. */
async function startEmptyServer(): Promise<{ port: number; stop(): Promise<unknown> }> {
  const server = createServer((_request, response) => response.writeHead(404).end('Not Found'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { port, stop: () => new Promise((done) => (server.close(done), server.closeAllConnections())) };
}

async function recordOf(name: string): Promise<{ id: string; mrn: string }> {
  const path = join(import.meta.dirname, '../../demo/patients', `${name}.json`);
  const bundle = JSON.parse(await readFile(path, 'utf8')) as {
    entry: { resource: { resourceType: string; id: string; identifier: { value: string }[] } }[];
  };
  const { id, identifier } = bundle.entry.find(
    ({ resource }) => resource.resourceType === 'Patient',
  )!.resource;
  return { id, mrn: identifier[0]!.value };
}

/** Files by Study UID: those of the patient, and as the last those of another patient. */
function objectsOf(mrn: string, others: string): Map<string, Buffer[]> {
  const study = (studyUid: string, patientId: string) =>
    [studyUid, smallObjects({ studyUid, patientId, instances: INSTANCES })] as const;
  return new Map([
    ...Array.from({ length: STUDIES }, (_, i) => study(`1.2.10.${i + 1}`, mrn)),
    study('1.2.20.1', others),
  ]);
}

/** Returns the files that a source has, by Study UID. */
function heldBy(source: SourceName, objects: ReadonlyMap<string, Buffer[]>): Map<string, Buffer[]> {
  const held = ([uid, files]: [string, Buffer[]]): [string, Buffer[]] => [
    uid,
    instancesOf(source, uid).map((number) => files[number - 1]!),
  ];
  return new Map([...objects].map(held));
}

async function writeStudy(images: string, uid: string, files: readonly Buffer[]): Promise<void> {
  await mkdir(join(images, uid), { recursive: true });
  for (const [i, file] of files.entries()) await writeFile(join(images, uid, `${i}.dcm`), file);
}

function tenantFiles(parts: {
  ehr: ForeignEhr;
  images: string;
  web: Orthanc;
  webProxy: FaultProxy;
  dimse: Orthanc;
  dimseProxy: FaultProxy;
}): Record<SourceName, object> {
  const { ehr, images, web, webProxy, dimse, dimseProxy } = parts;
  const lookup = 'studies-by-mrn';
  const folder = { type: 'folder', path: images, lookup };
  const dicomWeb = {
    type: 'dicom-web',
    endpoint: `http://127.0.0.1:${webProxy.port}/dicom-web`,
    lookup,
    patience: 5,
    authentication: { type: 'http-basic', username: web.username, password: web.password },
  };
  const byDimse = (retrieval: string) => ({
    type: 'dicom-dimse',
    endpoint: `dimse://127.0.0.1:${dimseProxy.port}`,
    lookup,
    patience: 5,
    ae: 'GATEWAY',
    calledAe: dimse.aet,
    retrieval,
  });
  const { fhirBaseUrl, clients } = ehr;
  const authorization = { type: 'smart-on-fhir', fhirBaseUrl, client: clients.secret, introspectionTtl: 1 };
  const tenant = (images: object) => ({ authorization, images });
  return {
    'dicom-web': tenant(dicomWeb),
    'c-get': tenant(byDimse('c-get')),
    'c-move': tenant(byDimse('c-move')),
    folder: tenant(folder),
    several: tenant([folder, dicomWeb]),
  };
}

const byNetwork = (part: string, touches: readonly SourceName[], proxy: FaultProxy): Fault[] =>
  (['refuse', 'hang', 'reset'] as const).map((way) => ({
    name: `${part}: connections ${way}`,
    touches,
    begin: () => proxy[way](),
    end: () => proxy.restore(),
  }));

const ehrFaults = (proxy: FaultProxy): Fault[] => byNetwork('EHR', SOURCES, proxy);

function archiveFaults(
  part: string,
  orthanc: Orthanc,
  proxy: FaultProxy,
  objects: ReadonlyMap<string, Buffer[]>,
  touches: readonly SourceName[],
): Fault[] {
  const putBack = async (): Promise<void> => void (await orthanc.upload([...objects.values()].flat()));
  /** Hides a change: Orthanc deletes and stores one object after the other, and no client may meet a study in part. */
  const unseen = async (change: () => Promise<void>): Promise<void> => {
    await proxy.refuse();
    await change();
    await proxy.restore();
  };
  const [first] = objects.keys();
  return [
    { name: `${part}: killed`, touches, begin: () => orthanc.kill(), end: () => orthanc.restart() },
    { name: `${part}: hangs`, touches, begin: () => orthanc.freeze(), end: () => orthanc.thaw() },
    ...byNetwork(part, touches, proxy),
    {
      name: `${part}: one study is gone`,
      touches,
      gone: first!,
      begin: () => unseen(() => orthanc.remove('Study', first)),
      end: () => unseen(putBack),
    },
    {
      name: `${part}: empty`,
      touches,
      begin: () => unseen(() => orthanc.remove('Study')),
      end: () => unseen(putBack),
    },
  ];
}

function folderFaults(images: string, objects: ReadonlyMap<string, Buffer[]>): Fault[] {
  const touches = ['folder', 'several'] as const;
  const [first] = objects.keys();
  const moved = (from: string, name: string): Fault => ({
    name,
    touches,
    begin: () => rename(from, `${images}-${name.replaceAll(/\W/g, '-')}`),
    end: () => rename(`${images}-${name.replaceAll(/\W/g, '-')}`, from),
  });
  return [
    moved(images, 'folder: gone'),
    { ...moved(join(images, first!), 'folder: one study is gone'), gone: first! },
    {
      name: 'folder: another in its place, empty',
      touches,
      async begin() {
        await rename(images, `${images}-away`);
        await mkdir(images);
      },
      async end() {
        await removeInUse(images);
        await rename(`${images}-away`, images);
      },
    },
    {
      name: 'folder: emptied',
      touches,
      async begin() {
        await mkdir(`${images}-emptied`);
        for (const uid of objects.keys()) await rename(join(images, uid), join(`${images}-emptied`, uid));
      },
      async end() {
        for (const uid of objects.keys()) await rename(join(`${images}-emptied`, uid), join(images, uid));
        await rm(`${images}-emptied`, { recursive: true });
      },
    },
  ];
}

/** Removes a folder in which a running gateway may still write: ENOTEMPTY is retried for 5 s. */
function removeInUse(folder: string): Promise<void> {
  return rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
}

function dataDirFaults(dataDir: string): Fault[] {
  const away = `${dataDir}-away`;
  return [
    {
      name: 'DATA_DIR: gone',
      touches: SOURCES,
      begin: () => rename(dataDir, away),
      async end() {
        await removeInUse(dataDir);
        await rename(away, dataDir);
      },
    },
    {
      name: 'DATA_DIR: emptied',
      touches: SOURCES,
      async begin() {
        await cp(dataDir, away, { recursive: true });
        await removeInUse(dataDir);
        await mkdir(dataDir, { mode: 0o700 });
      },
      end: () => rm(away, { recursive: true }),
    },
  ];
}

interface RedisThatComesBack {
  port: number;
  kill(): Promise<void>;
  comeBack(): Promise<void>;
  freeze(): void;
  thaw(): void;
  command(...command: string[]): Promise<void>;
  stop(): Promise<void>;
}

async function redisThatComesBack(): Promise<RedisThatComesBack> {
  let redis: Redis = await startRedis();
  const { port, url } = redis;
  return {
    port,
    kill: () => redis.stop(),
    async comeBack() {
      redis = await startRedis(port);
    },
    freeze: () => redis.freeze(),
    thaw: () => redis.thaw(),
    async command(name, ...rest) {
      const client = new RedisClient(url);
      await client.call(name, ...rest);
      client.disconnect();
    },
    stop: () => redis.stop(),
  };
}

/** None of the requests needs data that are only in Redis, so none of them may fail. */
function redisFaults(redis: RedisThatComesBack, proxy: FaultProxy): Fault[] {
  const touches: SourceName[] = [];
  const config = (name: string, value: string) => redis.command('CONFIG', 'SET', name, value);
  return [
    { name: 'Redis: killed', touches, begin: () => redis.kill(), end: () => redis.comeBack() },
    { name: 'Redis: hangs', touches, begin: () => redis.freeze(), end: () => redis.thaw() },
    ...byNetwork('Redis', touches, proxy),
    { name: 'Redis: emptied', touches, begin: () => redis.command('FLUSHALL'), end: () => undefined },
    {
      name: 'Redis: read-only',
      touches,
      begin: () => redis.command('REPLICAOF', '127.0.0.1', '1'),
      end: () => redis.command('REPLICAOF', 'NO', 'ONE'),
    },
    {
      name: 'Redis: full',
      touches,
      begin: () => config('maxmemory', '1'),
      end: () => config('maxmemory', '0'),
    },
  ];
}
