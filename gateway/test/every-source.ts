/** The whole gateway over HTTP, with one tenant for each kind of image source; all sources have the same objects. */
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request, type Dispatcher } from 'undici';
import { authorizationServer, type AuthorizationServer } from './authorization-server.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';
import { freePort } from './setup/free-port.ts';
import { awake } from './setup/processor-time.ts';
import { startOrthanc, type Orthanc } from './setup/orthanc.ts';
import { startTcpProxy, type TcpProxy } from './setup/tcp-proxy.ts';

/** `several` has a DICOMweb archive and a folder. */
export const SOURCES = ['folder', 'dicom-web', 'c-get', 'c-move', 'several'] as const;
export type Source = (typeof SOURCES)[number];

type TestGatewayOptions = NonNullable<Parameters<typeof buildTestGateway>[3]>;
type AuditEvents = NonNullable<Parameters<typeof buildTestGateway>[2]>;
export type AuditRecord = Parameters<AuditEvents>[1];

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
  /** False where the connection broke before the end of the body. */
  ended: boolean;
}

export interface Asking {
  method?: 'GET' | 'HEAD' | 'POST';
  token?: string;
  headers?: Record<string, string>;
  /** Sent as JSON. */
  json?: object;
}

/** Requests to the archive. */
export interface Questions {
  /** Paths of DICOMweb. */
  web: string[];
  /** Data units of DIMSE (PS3.8 §9.3.5). */
  dimse: number;
}

export interface EverySource {
  gateway: TestGateway;
  ehr: AuthorizationServer;
  archive: Orthanc;
  /** Proxies between the gateway and the archive, and back for the deliveries of C-MOVE. */
  proxies: Record<'web' | 'dimse' | 'scp', TcpProxy>;
  /** Every audit record so far. */
  audit: AuditRecord[];
  /** Puts objects into the folder by atomic renames; replaces one of the same name. */
  store(files: Readonly<Record<string, Buffer>>): Promise<void>;
  /** Replaces the objects of a study, in the folder and in the archive. */
  replace(studyUid: string, files: Readonly<Record<string, Buffer>>): Promise<void>;
  /** Makes a token for the patient `id`, whose medical record number is `MRN-{id}`. */
  give(token: string, id: string, more?: object): void;
  /** Sends a request. @param path below the base of the gateway */
  ask(path: string, asking?: Asking): Promise<Answer>;
  /** Returns the requests to the archive since the call before. */
  questions(): Questions;
  close(): Promise<void>;
}

type Images = Readonly<Record<Source, object | object[]>>;

export interface EverySourceOptions extends Omit<TestGatewayOptions, 'tenants'> {
  /** The tenants; by default one for each source, with the name of the source. */
  files?: (images: Images, smart: object) => Record<string, unknown>;
  /** Replaces `files`. */
  tenants?: (images: Images, smart: object) => ReturnType<NonNullable<TestGatewayOptions['tenants']>>;
  /** Bytes of DIMSE retrievals that are cached. */
  maxBytes?: number;
}

/** Starts the gateway and its sources. @param objects Part 10 files by name, in the folder and in the archive */
export async function startEverySource(
  objects: Readonly<Record<string, Buffer>>,
  { files, tenants, maxBytes = 1e9, ...options }: EverySourceOptions = {},
): Promise<EverySource> {
  const ehr = await authorizationServer();
  const directory = await mkdtemp(join(tmpdir(), 'every-source-'));
  const folder = join(directory, 'images');
  await mkdir(folder);
  const store: EverySource['store'] = async (files) => {
    for (const [name, bytes] of Object.entries(files)) {
      await writeFile(join(directory, name), bytes);
      await rename(join(directory, name), join(folder, name));
    }
  };
  await store(objects);
  const port = await freePort();
  const scp = await startTcpProxy(port);
  const archive = await startOrthanc({
    files: Object.values(objects),
    modalities: { gateway: { aet: 'GATEWAY', port: scp.port } },
    configuration: { TranscodeDicomProtocol: false, HttpCompressionEnabled: false },
  });
  const proxies = {
    web: await startTcpProxy(Number(new URL(archive.url).port)),
    dimse: await startTcpProxy(archive.dicomPort),
    scp,
  };
  const images = imagesOf(folder, archive, proxies);
  const smart = { type: 'smart-on-fhir', fhirBaseUrl: ehr.fhirBaseUrl, client: ehr.client };
  const eachSource = () =>
    Object.fromEntries(SOURCES.map((source) => [source, { authorization: smart, images: images[source] }]));
  const audit: AuditRecord[] = [];
  const gateway = await buildTestGateway(
    () => files?.(images, smart) ?? eachSource(),
    { images: '', patients: '' },
    (_tenant, event) => audit.push(event),
    {
      port: await freePort(),
      dimse: { host: '127.0.0.1', port, maxBytes },
      ...(tenants && { tenants: () => tenants(images, smart) }),
      ...options,
    },
  );
  const agent = new Agent({ connections: 8 });
  const ask: EverySource['ask'] = (path, asking = {}) => answered(`${gateway.baseUrl}${path}`, asking, agent);
  const give: EverySource['give'] = (token, id, more = {}) => {
    const identifier = [{ value: `MRN-${id}`, type: { coding: [{ code: 'MR' }] } }];
    ehr.patients.set(id, { resourceType: 'Patient', id, identifier });
    const exp = Math.floor(ehr.now() / 1000) + 3600;
    const record = { client_id: 'app', sub: token, exp, patient: id, scope: 'patient/*.rs', ...more };
    ehr.tokens.set(token, record);
  };
  return {
    gateway,
    ehr,
    archive,
    proxies,
    audit,
    store,
    ask,
    give,
    async replace(studyUid, files) {
      await store(files);
      await archive.remove('Study', studyUid);
      await archive.upload(Object.values(files));
    },
    questions: () => ({ web: pathsSent(proxies.web), dimse: dataUnitsSent(proxies.dimse) }),
    async close() {
      await agent.destroy();
      await gateway.close();
      await ehr.close();
      for (const proxy of Object.values(proxies)) await proxy.stop();
      await archive.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function imagesOf(folder: string, archive: Orthanc, proxies: EverySource['proxies']) {
  const { username, password, aet: calledAe } = archive;
  const lookup = 'studies-by-mrn';
  const web = {
    type: 'dicom-web',
    endpoint: `http://127.0.0.1:${proxies.web.port}/dicom-web`,
    lookup,
    authentication: { type: 'http-basic', username, password },
  };
  const dimse = (retrieval: string) => ({
    type: 'dicom-dimse',
    endpoint: `dimse://127.0.0.1:${proxies.dimse.port}`,
    lookup,
    ae: 'GATEWAY',
    calledAe,
    retrieval,
  });
  const files = { type: 'folder', path: folder, lookup };
  return {
    folder: files,
    'dicom-web': web,
    'c-get': dimse('c-get'),
    'c-move': dimse('c-move'),
    several: [web, files],
  };
}

async function answered(
  url: string,
  { method = 'GET', token = 'own', headers = {}, json }: Asking,
  dispatcher: Dispatcher,
): Promise<Answer> {
  const content = json && { body: JSON.stringify(json) };
  const answer = await request(url, {
    method: json ? 'POST' : method,
    dispatcher,
    ...content,
    headers: {
      accept: '*/*',
      ...(json && { 'content-type': 'application/json' }),
      ...(token !== '' && { authorization: `Bearer ${token}` }),
      ...headers,
    },
  });
  const chunks: Buffer[] = [];
  let ended = true;
  try {
    for await (const chunk of answer.body) chunks.push(chunk as Buffer);
  } catch {
    ended = false;
  }
  return { status: answer.statusCode, headers: answer.headers, body: Buffer.concat(chunks), ended };
}

/** Returns the bytes of each connection since the call before. */
const takenOf = ({ connections }: TcpProxy) => connections.map(({ sent }) => Buffer.concat(sent.splice(0)));

function pathsSent(proxy: TcpProxy): string[] {
  return takenOf(proxy).flatMap((bytes) => {
    const lines = bytes.toString('latin1').matchAll(/^(?:GET|HEAD|POST) (\S+) HTTP\/1\.1\r$/gm);
    return [...lines].map(([, path]) => path!);
  });
}

function dataUnitsSent(proxy: TcpProxy): number {
  let units = 0;
  for (const bytes of takenOf(proxy)) {
    for (let at = 0; at + 6 <= bytes.length; at += 6 + bytes.readUInt32BE(at + 2))
      if (bytes[at] === 4) units++;
  }
  return units;
}

/** Groups audit records by X-Request-Id, after waiting for those that are written after an answer. */
export async function recordsByRequest({
  audit,
}: Pick<EverySource, 'audit'>): Promise<Map<string, AuditRecord[]>> {
  await awake(100);
  const records = new Map<string, AuditRecord[]>();
  for (const record of audit) records.set(record.request, [...(records.get(record.request) ?? []), record]);
  return records;
}
