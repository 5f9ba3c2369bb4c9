/** The steps of own-tenant.md with a real Orthanc: each kind of source is checked, and an image is seen. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from '../gateway/test/setup/free-port.ts';
import { startGateway, type GatewayProcess } from '../gateway/test/setup/gateway.ts';
import { imageObject, SMALL } from '../gateway/test/setup/image-object.ts';
import { startOrthanc, type Orthanc } from '../gateway/test/setup/orthanc.ts';
import { blocks, root } from './test/pages.ts';

/** The PatientID of the object. */
const PATIENT = 'BAD';
const run = promisify(execFile);
const own = blocks.filter(({ page }) => page === 'docs/own-tenant.md');
const json = own.filter(({ language }) => language === 'json').map(({ text }) => text);
const [, , see] = own.filter(({ language }) => language === 'sh').map(({ text }) => text);
const settings = blocks.find(
  ({ page, language }) => page === 'docs/image-sources.md' && language === 'json',
)!.text;

let folder: string;
let environment: Record<string, string>;
let orthanc: Orthanc;
let gateway: GatewayProcess;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'own-tenant-'));
  for (const name of ['tenants', 'dicom', 'data']) mkdirSync(join(folder, name));
  const object = imageObject('1.2.3', '1.2.840.10008.1.2.1', SMALL, new Uint8Array(16));
  writeFileSync(join(folder, 'dicom/1.dcm'), object);
  const dimsePort = await freePort();
  const page = JSON.parse(settings) as Record<string, unknown>;
  const { DicomAet: aet, DicomPort: _, ...others } = page;
  const [[name, modality]] = Object.entries(others['DicomModalities'] as Record<string, unknown[]>) as [
    [string, unknown[]],
  ];
  const configuration = {
    ...others,
    AuthenticationEnabled: false,
    DicomModalities: { [name]: [...modality.slice(0, 2), dimsePort] },
  };
  orthanc = await startOrthanc({ files: [object], aet: String(aet), configuration });
  const whole = JSON.parse(json[0]!) as object;
  const parts = json.slice(1, 4).map((text) => JSON.parse(`{${text}}`) as object);
  for (const [key, part] of [
    ['pacs', {}],
    ['get', parts[0]],
    ['move', parts[1]],
    ['folder', parts[2]],
  ] as const) {
    const text = JSON.stringify({ ...whole, ...part })
      .replace('PATIENT-ID-IN-THE-ARCHIVE', PATIENT)
      .replace('http://127.0.0.1:8042', orthanc.url)
      .replace('127.0.0.1:4242', `127.0.0.1:${orthanc.dicomPort}`)
      .replace('/srv/dicom', join(folder, 'dicom'));
    writeFileSync(join(folder, 'tenants', `${key}.json`), text);
  }
  environment = {
    TENANTS_DIR: join(folder, 'tenants'),
    DATA_DIR: join(folder, 'data'),
    DIMSE_PORT: String(dimsePort),
  };
  gateway = await startGateway(environment);
}, 120_000);
afterAll(async () => {
  await Promise.all([gateway?.stop(), orthanc?.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

test.each(['pacs', 'get', 'move', 'folder'])('%s: an image is seen', async (key) => {
  const script = see!.replace('http://localhost:4000/pacs', `${gateway.url}/${key}`);
  const { stdout } = await run('sh', ['-ec', script], { cwd: folder });
  expect(stdout).toContain(PATIENT);
  expect([...readFileSync(join(folder, 'study.jpg')).subarray(0, 3)]).toEqual([0xff, 0xd8, 0xff]);
  rmSync(join(folder, 'study.jpg'));
});

test.each(['pacs', 'get', 'move', 'folder'])('%s: the check of the tenant is good', async (key) => {
  const other = { BASE_URL: gateway.url, DATA_DIR: join(folder, `checked-${key}`), DIMSE_PORT: '0' };
  const env = { ...environment, ...other };
  const program = [join(root, 'dist/gateway/main.js'), 'check-tenant', key];
  const { stdout } = await run(process.execPath, program, { env });
  expect(stdout).toMatch(/image-source +ok/);
});
