import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { request } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { demographicsById, patientBundles } from '../demo/patients.ts';
import { demoStudies, studyUid } from '../demo/stories.ts';
import { BUILT_DEMO_IMAGES } from './setup/demo-images.ts';
import { fhirReceiver, type FhirReceiver } from './setup/fhir-receiver.ts';
import { startOrthanc, type Orthanc } from './setup/orthanc.ts';

/** The loader of samples as the Job of k8s/base starts it: built, in a process, with a real Orthanc. */

const root = resolve(import.meta.dirname, '../..');
const job = parse(readFileSync(join(root, 'k8s/base/samples/samples.yaml'), 'utf8')) as {
  spec: { template: { spec: { containers: [{ command: string[]; env: { name: string }[] }] } } };
};
const [{ command, env }] = job.spec.template.spec.containers;
const data = mkdtempSync(join(tmpdir(), 'load-samples-'));
let fhir: FhirReceiver;
let orthanc: Orthanc;

beforeAll(async () => {
  [fhir, orthanc] = await Promise.all([fhirReceiver(), startOrthanc()]);
  mkdirSync(join(data, 'demo'));
  symlinkSync(BUILT_DEMO_IMAGES, join(data, 'demo/images'));
}, 60_000);
afterAll(async () => {
  await Promise.all([fhir.stop(), orthanc.stop()]);
  rmSync(data, { recursive: true, force: true });
});

interface Ended {
  code: number | null;
  output: string;
}

/** Runs the command of the Job, with the addresses and the secret of this test. */
function load(change: { password?: string; wait?: number } = {}): Promise<Ended> {
  const own: Record<string, string> = {
    DATA_DIR: data,
    ORTHANC_USERNAME: orthanc.username,
    ORTHANC_PASSWORD: change.password ?? orthanc.password,
  };
  expect(env.map(({ name }) => name).sort()).toEqual(Object.keys(own).sort());
  const args = command.slice(1).map((arg) =>
    arg
      .replace('http://hapi:8080/fhir', fhir.url)
      .replace('http://orthanc:8042/dicom-web', orthanc.dicomWebUrl)
      .replace(/^--wait=.+/, `--wait=${change.wait ?? 30}`),
  );
  expect([command[0], args.length]).toEqual(['node', 4]);
  const child = spawn(process.execPath, args, { cwd: root, env: own });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  return new Promise((ended) => child.once('close', (code) => ended({ code, output })));
}

async function orthancGet<T>(path: string): Promise<T> {
  const { body } = await request(orthanc.url + path, {
    headers: { authorization: orthanc.authorization },
    reset: true,
  });
  return (await body.json()) as T;
}
const counts = () => orthancGet<{ CountInstances: number; CountPatients: number }>('/statistics');

const bundles = patientBundles();
const resources = bundles.flatMap(({ entry }) => entry!.map(({ resource }) => resource!));

test('waits for a server that starts, and puts records and images in place', async () => {
  fhir.isReady = false;
  const ended = load();
  setTimeout(() => (fhir.isReady = true), 1000);
  const { code, output } = await ended;
  expect([code, output]).toEqual([0, expect.stringMatching(/waiting for .*\n {2}bundles of records: /)]);

  const { CountInstances } = await counts();
  expect(output).toContain(`images stored: ${CountInstances}/${CountInstances}`);
  expect(output).toMatch(new RegExp(`in place: ${resources.length} resources, ${CountInstances} images\n$`));
  for (const resource of resources) {
    const path = `${resource.resourceType}/${resource.id}`;
    expect(await (await fetch(`${fhir.url}/${path}`)).json(), path).toEqual(resource);
  }
}, 90_000);

test('the images are those of the patients: by record number, and by its issuer', async () => {
  const patients = demographicsById(bundles);
  const stored = await orthancGet<object[]>('/dicom-web/studies?includefield=00100021');
  const identity = (study: object) => {
    const tag = (name: string) => (study as Record<string, { Value?: unknown[] }>)[name]?.Value?.[0];
    return [tag('0020000D'), tag('00100020'), tag('00100021')];
  };
  const expected = demoStudies.map(({ key, patient, patientId }) => [
    studyUid(key),
    patientId ?? patients.get(patient)!.patientId,
    patients.get(patient)!.issuer,
  ]);
  expect(stored.map(identity).sort()).toEqual(expected.sort());
});

test('a second run succeeds and changes nothing', async () => {
  const before = await counts();
  expect(await load()).toMatchObject({ code: 0 });
  expect(await counts()).toEqual(before);
  expect(fhir.resources.size).toBe(resources.length);
  expect(new Set(fhir.writes.values())).toEqual(new Set([2]));
}, 90_000);

test('a wrong password, a server that does not answer, and a refused record are errors with a reason', async () => {
  const wrong = await load({ password: 'wrong' });
  expect(wrong).toEqual({
    code: 1,
    output: expect.stringMatching(/GET .*\/dicom-web\/studies\?limit=1: 401 /),
  });
  fhir.isReady = false;
  const away = await load({ wait: 1 });
  expect(away).toEqual({
    code: 1,
    output: expect.stringMatching(/not ready after 1 s: GET .*\/metadata: 503/),
  });
  fhir.isReady = true;

  fhir.refused = 'Patient/demo-tomas-novak';
  const refused = await load();
  expect(refused).toEqual({
    code: 1,
    output: expect.stringMatching(/POST .*: 422 .*Patient\/demo-tomas-novak/),
  });
  expect(refused.output).not.toMatch(/\n\s+at /);
}, 90_000);

test('the FHIR server of this test takes only valid resources', async () => {
  const wrong = { resourceType: 'Patient', id: 'x', genre: 'female' };
  const entry = [{ resource: wrong, request: { method: 'PUT', url: 'Patient/x' } }];
  const body = JSON.stringify({ resourceType: 'Bundle', type: 'transaction', entry });
  const { status } = await fetch(fhir.url, { method: 'POST', body });
  expect([status, fhir.resources.has('Patient/x')]).toEqual([422, false]);
});

test('wrong arguments are explained', async () => {
  const program = join(root, command[1]!);
  const child = spawn(process.execPath, [program, '--fhirr=x']);
  let output = '';
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  expect(await new Promise((ended) => child.once('close', ended))).toBe(1);
  expect(output).toMatch(/^Usage: load-samples /);
});
