import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EXPLICIT_LITTLE_ENDIAN } from '../demo/dicom-file.ts';
import { freePort } from './setup/free-port.ts';
import { startGateway, type GatewayProcess } from './setup/gateway.ts';
import { imageObject, SMALL } from './setup/image-object.ts';
import { longTest } from './setup/usual-run.ts';

/** Tenant files that change while a gateway runs, of one process and of two. */

const LARGE = { ...SMALL, rows: 1024, columns: 1024, numberOfFrames: 30 };
const SECRET = 'a-secret-of-the-analyst-0123456789';
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tenant-reload-'));
  for (const [name, described] of [
    ['1', LARGE],
    ['2', SMALL],
  ] as const) {
    await mkdir(join(folder, name));
    const { rows, columns, numberOfFrames = 1 } = described as typeof LARGE;
    const pixels = new Uint8Array(rows * columns * numberOfFrames);
    const object = imageObject(`1.2.${name}`, EXPLICIT_LITTLE_ENDIAN, described, pixels);
    await writeFile(join(folder, name, 'image.dcm'), object);
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const images = (path: string) => ({ type: 'folder', path: `../${path}`, lookup: 'all-studies-on-server' });
const open = (path: string) => ({
  authorization: { type: 'mock', disableAuthzChecks: true },
  clinical: { type: 'none' },
  images: images(path),
});
const own = (path: string) => ({
  ...open(path),
  authorization: {
    type: 'embedded',
    modes: ['backend-services'],
    clients: [{ client_id: 'analyst', client_secret: SECRET, scope: 'system/*.rs' }],
    policy: [{ client_id: 'analyst', patients: ['p1'] }],
  },
});

describe.each([
  ['one process', {}],
  ['two processes', { WORKERS: '2' }],
])('%s', (title, environment) => {
  let gateway: GatewayProcess;
  let tenants: string;
  beforeAll(async () => {
    tenants = join(folder, title.replace(' ', '-'));
    await mkdir(tenants);
    await Promise.all([put('open', open('1')), put('own', own('1'))]);
    gateway = await startGateway({ TENANTS_DIR: tenants, TENANTS_INTERVAL_SECONDS: '0.2', ...environment });
  }, 60_000);
  afterAll(() => gateway?.stop());

  /** Replaces a file as a careful program does. */
  async function put(key: string, content: unknown): Promise<void> {
    const text = typeof content === 'string' ? content : JSON.stringify(content);
    await writeFile(join(tenants, `${key}.new`), text);
    await rename(join(tenants, `${key}.new`), join(tenants, `${key}.json`));
  }
  const ask = async (path: string, token?: string) => {
    const headers = token ? { authorization: `Bearer ${token}` } : {};
    const { statusCode: status, body } = await request(gateway.url + path, { headers, reset: true });
    return { status, text: await body.text() };
  };
  const studiesOf = async (key: string) => {
    const { status, text } = await ask(`/${key}/dicomweb/studies`);
    if (status !== 200 || text === '') return status;
    return (JSON.parse(text) as Record<string, { Value: string[] }>[]).map(
      (row) => row['0020000D']!.Value[0],
    );
  };
  /** Waits until each process answers so. */
  const becomes = (what: () => Promise<unknown>, expected: unknown) =>
    expect
      .poll(() => Promise.all(Array.from({ length: 6 }, what)), { timeout: 15_000, interval: 50 })
      .toEqual(Array(6).fill(expected));
  const token = async () => {
    const { body } = await request(`${gateway.url}/own/oauth/token`, {
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from(`analyst:${SECRET}`).toString('base64')}`,
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: 'grant_type=client_credentials&scope=system/*.rs',
    });
    return ((await body.json()) as { access_token: string }).access_token;
  };

  test('a changed tenant is served, what it has cached is forgotten, and a download goes on', async () => {
    await becomes(() => studiesOf('open'), ['1.2.1']);
    const download = await request(`${gateway.url}/open/dicomweb/studies/1.2.1`, { reset: true });
    await put('open', open('2'));
    await becomes(() => studiesOf('open'), ['1.2.2']);
    expect(await ask('/open/dicomweb/studies/1.2.1/metadata')).toMatchObject({ status: 404 });
    let length = 0;
    for await (const chunk of download.body) length += (chunk as Buffer).length;
    expect(length).toBeGreaterThan(LARGE.rows * LARGE.columns * LARGE.numberOfFrames);
  }, 60_000);

  test('tokens that were issued before stay valid, also where the tenant changes', async () => {
    const before = await token();
    const status = async () => (await ask('/own/dicomweb/studies', before)).status;
    expect(await status()).toBe(200);
    await put('own', { ...own('2'), mcp: { enabled: true } });
    await becomes(async () => (await ask('/own/mcp', before)).status === 404, false);
    expect(await status()).toBe(200);
    expect((await ask('/own/dicomweb/studies', 'another')).status).toBe(401);
  }, 60_000);

  test('a wrong file is named while the tenant before it is served', async () => {
    await put('open', '{ "authorization":');
    const ready = async () => JSON.parse((await ask('/health/ready')).text) as unknown;
    await becomes(ready, { status: 'ready', rejectedTenantFiles: ['open.json'] });
    expect(await studiesOf('open')).toEqual(['1.2.2']);
    await expect.poll(gateway.log).toContain('"file":"open.json","reason":"(root): is not JSON: line ');
    const { text } = await ask('/metrics');
    expect(text).toMatch(/^tenant_reloads_total\{result="rejected"\} [12]$/m);
    expect(text).toMatch(/^tenants_rejected 1$/m);
    await put('open', open('2'));
    await becomes(ready, { status: 'ready' });
  }, 60_000);

  test('a tenant that comes is served, and one that goes is unknown', async () => {
    await put('second', open('1'));
    await becomes(() => studiesOf('second'), ['1.2.1']);
    expect((await ask('/')).text).toContain('second/playground');
    await rm(join(tenants, 'second.json'));
    await becomes(async () => (await ask('/second/dicomweb/studies')).status, 404);
    const unknown = await ask('/unknown/dicomweb/studies');
    expect(await ask('/second/dicomweb/studies')).toEqual(unknown);
    expect((await ask('/')).text).not.toContain('second/playground');
  }, 60_000);
});

test('SIGHUP takes up a change at once', async () => {
  const tenants = join(folder, 'hup');
  await mkdir(tenants);
  const file = join(tenants, 'open.json');
  await writeFile(file, JSON.stringify(open('1')));
  const gateway = await startGateway({ TENANTS_DIR: tenants, TENANTS_INTERVAL_SECONDS: '0', WORKERS: '2' });
  const study = async () => {
    const { statusCode, body } = await request(`${gateway.url}/open/dicomweb/studies/1.2.2/series`, {
      reset: true,
    });
    await body.dump();
    return statusCode;
  };
  try {
    expect(await study()).toBe(404);
    await writeFile(file, JSON.stringify(open('2')));
    process.kill(gateway.pid, 'SIGHUP');
    await expect.poll(study, { timeout: 15_000, interval: 50 }).toBe(200);
  } finally {
    await gateway.stop();
  }
}, 60_000);

longTest(
  'three processes: while they have other records, the record is refused; no answer is of the wrong one',
  async () => {
    const roles = ['clinical', 'imaging', 'gateway'] as const;
    for (const record of ['1', '2']) {
      const patient = { resourceType: 'Patient', id: 'p1', birthDate: `196${record}-01-01` };
      await mkdir(join(folder, `record${record}`));
      await writeFile(join(folder, `record${record}`, 'patient.json'), JSON.stringify(patient));
    }
    const put = (role: string, record: string) => {
      const tenant = { ...open('1'), clinical: { type: 'store', path: `../record${record}` } };
      return writeFile(join(folder, role, 'open.json'), JSON.stringify(tenant));
    };
    for (const role of roles) await mkdir(join(folder, role)).then(() => put(role, '1'));
    const ports = { clinical: await freePort(), imaging: await freePort(), gateway: await freePort() };
    const started: GatewayProcess[] = [];
    for (const role of roles) {
      const environment = {
        BASE_URL: `http://localhost:${ports.gateway}`,
        SEALING_KEY: 'the key of these three processes',
        CLINICAL_URL: `http://127.0.0.1:${ports.clinical}`,
        IMAGING_URL: `http://127.0.0.1:${ports.imaging}`,
        PORT: String(ports[role]),
        TENANTS_DIR: join(folder, role),
        TENANTS_INTERVAL_SECONDS: '0.2',
      };
      started.push(await startGateway(environment, role === 'gateway' ? [] : [role]));
    }
    const ask = async () => {
      const url = `http://localhost:${ports.gateway}/open/fhir/Patient/p1`;
      const { statusCode, headers, body } = await request(url, { reset: true });
      const { birthDate } = (await body.json()) as { birthDate?: string };
      return birthDate ?? `${statusCode}, again after ${String(headers['retry-after'])} s`;
    };
    const becomes = (answer: string) => expect.poll(ask, { timeout: 20_000, interval: 50 }).toBe(answer);
    try {
      await becomes('1961-01-01');
      await put('gateway', '2');
      await becomes('503, again after 2 s');
      await put('clinical', '2');
      await becomes('1962-01-01');
      await put('gateway', '1');
      await becomes('503, again after 2 s');
    } finally {
      await Promise.all(started.map((one) => one.stop()));
    }
  },
  180_000,
);
