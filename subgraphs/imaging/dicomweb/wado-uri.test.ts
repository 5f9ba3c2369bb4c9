/** The URI Service over HTTP, from a folder and from an Orthanc (PS3.18 §9). */
import { createHash } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startOrthanc, type Orthanc } from '../../../gateway/test/setup/orthanc.ts';
import {
  describeWithSharedData,
  sharedDataPath,
  sharedDicomFiles,
  type SharedDicomFile,
} from '../../../gateway/test/setup/shared-data.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import {
  orthancImages,
  patient,
  testAccess,
  testSubgraph,
  testTenant,
  type TestSubgraph,
} from '../test/subgraph.ts';
import { wadoUriRequest } from './wado-uri-parameters.ts';

const UIDS = 'requestType=WADO&studyUID=1.2&seriesUID=1.3&objectUID=1.4';
const asked = (query: string, accept?: string) => wadoUriRequest(new URLSearchParams(query), accept);

it.each([
  ['rows=100', { viewport: { width: 8192, height: 100 } }],
  ['rows=100&columns=50', { viewport: { width: 50, height: 100 } }],
  ['region=0.25,0,1.0,.5', { edges: [0.25, 0, 1, 0.5] }],
  ['windowCenter=-40.5&windowWidth=1e3', { window: { center: -40.5, width: 1000, shape: 'linear' } }],
  ['imageQuality=80&annotation=patient,technique', { quality: 80, annotation: ['patient', 'technique'] }],
  ['rows=&annotation=&presentation=1&charset=utf-8', {}],
])('§9.5 %s', (query, rendering) => {
  expect(asked(`${UIDS}&${query}`).rendering).toEqual({ annotation: [], ...rendering });
});

it.each([
  [undefined, undefined, '*/*'],
  [undefined, 'image/avif,image/webp,*/*;q=0.8', '*/*'],
  [undefined, 'application/dicom', 'application/dicom'],
  ['image/png', 'image/webp', 'image/png'],
  ['image/png;q=0.5,application/dicom', undefined, 'application/dicom'],
])('§9.1.2.2 contentType %s with Accept %s → %s', (contentType, accept, first) => {
  const named = contentType === undefined ? '' : `&contentType=${encodeURIComponent(contentType)}`;
  expect(asked(UIDS + named, accept).accept[0]!.type).toBe(first);
});

it.each([
  ['', 'requestType is WADO'],
  [UIDS.replace('=WADO', '=wado'), 'requestType is WADO'],
  [UIDS.replace('studyUID', 'studyUid'), 'studyUID is needed'],
  [UIDS.replace('1.3', ''), 'seriesUID is needed'],
  [UIDS.replace('1.4', '..%2F1'), 'objectUID is needed'],
  [`${UIDS}&objectUID=1.5`, 'Give objectUID once'],
  [`${UIDS}&transferSyntax=x`, 'transferSyntax is a UID'],
  [`${UIDS}&frameNumber=0`, 'frameNumber is a whole number'],
  [`${UIDS}&rows=-1`, 'rows is a whole number'],
  [`${UIDS}&columns=9000`, '1 to 8192'],
  [`${UIDS}&imageQuality=101`, '1 to 100'],
  [`${UIDS}&region=0,0,1`, 'region is'],
  [`${UIDS}&region=0,0,1,1.1`, 'region is'],
  [`${UIDS}&region=0.5,0,0.5,1`, 'region is'],
  [`${UIDS}&windowCenter=40`, 'go together'],
  [`${UIDS}&windowCenter=40&windowWidth=0`, 'width at least 1'],
  [`${UIDS}&annotation=names`, 'annotation is a list'],
])('§9.5 refuses %s and says what is wanted', (query, message) => {
  expect(() => asked(query)).toThrow(message);
  expect(() => asked(query)).toThrow(expect.objectContaining({ code: 'invalid_request' }));
});

it.each(['anonymize=yes', 'anonymize=', 'presentationUID=1.5', 'presentationSeriesUID=1.5'])(
  'refuses a parameter that must not be ignored: %s',
  (query) => expect(() => asked(`${UIDS}&${query}`)).toThrow(Fault),
);

describeWithSharedData('WADO-URI', () => {
  const find = (start: string) => sharedDicomFiles().find(({ file }) => file.startsWith(start))!;
  const ct = find('ct-head-ge/');
  const xa = find('xa-cine/');
  const sr = find('sr/test-SR');
  const ecg = find('ecg/');
  const plan = find('rt/rtplan');
  const jls = sharedDicomFiles().find(({ transferSyntax }) => transferSyntax.endsWith('.4.80'))!;
  let directory: string;
  let orthanc: Orthanc;
  let served: TestSubgraph;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'wado-uri-'));
    const images = join(directory, 'images');
    await mkdir(images);
    for (const [i, { file }] of [ct, xa, sr, ecg, plan, jls].entries())
      await copyFile(sharedDataPath('dicom', file), join(images, `${i}.dcm`));
    orthanc = await startOrthanc({
      files: [ct, xa, sr, ecg, plan, jls].map(({ file }) => sharedDataPath('dicom', file)),
    });
    served = await testSubgraph(
      [
        testTenant({ type: 'folder', path: images, lookup: 'studies-by-mrn' }, 'folder'),
        testTenant(orthancImages(orthanc), 'orthanc'),
        testTenant(orthancImages(orthanc, { delay: { retrieveUntil: 4e9 } }), 'slow'),
      ],
      {
        all: testAccess('all', 'system/ImagingStudy.rs'),
        ct: testAccess([patient('ct', ct.patientId!)]),
        scopeless: testAccess([patient('ct', ct.patientId!)], 'patient/Patient.rs'),
      },
    );
  });
  afterAll(async () => {
    await served?.close();
    await orthanc?.stop();
    await rm(directory, { recursive: true, force: true });
  });

  const query = ({ studyUid, seriesUid, sopInstanceUid }: SharedDicomFile, more = '') =>
    `/wado-uri?requestType=WADO&studyUID=${studyUid}&seriesUID=${seriesUid}&objectUID=${sopInstanceUid}${more}`;
  const get = (
    tenant: string,
    path: string,
    headers: Record<string, string> = {},
    token = 'all',
    method: 'GET' | 'HEAD' | 'OPTIONS' | 'POST' = 'GET',
  ) =>
    served.app.inject({
      method,
      url: `/${tenant}${path}`,
      headers: { ...(token && { authorization: `Bearer ${token}` }), ...headers },
    });

  describe.each(['folder', 'orthanc'])('over %s', (tenant) => {
    it.each<[what: string, more: string, status: number, type: RegExp, file: SharedDicomFile]>([
      ['CT', '', 200, /^image\/jpeg$/, ct],
      ['CT', '&contentType=image/png', 200, /^image\/png$/, ct],
      ['CT', '&contentType=image/gif', 200, /^image\/gif$/, ct],
      ['CT', '&contentType=image%2Fjp2,image%2Fpng;q=0.5', 200, /^image\/png$/, ct],
      ['CT', '&contentType=text/html', 406, /json/, ct],
      ['CT', '&contentType=jpeg', 406, /json/, ct],
      ['CT', '&contentType=application/dicom%2Bjson', 406, /json/, ct],
      [
        'CT',
        '&contentType=application/dicom',
        200,
        /^application\/dicom; transfer-syntax=1\.2\.840\.10008\.1\.2\.1$/,
        ct,
      ],
      ['CT', '&contentType=text/html,application/dicom', 200, /^application\/dicom/, ct],
      ['CT', '&contentType=application/dicom,image/jpeg&transferSyntax=*', 200, /^application\/dicom/, ct],
      ['CT', '&charset=ISO-8859-1', 406, /json/, ct],
      ['CT', '&frameNumber=1', 200, /^image\/jpeg$/, ct],
      ['CT', '&frameNumber=2', 404, /json/, ct],
      ['CT', '&anonymize=yes&contentType=application/dicom', 501, /json/, ct],
      ['XA', '&frameNumber=96&contentType=image/png', 200, /^image\/png$/, xa],
      ['XA', '&frameNumber=97', 404, /json/, xa],
      ['SR', '', 200, /^text\/html/, sr],
      ['SR', '&contentType=text/html&charset=UTF-8', 200, /^text\/html/, sr],
      ['SR', '&contentType=image/jpeg', 406, /json/, sr],
      ['ECG', '', 200, /^image\/(svg\+xml|jpeg)/, ecg],
      ['RT plan', '', 404, /json/, plan],
      ['RT plan', '&contentType=application/dicom', 200, /^application\/dicom/, plan],
      ['another series', '', 404, /json/, { ...ct, seriesUid: xa.seriesUid }],
      ['another study', '&contentType=application/dicom', 404, /json/, { ...ct, studyUid: xa.studyUid }],
      ['no UID', '', 400, /json/, { ...ct, sopInstanceUid: 'x' }],
    ])('%s%s → %i', async (_what, more, status, type, file) => {
      const answer = await get(tenant, query(file, more));
      expect(answer.statusCode).toBe(status);
      expect(answer.headers['content-type']).toMatch(type);
      if (status === 200) {
        expect(answer.headers['cache-control']).toMatch(/^private/);
        expect(answer.headers['vary']).toMatch(/Authorization, Accept/);
      } else expect(answer.json()).toHaveProperty('message');
    });

    it('§9.4 gives the object as stored, byte for byte, or in the default transfer syntax', async () => {
      const stored = await get(tenant, query(jls, '&contentType=application/dicom&transferSyntax=*'));
      expect(createHash('sha256').update(stored.rawPayload).digest('hex')).toBe(jls.sha256);
      const syntax = async (more: string) =>
        String(
          (await get(tenant, query(jls, `&contentType=application/dicom${more}`))).headers['content-type'],
        );
      expect(await syntax('')).toMatch(/=1\.2\.840\.10008\.1\.2\.1$/);
      expect(await syntax(`&transferSyntax=${jls.transferSyntax}`)).toContain(jls.transferSyntax);
      // MPEG-4 cannot be made here: the standard wants the default then.
      expect(await syntax('&transferSyntax=1.2.840.10008.1.2.4.102')).toMatch(/=1\.2\.840\.10008\.1\.2\.1$/);
    });

    it('§9.5 applies rows, columns, region and window to the picture', async () => {
      const size = async (more: string) => {
        const { rawPayload } = await get(tenant, query(ct, `&contentType=image/png${more}`));
        const { width, height } = await sharp(rawPayload).metadata();
        return [width, height];
      };
      expect(await size('')).toEqual([ct.columns, ct.rows]);
      expect(await size('&rows=128')).toEqual([128, 128]);
      expect(await size('&rows=64&columns=128')).toEqual([64, 64]);
      expect(await size('&region=0.5,0.25,1,0.5')).toEqual([256, 128]);
      expect(await size('&region=0.5,0.25,1,0.5&columns=512')).toEqual([512, 256]);
      const picture = async (more: string) =>
        (await get(tenant, query(ct, `&contentType=image/png${more}`))).rawPayload;
      const pixels = (png: Buffer | Sharp) => (Buffer.isBuffer(png) ? sharp(png) : png).raw().toBuffer();
      const window = '&windowCenter=40&windowWidth=80';
      const whole = await picture(window);
      const part = await picture(`${window}&region=0.25,0.25,0.75,0.5`);
      const cut = sharp(whole).extract({ left: 128, top: 128, width: 256, height: 128 });
      expect((await pixels(part)).equals(await pixels(cut))).toBe(true);
      expect(whole.equals(await picture(''))).toBe(false);
      const { studyUid, seriesUid, sopInstanceUid } = ct;
      const rs = `/dicomweb/studies/${studyUid}/series/${seriesUid}/instances/${sopInstanceUid}/rendered`;
      expect((await get(tenant, `${rs}?window=40,80,linear&accept=image/png`)).rawPayload.equals(whole)).toBe(
        true,
      );
    });

    it('IA-7, IA-23 makes the checks of every retrieval: 401, 403, and 404 with the same bytes', async () => {
      for (const more of ['', '&contentType=application/dicom', '&contentType=image/png&frameNumber=1']) {
        expect((await get(tenant, query(ct, more), {}, 'ct')).statusCode).toBe(200);
        expect((await get(tenant, query(ct, more), {}, '')).statusCode).toBe(401);
        expect((await get(tenant, query(ct, more), {}, 'scopeless')).statusCode).toBe(403);
        const outside = await get(tenant, query(xa, more), {}, 'ct');
        const missing = await get(tenant, query({ ...xa, studyUid: '1.2.3.4' }, more), {}, 'ct');
        expect(outside.statusCode).toBe(404);
        expect(outside.rawPayload.equals(missing.rawPayload)).toBe(true);
      }
    });

    it('HEAD gives the headers of GET and no body; OPTIONS and 405 give the allowed methods', async () => {
      for (const more of ['', '&contentType=application/dicom&transferSyntax=*']) {
        const { date: _a, ...given } = (await get(tenant, query(ct, more))).headers;
        const head = await get(tenant, query(ct, more), {}, 'all', 'HEAD');
        const { date: _b, ...headers } = head.headers;
        expect([head.statusCode, head.rawPayload.length]).toEqual([200, 0]);
        const chunked = { 'transfer-encoding': given['transfer-encoding'] };
        expect({ ...chunked, ...headers }).toEqual({ ...chunked, ...given });
      }
      const options = await get(tenant, query(ct), {}, 'all', 'OPTIONS');
      expect([options.statusCode, options.headers['allow']]).toEqual([204, 'GET, HEAD, OPTIONS']);
      const post = await get(tenant, query(ct), {}, 'all', 'POST');
      expect([post.statusCode, post.headers['allow']]).toEqual([405, 'GET, HEAD, OPTIONS']);
    });

    it('a browser gets the default, JPEG, whichever picture it prefers', async () => {
      const answer = await get(tenant, query(ct), { accept: 'image/avif,image/webp,*/*;q=0.8' }, 'ct');
      expect([answer.statusCode, answer.headers['content-type']]).toEqual([200, 'image/jpeg']);
    });
  });

  it('IA-19 answers 503 with Retry-After for a slow archive', async () => {
    const answer = await get('slow', query(ct));
    expect(answer.statusCode).toBe(503);
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
  });
});
