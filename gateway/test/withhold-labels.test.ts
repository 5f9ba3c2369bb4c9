import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Bundle, Endpoint, ImagingStudy } from 'fhir/r4.js';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { patientDirectory } from '../joins/record-directory.ts';
import { authorizationServer, type AuthorizationServer } from './authorization-server.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

/**
 * IA-31: studies withheld by security label. The labels come from the ImagingStudy of the record, or from the images.
 */

const PATIENT = 'demo-george-whitfield';
const CONFIDENTIALITY = 'http://terminology.hl7.org/CodeSystem/v3-Confidentiality';
const LABELLED = 'whitfield-xa-coronary-2026';
let ehr: AuthorizationServer;
let gateway: TestGateway;
let folder: string;
/** Study Instance UIDs: of each study, sorted, and of the one whose images state `R`. */
let all: string[];
let byImages: string;

beforeAll(async () => {
  ehr = await authorizationServer();
  folder = await mkdtemp(join(tmpdir(), 'labels-'));
  const record = join(folder, 'record');
  const labelledImages = join(folder, 'images');
  const smart = { type: 'smart-on-fhir', fhirBaseUrl: ehr.fhirBaseUrl, client: ehr.client };
  gateway = await buildTestGateway(({ images }) => {
    const tenant = (withhold: object[], more: object = {}) => ({
      authorization: { ...smart, withhold },
      clinical: { type: 'store', path: record },
      images: { type: 'folder', path: images, lookup: 'studies-by-mrn', ...more },
    });
    const none = { clinical: { type: 'none' } };
    const bound = { retrieve: 'capability' };
    const rule = { security: ['R'], unlabelled: 'show' };
    return {
      all: tenant([]),
      code: tenant([rule]),
      token: tenant([{ ...rule, security: [`${CONFIDENTIALITY}|R`] }]),
      'another-system': tenant([{ ...rule, security: ['urn:another|R'] }]),
      'another-code': tenant([{ ...rule, security: ['ETH'] }]),
      'and-modality': tenant([{ ...rule, modality: ['XA'] }]),
      closed: tenant([{ security: ['R'] }]),
      'nobody-states': { ...tenant([{ security: ['R'] }]), ...none },
      images: { ...tenant([rule], { path: labelledImages }), ...none },
      unreachable: { ...tenant([rule]), clinical: { type: 'fhir', baseUrl: 'http://127.0.0.1:9' } },
      capability: tenant([rule], bound),
    };
  });
  const identifier = [{ value: 'MRN-0019540', type: { coding: [{ code: 'MR' }] } }];
  ehr.patients.set(PATIENT, { resourceType: 'Patient', id: PATIENT, identifier });
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const launched = { client_id: 'viewer', exp, patient: PATIENT };
  ehr.tokens.set('proxy', { ...launched, scope: 'patient/*.rs' });
  ehr.tokens.set('read-only', { ...launched, scope: 'patient/ImagingStudy.r' });

  // 503 as long as a folder is being indexed.
  const whenIndexed = (tenant: string) =>
    vi.waitFor(() => listed(tenant), { timeout: 30_000, interval: 100 });
  all = (await whenIndexed('all')).sort();
  await writeRecord(record, all);
  for (const name of await readdir(gateway.demo.images)) {
    if (!name.startsWith('whitfield-')) continue;
    await cp(join(gateway.demo.images, name), join(labelledImages, name), { recursive: true });
  }
  const series = await readdir(join(labelledImages, LABELLED), { recursive: true, withFileTypes: true });
  const files = series.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name));
  await promisify(execFile)('dcmodify', ['-nb', '-i', '(0040,1008)=r', ...files]);
  const { stdout } = await promisify(execFile)('dcmdump', ['+P', '0020,000d', files[0]!]);
  byImages = /\[([0-9.]+)\]/.exec(stdout)![1]!;
  await whenIndexed('images');
}, 60_000);
afterAll(async () => {
  await gateway?.close();
  await ehr?.close();
  await rm(folder, { recursive: true, force: true });
});

/**
 * Writes a record with all studies but the last: the first is restricted, the second normal, the others have no
 * label.
 */
async function writeRecord(path: string, uids: readonly string[]): Promise<void> {
  const security = [{ system: CONFIDENTIALITY, code: 'R' }];
  const normal = [{ system: CONFIDENTIALITY, code: 'N' }];
  const studies = uids
    .slice(0, -1)
    .map((uid, index): ImagingStudy => ({
      resourceType: 'ImagingStudy',
      id: `ehr-${index}`,
      ...(index < 2 && { meta: { security: index === 0 ? security : normal } }),
      identifier: [{ system: 'urn:dicom:uid', value: `urn:oid:${uid}` }],
      status: 'available',
      subject: { reference: `Patient/${PATIENT}` },
    }));
  const patient = { resourceType: 'Patient' as const, id: PATIENT };
  const entry = [patient, ...studies].map((resource) => ({ resource }));
  const bundle: Bundle = { resourceType: 'Bundle', type: 'collection', entry };
  await mkdir(path);
  await writeFile(join(path, 'studies.json'), JSON.stringify(bundle));
}

const get = (url: string, token = 'proxy') =>
  gateway.app.inject({ url, headers: { authorization: `Bearer ${token}` } });

async function listed(tenant: string): Promise<string[]> {
  const response = await get(`/${tenant}/fhir/ImagingStudy?_elements=identifier`);
  expect(response.statusCode).toBe(200);
  const { entry = [] } = JSON.parse(response.body) as { entry?: { resource: ImagingStudy }[] };
  return entry.flatMap(({ resource }) => (resource.resourceType === 'ImagingStudy' ? [resource.id!] : []));
}

describe('IA-31 withheld by security label', () => {
  test.each<[string, () => readonly string[]]>([
    ['code', () => all.slice(1)],
    ['token', () => all.slice(1)],
    ['another-system', () => all],
    ['another-code', () => all],
    // Without `unlabelled`, a study that is not in the record is withheld.
    ['closed', () => all.slice(1, -1)],
    ['nobody-states', () => []],
    ['images', () => all.filter((uid) => uid !== byImages)],
    ['unreachable', () => []],
  ])('%s', async (tenant, shown) => {
    expect(all.length).toBeGreaterThan(3);
    expect((await listed(tenant)).sort()).toEqual([...shown()].sort());
    const withheld = all.find((uid) => !shown().includes(uid));
    const unknown = await get(`/${tenant}/dicomweb/studies/1.2.3/metadata`);
    if (withheld === undefined) return;
    for (const token of ['proxy', 'read-only']) {
      const refused = await get(`/${tenant}/dicomweb/studies/${withheld}/metadata`, token);
      expect([token, refused.statusCode, refused.body]).toEqual([token, 404, unknown.body]);
    }
    const visible = shown()[0];
    if (visible === undefined) return;
    const read = await get(`/${tenant}/dicomweb/studies/${visible}/metadata`, 'read-only');
    expect(read.statusCode).toBe(200);
  });

  test('withholds only studies that match every part of a rule', async () => {
    const { body } = await get(`/all/fhir/ImagingStudy/${all[0]}`);
    const isXa = (JSON.parse(body) as ImagingStudy).modality?.some(({ code }) => code === 'XA');
    expect(await listed('and-modality')).toHaveLength(isXa ? all.length - 1 : all.length);
  });

  test('a capability obeys the labels too, with the token of its caller', async () => {
    const { body } = await get('/capability/fhir/ImagingStudy?_include=ImagingStudy:endpoint');
    const { entry = [] } = JSON.parse(body) as Bundle;
    const addresses = entry.flatMap(({ resource }) =>
      resource?.resourceType === 'Endpoint' ? [new URL((resource as Endpoint).address).pathname] : [],
    );
    expect(addresses).toHaveLength(all.length - 1);
    const tried = await Promise.all(
      all.map((uid) => Promise.all(addresses.map((path) => get(`${path}/studies/${uid}/metadata`)))),
    );
    const opened = tried.map((answers) => answers.filter(({ statusCode }) => statusCode === 200).length);
    expect(opened).toEqual(all.map((_uid, index) => (index === 0 ? 0 : 1)));
  });
});

const labelled = (security: object[]): ImagingStudy => ({
  resourceType: 'ImagingStudy',
  status: 'available',
  subject: {},
  meta: { security },
  identifier: [{ system: 'urn:dicom:uid', value: 'urn:oid:1.2' }],
});

test.each<[string, { resources: ImagingStudy[]; next?: string }]>([
  ['has more studies of a UID than can be judged', { resources: [], next: '500' }],
  ['has a label without a code', { resources: [labelled([{ display: 'Restricted' }])] }],
  ['has a label that is null', { resources: [labelled([null as never])] }],
])('IA-31 a record that %s is not trusted', async (_what, page) => {
  const directory = patientDirectory(() => ({
    read: () => Promise.reject(new Error('not asked')),
    search: () => Promise.resolve(page),
  }));
  const tenant = { clinical: { type: 'store', path: '/' } } as Parameters<typeof directory.labels>[0];
  const access = { tenant: 'a', patients: 'all', permissions: [], expires: 0 } as const;
  await expect(directory.labels(tenant, access, ['1.2'])).rejects.toMatchObject({ code: 'bad_gateway' });
});
