/** ACCEL=nginx: objects and frames of every transfer syntax are the same through nginx and from the gateway. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, expect } from 'vitest';
import { EXPLICIT_LITTLE_ENDIAN } from '../demo/dicom-file.ts';
import { handoverProxy } from '../outbound/handover-proxy.ts';
import { asked, type Asked } from './setup/asked-twice.ts';
import { freePort } from './setup/free-port.ts';
import { LONG } from './setup/long.ts';
import { startAccelNginx } from './setup/nginx.ts';
import { startOrthanc, type Orthanc } from './setup/orthanc.ts';
import { describeWithSharedData, sharedDataPath, variedDicomFiles } from './setup/shared-data.ts';
import { testEach } from './setup/usual-run.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

const KEY = 'k'.repeat(32);
const all = variedDicomFiles().filter(({ studyUid, importsInOrthanc }) => studyUid && importsInOrthanc);
const isUsual = ({ file }: { file: string }) => file.startsWith('ts-matrix/');
const files = LONG ? all : all.filter(isUsual);
const DEFLATED = '1.2.840.10008.1.2.1.99';
const OBJECTS = 'multipart/related; type="application/dicom"; transfer-syntax=*';
const FRAMES = 'multipart/related; type="application/octet-stream"; transfer-syntax=*';

let orthanc: Orthanc;
let gateway: TestGateway;
let directory: string;
let nginx: Awaited<ReturnType<typeof startAccelNginx>>;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'accel-syntaxes-'));
  orthanc = await startOrthanc({ files: files.map(({ file }) => sharedDataPath('dicom', file)) });
  const { dicomWebUrl, username, password } = orthanc;
  gateway = await buildTestGateway(
    () => ({
      open: {
        authorization: { type: 'mock', disableAuthzChecks: true },
        images: {
          type: 'dicom-web',
          lookup: 'all-studies-on-server',
          endpoint: dicomWebUrl,
          authentication: { type: 'http-basic', username, password },
        },
      },
    }),
    { images: '', patients: '' },
    undefined,
    { port: await freePort(), proxy: handoverProxy(KEY, {}) },
  );
  nginx = await startAccelNginx(directory, { key: KEY, gateway: gateway.baseUrl, archive: dicomWebUrl });
}, 60_000);
afterAll(async () => {
  await nginx?.end();
  await gateway?.close();
  await orthanc?.stop();
  await rm(directory, { recursive: true, force: true });
});

describeWithSharedData('an object and a frame', () => {
  testEach(all, isUsual)('of $file', async ({ studyUid, seriesUid, sopInstanceUid }) => {
    const path = `/open/dicomweb/studies/${studyUid}/series/${seriesUid}/instances/${sopInstanceUid}`;
    expect(await both(path, OBJECTS)).toEqual('the same');
    expect(await both(`${path}/frames/1`, FRAMES)).toEqual('the same');
  });
});

/** Returns both answers if they differ. */
async function both(path: string, accept: string) {
  const [byGateway, byNginx] = [
    await asked(gateway.baseUrl, path, { accept }),
    await asked(nginx.url, path, { accept }),
  ];
  const comparable = ({ status, headers, parts }: Asked) => [
    status,
    headers,
    typeof parts === 'string'
      ? parts
      : parts.map(({ media, syntax, digest }) => [media, named(syntax), digest]),
  ];
  // Orthanc does not repeat the transfer syntax that is in an object, and calls an inflated frame deflated.
  const named = (syntax: string | undefined) =>
    accept === FRAMES && syntax === DEFLATED ? EXPLICIT_LITTLE_ENDIAN : accept === FRAMES && syntax;
  const answers = [byNginx, byGateway].map(comparable);
  return isDeepStrictEqual(answers[0], answers[1]) ? 'the same' : answers;
}
