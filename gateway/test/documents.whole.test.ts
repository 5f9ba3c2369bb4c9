/**
 * Documents from a real Orthanc through the whole gateway: an encapsulated PDF and a structured report by WADO-URI
 * (PS3.18 §9) and by one-use links (IA-33), also with withholding rules (IA-31).
 */
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { authorizationServer, type AuthorizationServer } from './authorization-server.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';
import { startOrthanc, type Orthanc } from './setup/orthanc.ts';
import { describeWithSharedData, sharedDataPath, sharedDicomFiles } from './setup/shared-data.ts';

const PDF = Buffer.from(
  '%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n' +
    '3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n',
);

describeWithSharedData('documents', () => {
  const find = (start: string) => sharedDicomFiles().find(({ file }) => file.startsWith(start))!;
  const [report, head] = [find('sr/sr_document.dcm'), find('ct-head-ge/01')];
  const uids = ({ studyUid, seriesUid, sopInstanceUid }: typeof report) =>
    [studyUid!, seriesUid!, sopInstanceUid] as const;
  const pdf = ['1.2.3.1', '1.2.3.2', '1.2.3.3'] as const;
  const sr = uids(report ?? {});
  const ct = uids(head ?? {});
  const absent = ['1.2.3.4', '1.2.3.4.1', '1.2.3.4.1.1'] as const;
  type Uids = readonly [study: string, series: string, instance: string];

  let ehr: AuthorizationServer;
  let gateway: TestGateway;
  let orthanc: Orthanc;
  let directory: string;
  let url: string;
  let late = 0;
  const now = () => Date.now() + late;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'documents-'));
    const [source, object] = [join(directory, 'report.pdf'), join(directory, 'report.dcm')];
    await writeFile(source, PDF);
    const keys = { StudyInstanceUID: pdf[0], SeriesInstanceUID: pdf[1], SOPInstanceUID: pdf[2] };
    const named = Object.entries({ ...keys, PatientID: 'DOCUMENTS', Modality: 'DOC' });
    execFileSync('pdf2dcm', [...named.flatMap(([key, value]) => ['-k', `${key}=${value}`]), source, object]);
    const shared = [report, head].map(({ file }) => sharedDataPath('dicom', file));
    orthanc = await startOrthanc({ files: [await readFile(object), ...shared] });
    ehr = await authorizationServer();
    ehr.now = now;
    const smart = {
      type: 'smart-on-fhir',
      fhirBaseUrl: ehr.fhirBaseUrl,
      client: ehr.client,
      introspectionTtl: 0,
    };
    const { dicomWebUrl: endpoint, username, password } = orthanc;
    const images = {
      type: 'dicom-web',
      endpoint,
      lookup: 'studies-by-mrn',
      authentication: { type: 'http-basic', username, password },
    };
    gateway = await buildTestGateway(
      () => ({
        open: { authorization: smart, images },
        withholding: { authorization: { ...smart, withhold: [{ modality: ['SR', 'DOC'] }] }, images },
      }),
      { images: '', patients: '' },
      undefined,
      { now },
    );
    const exp = Math.floor(now() / 1000) + 36_000;
    const give = (id: string, ...numbers: string[]) => {
      const identifier = numbers.map((value) => ({ value, type: { coding: [{ code: 'MR' }] } }));
      ehr.patients.set(id, { resourceType: 'Patient', id, identifier });
      ehr.tokens.set(id, { client_id: 'app', exp, patient: id, scope: 'patient/*.rs' });
    };
    give('own', 'DOCUMENTS', report.patientId!, head.patientId!);
    give('other', 'NOBODY');
    url = await gateway.app.listen({ port: 0, host: '127.0.0.1' });
  }, 60_000);
  afterAll(async () => {
    await gateway?.close();
    await ehr?.close();
    await orthanc?.stop();
    await rm(directory, { recursive: true, force: true });
  });

  async function get(path: string, headers: Record<string, string> = {}) {
    const { statusCode: status, headers: given, body } = await request(url + path, { headers, reset: true });
    const bytes = Buffer.from(await body.arrayBuffer());
    return { status, headers: given, bytes, type: String(given['content-type']) };
  }
  const as = (token: string) => ({ authorization: `Bearer ${token}` });
  const uri = ([study, series, instance]: Uids, more = '') =>
    `/wado-uri?requestType=WADO&studyUID=${study}&seriesUID=${series}&objectUID=${instance}${more}`;

  test.each<[what: string, uids: Uids, more: string, status: number, type: RegExp, begins: RegExp]>([
    ['PDF', pdf, '', 200, /^application\/pdf$/, /^%PDF-1\.4/],
    ['PDF', pdf, '&contentType=application/pdf', 200, /^application\/pdf$/, /^%PDF-1\.4/],
    ['PDF', pdf, '&contentType=image/jpeg,application/pdf;q=0.1', 200, /^application\/pdf$/, /^%PDF-1\.4/],
    ['PDF', pdf, '&contentType=application/dicom', 200, /^application\/dicom/, /^\0{128}DICM/],
    ['PDF', pdf, '&contentType=image/jpeg', 406, /json/, /not_acceptable/],
    ['PDF', pdf, '&contentType=text/html', 406, /json/, /not_acceptable/],
    ['SR', sr, '', 200, /^text\/html; charset=utf-8$/i, /^<!doctype html>/i],
    ['SR', sr, '&contentType=text/html', 200, /^text\/html/, /^<!doctype html>/i],
    ['SR', sr, '&contentType=application/pdf', 406, /json/, /not_acceptable/],
    ['SR', sr, '&frameNumber=1', 404, /json/, /not_found/],
    ['CT', ct, '&contentType=application/pdf', 406, /json/, /not_acceptable/],
  ])('DW-8 §9.5 %s %j %s → %i', async (_what, uids, more, status, type, begins) => {
    const answer = await get(`/open${uri(uids, more)}`, as('own'));
    expect([answer.status, answer.type]).toEqual([status, expect.stringMatching(type)]);
    expect(answer.bytes.toString('latin1')).toMatch(begins);
    if (type.test('application/pdf')) expect(answer.bytes.subarray(0, PDF.length).equals(PDF)).toBe(true);
    if (status === 200) expect(answer.headers['x-content-type-options']).toBe('nosniff');
  });

  test.each([
    'requestType=WADO',
    uri(pdf).split('?')[1]!.replace('WADO', 'wado'),
    `${uri(pdf).split('?')[1]}&objectUID=1.2.3.9`,
    `${uri(pdf).split('?')[1]}&rows=0`,
    `${uri(pdf).split('?')[1]}&region=2,2,3,3`,
    `${uri(pdf).split('?')[1]}&frameNumber=one`,
    uri(['*', '*', '*']).split('?')[1]!,
    uri(['1.2\\1.3', pdf[1], pdf[2]]).split('?')[1]!,
  ])('DW-12 §9.5 %s is 400 with the reason, and 401 without a token', async (query) => {
    const answer = await get(`/open/wado-uri?${query}`, as('own'));
    const { error, message } = JSON.parse(answer.bytes.toString()) as Record<string, string>;
    expect([answer.status, error]).toEqual([400, 'invalid_request']);
    expect(message).toMatch(/requestType|UID|rows|region|frameNumber/);
    expect((await get(`/open/wado-uri?${query}`)).status).toBe(401);
  });

  test('IA-7, IA-31 foreign and withheld documents are 404 in every form, byte for byte as absent ones', async () => {
    const forms = [
      '',
      '&contentType=application/pdf',
      '&contentType=application/dicom',
      '&contentType=image/png',
    ];
    const missing = await get(`/open${uri(absent)}`, as('own'));
    expect(missing.status).toBe(404);
    for (const [tenant, token] of [
      ['open', 'other'],
      ['withholding', 'own'],
      ['withholding', 'other'],
    ] as const) {
      for (const uids of [pdf, sr]) {
        for (const form of forms) {
          const answer = await get(`/${tenant}${uri(uids, form)}`, as(token));
          expect([answer.status, answer.bytes.toString()]).toEqual([404, missing.bytes.toString()]);
        }
        const rendered = `/${tenant}/dicomweb/studies/${uids[0]}/series/${uids[1]}/instances/${uids[2]}/rendered`;
        expect((await get(rendered, as(token))).bytes.equals(missing.bytes)).toBe(true);
      }
    }
    // The rule withholds reports and documents only.
    expect((await get(`/withholding${uri(ct)}`, as('own'))).status).toBe(200);
  });

  async function link(tenant: string, path: string, accept?: string, token = 'own') {
    const { statusCode: status, body } = await request(`${url}/${tenant}/wado/links`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...as(token) },
      body: JSON.stringify({ path, ...(accept && { accept }) }),
      reset: true,
    });
    const json = (await body.json()) as { url?: string; expires?: string };
    const { pathname = '', search = '' } = json.url === undefined ? {} : new URL(json.url);
    return { status, expires: json.expires, pathname, search, path: pathname + search };
  }
  const one = ([study, series, instance]: Uids) => `studies/${study}/series/${series}/instances/${instance}`;
  const LINKS: [what: string, path: string, accept: string, type: string, begins: string][] = [
    ['PDF', `${one(pdf)}/rendered`, 'application/pdf', 'application/pdf', '%PDF-1.4'],
    ['zip', `studies/${pdf[0]}`, 'application/zip; transfer-syntax=*', 'application/zip', 'PK'],
    ['report', `${one(sr)}/rendered`, 'text/html', 'text/html; charset=utf-8', '<!'],
    ['picture', `${one(ct)}/rendered?viewport=64,64&quality=50`, 'image/png', 'image/png', '\x89PNG'],
  ];

  test.each(LINKS)(
    'IA-33 a link to a %s works once, without an Authorization header',
    async (_what, path, accept, type, begins) => {
      const made = await link('open', path, accept);
      expect([made.status, Date.parse(made.expires!) - now() <= 60_000]).toEqual([201, true]);
      const answer = await get(made.path);
      expect([answer.status, answer.type.toLowerCase()]).toEqual([200, type]);
      expect(answer.bytes.toString('latin1').startsWith(begins)).toBe(true);
      expect(answer.headers['content-disposition']).toMatch(/^attachment; filename="[0-9.]+\.\w+"$/);
      expect(answer.headers['cache-control']).toBe('no-store');
      for (const again of [made.path, made.path]) expect((await get(again)).status).toBe(403);
    },
  );

  test.each(LINKS)(
    'IA-33 a link to a %s opens nothing else, and ends after 60 seconds',
    async (_what, path, accept) => {
      const { pathname, search, path: whole } = await link('open', path, accept);
      const changed: [string, string][] = [
        ['no parameters', pathname],
        ['another type', whole.replace(/accept=[^&]*/, 'accept=application%2Fdicom')],
        ['a parameter more', `${whole}&viewport=9,9`],
        ['a parameter twice', `${whole}&${search.slice(1)}`],
        ['a parameter in front', `${pathname}?quality=1&${search.slice(1)}`],
        ['its metadata', `${pathname.replace(/\/rendered$/, '')}/metadata${search}`],
        ['another study', whole.replace(/studies\/[0-9.]+/, `studies/${absent[0]}`)],
        ['another tenant', whole.replace('/open/', '/withholding/')],
        ['WADO-URI', `${pathname.replace(/studies.*/, '')}wado-uri${uri(pdf).replace('/wado-uri', '')}`],
      ];
      for (const [what, address] of changed) {
        expect(address).not.toBe(whole);
        const { status, bytes } = await get(address);
        expect([what, [403, 404].includes(status)]).toEqual([what, true]);
        expect(bytes.includes('%PDF') || bytes.includes('DICM')).toBe(false);
      }
      // None of these requests used up the link.
      const second = await link('open', path, accept);
      expect((await get(whole)).status).toBe(200);
      late += 61_000;
      expect((await get(second.path)).status).toBe(403);
    },
  );

  test.each(LINKS)(
    'IA-33, IA-31 refuses a link to a %s of another patient or withheld',
    async (what, path, accept) => {
      expect((await link('open', path, accept, 'other')).status).toBe(404);
      expect((await link('withholding', path, accept)).status).toBe(what === 'picture' ? 201 : 404);
      expect((await link('open', path, accept, 'made-up')).status).toBe(401);
    },
  );
});
