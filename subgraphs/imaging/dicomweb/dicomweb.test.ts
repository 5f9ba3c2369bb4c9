import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { request } from 'undici';
import { afterAll, beforeAll, expect, it, describe } from 'vitest';
import { startOrthanc, type Orthanc } from '../../../gateway/test/setup/orthanc.ts';
import {
  describeWithSharedData,
  sharedDataPath,
  sharedDicomFiles,
  type SharedDicomFile,
} from '../../../gateway/test/setup/shared-data.ts';
import { Tag, text, texts, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { boundaryOf, readMultipart } from '../multipart/multipart.ts';
import {
  BASE_URL,
  orthancImages,
  patient,
  testAccess,
  testSubgraph,
  testTenant,
  type TestSubgraph,
} from '../test/subgraph.ts';
import { startCountingProxy, type Upstream } from '../test/upstream.ts';

const files = sharedDicomFiles().filter(({ studyUid, importsInOrthanc }) => studyUid && importsInOrthanc);

describeWithSharedData('the DICOMweb API over Orthanc', () => {
  const ct = files.find(({ file }) => file.startsWith('ct-head-ge/'))!;
  const other = files.find(({ file }) => file.startsWith('xa-cine/'))!;
  const lower = files.find(({ patientId }) => patientId === 'SCSARAB')!;
  const ofCt = files.filter(({ studyUid }) => studyUid === ct.studyUid);
  const absent = '1.2.3.4.5';

  let orthanc: Orthanc;
  let counter: Upstream;
  let served: TestSubgraph;

  beforeAll(async () => {
    orthanc = await startOrthanc({ files: files.map(({ file }) => sharedDataPath('dicom', file)) });
    counter = await startCountingProxy(orthanc.url);
    served = await testSubgraph(
      [
        testTenant(orthancImages(orthanc), 'mrn'),
        testTenant(orthancImages(orthanc, { lookup: 'all-studies-on-server' }), 'all'),
        testTenant(orthancImages(orthanc, { strictQuery: true }), 'strict'),
        testTenant(orthancImages(orthanc, { matchBirthDate: true }), 'birth'),
        testTenant(orthancImages(orthanc, { issuer: 'elsewhere' }), 'issuer'),
        testTenant(orthancImages(orthanc, { delay: { lookupUntil: 4e9 } }), 'slow-lookup'),
        testTenant(orthancImages(orthanc, { delay: { retrieveUntil: 4e9 } }), 'slow-retrieve'),
        testTenant(orthancImages(orthanc, { endpoint: `${counter.url}/dicom-web` }), 'counted'),
        testTenant([orthancImages(orthanc), orthancImages(orthanc)], 'several'),
        testTenant(
          {
            type: 'dicom-dimse',
            endpoint: `dimse://127.0.0.1:${orthanc.dicomPort}`,
            lookup: 'studies-by-mrn',
          },
          'dimse',
        ),
        testTenant(orthancImages(orthanc, { retrieve: 'capability' }), 'capability'),
        testTenant(orthancImages(orthanc, { lookup: 'studies-by-accession' }), 'accession'),
      ],
      {
        ct: testAccess([patient('ct', ct.patientId!)]),
        'ct-search': testAccess([patient('ct', ct.patientId!)], 'patient/ImagingStudy.s'),
        'ct-read': testAccess([patient('ct', ct.patientId!)], 'patient/ImagingStudy.r'),
        'ct-scopeless': testAccess([patient('ct', ct.patientId!)], 'patient/Patient.rs'),
        'ct-modality-mr': testAccess([patient('ct', ct.patientId!)], 'patient/ImagingStudy.rs?modality=MR'),
        'ct-modality-ct': testAccess([patient('ct', ct.patientId!)], 'patient/ImagingStudy.rs?modality=CT'),
        'ct-limited': testAccess(
          [patient('ct', ct.patientId!, { studies: [absent] })],
          'system/ImagingStudy.rs',
        ),
        'ct-named-study': testAccess(
          [patient('ct', ct.patientId!, { studies: [ct.studyUid!] })],
          'system/ImagingStudy.rs',
        ),
        'ct-born': testAccess([patient('ct', ct.patientId!, {}, '1901-01-01')]),
        xa: testAccess([patient('xa', other.patientId!)]),
        'xa-born': testAccess([patient('xa', other.patientId!, {}, '1995-10')]),
        'xa-misborn': testAccess([patient('xa', other.patientId!, {}, '1996-10-25')]),
        both: testAccess([patient('ct', ct.patientId!), patient('xa', other.patientId!)]),
        'other-case': testAccess([patient('low', 'scsarab')]),
        star: testAccess([patient('star', '*')]),
        list: testAccess([patient('list', `${ct.patientId},${other.patientId}`)]),
        'empty-mrn': testAccess([patient('empty', ' ')]),
        unidentified: testAccess([{ id: 'unidentified' }]),
        nobody: testAccess([]),
        system: testAccess('all', 'system/ImagingStudy.rs'),
      },
    );
  });
  afterAll(async () => {
    await served?.close();
    await counter?.close();
    await orthanc?.stop();
  });

  const get = (
    token: string,
    path: string,
    headers: Record<string, string> = {},
    tenant = 'mrn',
    method: 'GET' | 'HEAD' = 'GET',
  ) =>
    served.app.inject({
      method,
      url: `/${tenant}/dicomweb${path}`,
      headers: { ...(token && { authorization: `Bearer ${token}` }), ...headers },
    });
  const study = `/studies/${ct.studyUid}`;
  const series = `${study}/series/${ct.seriesUid}`;
  const instance = `${series}/instances/${ct.sopInstanceUid}`;
  const foreign = `/studies/${other.studyUid}`;
  const asStored = { accept: 'multipart/related; type="application/dicom"; transfer-syntax=*' };

  async function parts(answer: { headers: Record<string, unknown>; rawPayload: Buffer }) {
    const boundary = boundaryOf(String(answer.headers['content-type']))!;
    const found: { headers: Readonly<Record<string, string>>; body: Buffer }[] = [];
    for await (const { headers, body } of readMultipart(
      (async function* () {
        yield answer.rawPayload;
      })(),
      boundary,
    )) {
      const chunks: Buffer[] = [];
      for await (const chunk of body) chunks.push(chunk);
      found.push({ headers, body: Buffer.concat(chunks) });
    }
    return found;
  }
  const hash = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

  describe('token × path → status (IA-6 to IA-9, SM-6)', () => {
    const paths = {
      list: '/studies',
      series: '/series',
      instances: '/instances',
      ownSeries: `${study}/series`,
      ownMetadata: `${instance}/metadata`,
      ownInstance: instance,
      ownFrame: `${instance}/frames/1`,
      ownBulk: `${instance}/bulkdata/7FE00010`,
      foreignSeries: `${foreign}/series`,
      foreignStudy: foreign,
      foreignMetadata: `${foreign}/metadata`,
    };
    const table: [token: string, tenant: string, statuses: Partial<Record<keyof typeof paths, number>>][] = [
      ['', 'mrn', { list: 401, ownInstance: 401, foreignStudy: 401 }],
      ['unknown', 'mrn', { list: 401, ownMetadata: 401 }],
      [
        'ct',
        'mrn',
        {
          list: 200,
          series: 200,
          instances: 200,
          ownSeries: 200,
          ownMetadata: 200,
          ownInstance: 200,
          ownFrame: 200,
          ownBulk: 200,
          foreignSeries: 404,
          foreignStudy: 404,
          foreignMetadata: 404,
        },
      ],
      [
        'ct-search',
        'mrn',
        {
          list: 200,
          ownSeries: 200,
          ownMetadata: 403,
          ownInstance: 403,
          ownFrame: 403,
          ownBulk: 403,
          foreignStudy: 403,
        },
      ],
      [
        'ct-read',
        'mrn',
        { list: 403, series: 403, ownSeries: 403, ownMetadata: 200, ownInstance: 200, foreignStudy: 404 },
      ],
      ['ct-scopeless', 'mrn', { list: 403, ownSeries: 403, ownMetadata: 403, foreignStudy: 403 }],
      ['ct-modality-mr', 'mrn', { list: 200, ownSeries: 404, ownMetadata: 404, ownInstance: 404 }],
      [
        'ct-modality-ct',
        'mrn',
        { list: 200, series: 200, ownSeries: 200, ownMetadata: 200, foreignStudy: 404 },
      ],
      ['ct-limited', 'mrn', { list: 200, ownSeries: 404, ownMetadata: 404, ownInstance: 404 }],
      ['ct-named-study', 'mrn', { list: 200, ownSeries: 200, ownInstance: 200, foreignStudy: 404 }],
      ['both', 'mrn', { list: 200, ownInstance: 200, foreignSeries: 200, foreignMetadata: 200 }],
      [
        'xa',
        'mrn',
        { list: 200, ownSeries: 404, ownInstance: 404, ownFrame: 404, ownBulk: 404, foreignStudy: 200 },
      ],
      ['star', 'mrn', { list: 200, ownSeries: 404, ownInstance: 404, foreignStudy: 404 }],
      ['list', 'mrn', { list: 200, ownSeries: 404, ownInstance: 404, foreignStudy: 404 }],
      ['empty-mrn', 'mrn', { list: 200, ownSeries: 404, ownInstance: 404, foreignStudy: 404 }],
      ['unidentified', 'mrn', { list: 502, ownSeries: 502, ownInstance: 502, foreignStudy: 502 }],
      ['unidentified', 'all', { list: 200, ownInstance: 200, foreignMetadata: 200 }],
      ['nobody', 'mrn', { list: 403, ownSeries: 404, ownInstance: 404 }],
      ['nobody', 'all', { list: 403, ownInstance: 404 }],
      ['system', 'mrn', { list: 200, ownInstance: 200, foreignMetadata: 200 }],
      ['ct', 'issuer', { list: 200, ownInstance: 404 }],
      ['xa-born', 'birth', { list: 200, foreignMetadata: 200 }],
      ['xa-misborn', 'birth', { list: 200, foreignMetadata: 404 }],
      ['ct', 'slow-lookup', { list: 503, ownSeries: 503, ownMetadata: 200 }],
      [
        'ct',
        'slow-retrieve',
        { list: 200, ownSeries: 200, ownMetadata: 503, ownInstance: 503, ownFrame: 503 },
      ],
      ['ct', 'several', { list: 200, ownInstance: 200, foreignStudy: 404, foreignMetadata: 404 }],
      [
        'ct',
        'dimse',
        {
          list: 200,
          ownSeries: 200,
          ownMetadata: 200,
          ownInstance: 200,
          ownFrame: 200,
          foreignStudy: 404,
          foreignMetadata: 404,
        },
      ],
      ['ct', 'capability', { list: 200, ownInstance: 200 }],
      ['ct', 'accession', { list: 200, ownSeries: 404, ownInstance: 404, foreignStudy: 404 }],
      ['system', 'accession', { list: 200, ownInstance: 200 }],
    ];
    it.each(table)('%s at %s', async (token, tenant, statuses) => {
      const answered: Record<string, number> = {};
      for (const name of Object.keys(statuses)) {
        const answer = await get(token, paths[name as keyof typeof paths], {}, tenant);
        answered[name] = answer.statusCode;
        if (answer.statusCode !== 200) expect(Object.keys(answer.json())).toEqual(['error', 'message']);
        if (answer.statusCode === 503) expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
      }
      expect(answered).toEqual(statuses);
    });

    it.each(['ct', 'ct-limited', 'star', 'list', 'empty-mrn', 'other-case', 'ct-modality-mr'])(
      'lists for %s hold only their own studies',
      async (token) => {
        const own = token === 'ct' ? [ct.studyUid] : [];
        for (const path of ['/studies', '/series', '/instances']) {
          const rows = (await get(token, path)).json<DicomJson[]>();
          expect([...new Set(rows.map((row) => text(row, Tag.StudyInstanceUID)))]).toEqual(own);
        }
      },
    );

    it('DW-21 withholds a study whose birth date contradicts the record', async () => {
      expect((await get('xa-born', '/studies', {}, 'birth')).json()).toHaveLength(1);
      expect((await get('xa-misborn', '/studies', {}, 'birth')).json()).toEqual([]);
    });

    it('401 and insufficient scope say where to get a token (RFC 6750, RFC 9728)', async () => {
      const challenge =
        'resource_metadata="https://images.example.org/.well-known/oauth-protected-resource/prefix/mrn"';
      expect((await get('ct-scopeless', '/studies')).headers['www-authenticate']).toContain(challenge);
      expect((await get('ct-scopeless', '/studies')).headers['www-authenticate']).toContain(
        'insufficient_scope',
      );
    });
  });

  it('IA-7 answers the same bytes for a UID out of reach and an absent one', async () => {
    for (const tail of [
      '',
      '/metadata',
      '/series',
      '/instances',
      `/series/${other.seriesUid}`,
      `/series/${other.seriesUid}/metadata`,
      `/series/${other.seriesUid}/instances/${other.sopInstanceUid}`,
      `/series/${other.seriesUid}/instances/${other.sopInstanceUid}/frames/1`,
      `/series/${other.seriesUid}/instances/${other.sopInstanceUid}/bulkdata/00091003`,
    ]) {
      const [outside, missing] = [
        await get('ct', `/studies/${other.studyUid}${tail}`),
        await get('ct', `/studies/${absent}${tail}`),
      ];
      expect(outside.statusCode).toBe(404);
      expect(outside.rawPayload.equals(missing.rawPayload), tail).toBe(true);
      const { date: _a, ...a } = outside.headers;
      const { date: _b, ...b } = missing.headers;
      expect(a).toEqual(b);
    }
  });

  it.each([
    `${study}/series/${other.seriesUid}`,
    `${study}/series/${other.seriesUid}/metadata`,
    `${series}/instances/${other.sopInstanceUid}`,
    `${study}/series/${other.seriesUid}/instances/${other.sopInstanceUid}/frames/1`,
    `${series}/instances/${other.sopInstanceUid}/bulkdata/00091003`,
    `${instance}/bulkdata/..%2F..%2F..%2F..%2F${other.studyUid}%2Fmetadata`,
    `${instance}/bulkdata/%252e%252e/metadata`,
    `${instance}/bulkdata/http:%2F%2F127.0.0.1%2F`,
    `${instance}/bulkdata/metadata`,
    `${instance}/bulkdata/frames/1`,
  ])('IA-23 reaches nothing beyond the grant through an own UID: %s', async (path) => {
    expect((await get('ct', path)).statusCode).toBe(404);
  });

  it.each([
    ['/studies/abc', 400],
    [`/studies/${'1'.repeat(65)}`, 400],
    ['/studies/..%2F..%2Fsystem', 400],
    ['/studies/1.2.3%00', 400],
    [`${study}/series/x/metadata`, 400],
    [`${series}/instances/1.2,1.3`, 400],
    [`${instance}/frames/0`, 400],
    [`${instance}/frames/1,x`, 400],
    [`${instance}/frames/-1`, 400],
    [`${instance}/frames/2`, 404],
    ['/studies/../../../system', 404],
    ['/patients', 404],
  ])('DW-12 %s → %i', async (path, status) => {
    const answer = await get('ct', path);
    expect(answer.statusCode).toBe(status);
    if (status !== 404 || path.startsWith('/studies/1')) expect(answer.json()).toHaveProperty('message');
  });

  describe('DW-3 smuggled and odd search parameters', () => {
    const id = ct.patientId!;
    const theirs = other.patientId!;
    it.each([
      [`PatientID=${id}`, 200, 1],
      [`00100020=${id}`, 200, 1],
      [`PatientID=${id}&PatientID=${id}`, 200, 1],
      [`PatientID=`, 200, 1],
      [`PatientID=${theirs}`, 403],
      [`00100020=${theirs}`, 403],
      [`PatientID=${id}&PatientID=${theirs}`, 403],
      [`PatientID=${id}&00100020=${theirs}`, 403],
      [`00100020=${theirs}&PatientID=${id}`, 403],
      [`PatientID=${id},${theirs}`, 403],
      [`PatientID=${id}%5C${theirs}`, 403],
      [`PatientID=${id.slice(0, 2)}*`, 403],
      [`PatientID=${'?'.repeat(id.length)}`, 403],
      ['patientid=x', 200, 1],
      [`PatientId=${theirs}`, 200, 1],
      ['(0010,0020)=x', 200, 1],
      ['nonsense=1', 200, 1],
      ['StudyInstanceUID=*', 400],
      ['StudyInstanceUID=1.2.x', 400],
      ['StudyDate=yesterday', 400],
      ['StudyDate=20040101-20041231-20051231', 400],
      ['StudyTime=25h', 400],
      ['limit=-1', 400],
      ['limit=x', 400],
      ['limit=1&limit=2', 400],
      ['offset=1.5', 400],
      ['fuzzymatching=maybe', 400],
      ['PatientName=a%5Cb', 400],
      ['PatientName=a%00', 400],
      [`StudyInstanceUID=${other.studyUid}`, 200, 0],
      [`StudyInstanceUID=${other.studyUid},${ct.studyUid}`, 200, 1],
      [`StudyInstanceUID=${other.studyUid}&0020000D=${ct.studyUid}`, 200, 1],
      [`StudyInstanceUID=${other.studyUid}%5C${ct.studyUid}`, 200, 1],
      ['ModalitiesInStudy=CT', 200, 1],
      ['ModalitiesInStudy=MR,PT', 200, 0],
      ['limit=0', 200, 0],
      ['offset=1', 200, 0],
      ['includefield=all', 200, 1],
      ['includefield=PatientAge,00100010&includefield=StudyID', 200, 1],
    ])('?%s → %i, %s studies', async (query, status, count?: number) => {
      const answer = await get('ct', `/studies?${query}`);
      expect(answer.statusCode).toBe(status);
      if (count !== undefined) expect(answer.json()).toHaveLength(count);
    });

    it.each([
      [id, ct.studyUid],
      [theirs, other.studyUid],
    ])('a caller of two patients who names PatientID %s gets that one’s studies alone', async (one, uid) => {
      const rows = (await get('both', `/studies?PatientID=${one}`)).json<DicomJson[]>();
      expect(rows.map((row) => text(row, Tag.StudyInstanceUID))).toEqual([uid]);
    });

    it.each([
      ['nonsense=1', /nonsense/],
      ['a%0d%0ab=1', /another key/],
      ['fuzzymatching=true', /fuzzymatching/],
      ['includefield=Nonsense', /includefield/],
      ['Modality=CT', /Modality/],
    ])('?%s is not applied, with Warning 299; strictQuery refuses it', async (query, warning) => {
      const answer = await get('ct', `/studies?${query}`);
      expect(answer.statusCode).toBe(200);
      expect(String(answer.headers['warning'])).toMatch(/^299 images\.example\.org /);
      expect(String(answer.headers['warning'])).toMatch(warning);
      expect((await get('ct', `/studies?${query}`, {}, 'strict')).statusCode).toBe(400);
    });

    it.each([
      ['SCS*', 11],
      [`${lower.patientId!.toLowerCase()}`, 0],
      ['SCSARA?', 1],
      [`${id},${theirs}`, 2],
      ['*', undefined],
    ])('a caller who reaches all patients may name PatientID %s', async (patientId, count) => {
      const rows = (await get('system', `/studies?PatientID=${encodeURIComponent(patientId)}`)).json<
        DicomJson[]
      >();
      const all = new Set(files.map(({ studyUid }) => studyUid)).size;
      const expected =
        count === 11 ? files.filter((file) => file.patientId?.startsWith('SCS')).length : count;
      expect(rows).toHaveLength(expected ?? all);
    });
  });

  it('DW-2 says when more remain, and pages through', async () => {
    const seen = new Set<string | undefined>();
    for (let offset = 0; ; offset += 10) {
      const answer = await get('ct', `${study}/instances?limit=10&offset=${offset}`);
      const rows = answer.json<DicomJson[]>();
      for (const row of rows) seen.add(text(row, Tag.SOPInstanceUID));
      const more = /additional results/.test(String(answer.headers['warning'] ?? ''));
      expect(more).toBe(offset + rows.length < ofCt.length);
      if (!more) break;
    }
    expect(seen.size).toBe(ofCt.length);
  });

  it('DW-4 no answer contains the host of the archive', async () => {
    const host = new URL(orthanc.url).host;
    const base = `${BASE_URL}/mrn/dicomweb`;
    for (const path of [
      '/studies',
      '/series',
      '/instances',
      `${study}/metadata`,
      `${instance}/frames/1`,
      instance,
      `${instance}/bulkdata/7FE00010`,
    ]) {
      const answer = await get('ct', path);
      expect(answer.statusCode, path).toBe(200);
      expect(answer.rawPayload.includes(host), path).toBe(false);
      expect(JSON.stringify(answer.headers)).not.toContain(host);
    }
    const [row] = (await get('ct', `${study}/series`)).json<DicomJson[]>();
    expect(texts(row!, Tag.RetrieveURL)).toEqual([`${base}${series}`]);
    const [metadata] = (await get('ct', `${instance}/metadata`)).json<DicomJson[]>();
    expect(metadata![Tag.PixelData]!.BulkDataURI).toMatch(new RegExp(`^${base}${instance}/bulkdata/`));
    const followed = metadata![Tag.PixelData]!.BulkDataURI!.slice(base.length);
    expect((await get('ct', followed)).rawPayload).toHaveLength(ct.rows! * ct.columns! * 2);
  });

  describe('DW-11 Accept', () => {
    it.each<[path: string, accept: string | undefined, status: number, type?: RegExp]>([
      ['/studies', undefined, 200, /^application\/dicom\+json/],
      ['/studies', '*/*', 200, /^application\/dicom\+json/],
      ['/studies', 'application/json', 200, /^application\/json/],
      ['/studies', 'application/json;q=0.5, application/dicom+json', 200, /^application\/dicom\+json/],
      ['/studies', 'application/dicom+xml', 406],
      ['/studies', 'multipart/related; type="application/dicom+xml"', 406],
      ['/studies?accept=application/json', 'text/html', 200, /^application\/json/],
      ['/studies?accept=application/dicom+json', 'text/html', 200, /^application\/dicom\+json/],
      ['/studies?accept=image/png&accept=application/json', undefined, 200, /^application\/json/],
      ['/studies?charset=utf-8', undefined, 200, /^application\/dicom\+json/],
      ['/studies?charset=', undefined, 200, /^application\/dicom\+json/],
      ['/studies?charset=%22UTF-8%22', undefined, 200, /^application\/dicom\+json/],
      ['/studies?charset=iso-8859-1,utf-8;q=0.1', undefined, 200, /^application\/dicom\+json/],
      ['/studies?charset=iso-8859-1', undefined, 406],
      ['/studies?charset=utf-8;q=0', undefined, 406],
      [`${study}/metadata`, 'application/dicom+json', 200, /^application\/dicom\+json/],
      [`${study}/metadata`, 'image/png', 406],
      [study, undefined, 200, /^multipart\/related; type="application\/dicom"; boundary=/],
      [study, '*/*', 200, /^multipart\/related/],
      [study, 'multipart/related; type=application/dicom; transfer-syntax=*', 200, /^multipart\/related/],
      [study, 'multipart/related; type="application/dicom"; transfer-syntax="*"', 200, /^multipart\/related/],
      [study, 'multipart/related; type="application/dicom"', 200, /^multipart\/related/],
      [
        study,
        'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.1',
        200,
        /^multipart\/related/,
      ],
      [study, 'multipart/related; type="application/dicom"; transfer-syntax=x', 406],
      [study, 'application/dicom', 406],
      [study, 'text/html, multipart/related; type="application/dicom"; q=0.1', 200, /^multipart\/related/],
      [instance, 'application/dicom', 200, /^application\/dicom/],
      [
        instance,
        'application/dicom; transfer-syntax=*',
        200,
        /^application\/dicom; transfer-syntax=1\.2\.840/,
      ],
      [instance, 'image/jpeg', 406],
      [`${instance}/frames/1`, undefined, 200, /^multipart\/related; type="application\/octet-stream"/],
      [
        `${instance}/frames/1`,
        'multipart/related; type=application/octet-stream; transfer-syntax=*',
        200,
        /^multipart\/related/,
      ],
      [`${instance}/frames/1`, 'application/octet-stream', 200, /^application\/octet-stream/],
      [`${instance}/frames/1`, 'multipart/related; type=image/jpeg', 406],
      [`${instance}/frames/1`, 'image/jpeg, */*;q=0.1', 200, /^multipart\/related/],
      [`${instance}/bulkdata/7FE00010`, undefined, 200, /^application\/octet-stream/],
      [
        `${instance}/bulkdata/7FE00010`,
        'multipart/related; type="application/octet-stream"',
        200,
        /^multipart\/related/,
      ],
      [`${instance}/bulkdata/7FE00010`, 'image/png', 406],
    ])('%s with %s → %i', async (path, accept, status, type = /^application\/json/) => {
      const answer = await get('ct', path, accept === undefined ? {} : { accept });
      expect(answer.statusCode).toBe(status);
      expect(answer.headers['content-type']).toMatch(type);
      if (status === 200) {
        expect(answer.headers['cache-control']).toMatch(/^private/);
        expect(answer.headers['vary']).toMatch(/Authorization, Accept/);
      }
    });
  });

  it.each([
    ['', 406, undefined],
    [', multipart/related; type="application/dicom"; transfer-syntax=*; q=0.5', 200, /^multipart/],
    [', application/zip; transfer-syntax=*; q=0.5', 200, /^application\/zip/],
  ])('DW-5 a transfer syntax that nobody makes%s → %i', async (next, status, type = /json/) => {
    // MPEG-2, which no still image becomes.
    const first = 'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.4.100';
    const answer = await get('ct', study, { accept: first + next });
    expect(answer.statusCode).toBe(status);
    expect(answer.headers['content-type']).toMatch(type);
  });

  it.each([
    ['bytes=0-9', 206, 10],
    ['bytes=-5', 206, 5],
    ['bytes=524280-', 206, 8],
    ['bytes=524280-999999', 206, 8],
    ['bytes=600000-', 416, undefined],
    ['Bytes=0-9', 206, 10],
    ['bytes=5-2', 200, 524288],
    ['bytes=0-1,5-6', 200, 524288],
    ['lines=1-2', 200, 524288],
  ])('DW-10 bulk data with Range %s → %i', async (range, status, length) => {
    const answer = await get('ct', `${instance}/bulkdata/7FE00010`, { range });
    expect(answer.statusCode).toBe(status);
    if (length !== undefined) expect(answer.rawPayload).toHaveLength(length);
    if (status === 206) expect(answer.headers['content-range']).toMatch(/^bytes \d+-\d+\/524288$/);
    if (status === 416) expect(answer.headers['content-range']).toBe('bytes */524288');
  });

  it('DW-10 gives everything for If-Range if there is no validator', async () => {
    const headers = { range: 'bytes=0-9', 'if-range': '"one"' };
    expect((await get('ct', `${instance}/bulkdata/7FE00010`, headers)).statusCode).toBe(200);
  });

  it('DW-10 a range applies only to GET: HEAD describes the whole (RFC 9110 §14.2)', async () => {
    const head = await get('ct', `${instance}/bulkdata/7FE00010`, { range: 'bytes=0-9' }, 'mrn', 'HEAD');
    const { 'content-length': length, 'content-range': range, 'accept-ranges': ranges } = head.headers;
    expect([head.statusCode, length, range, ranges]).toEqual([200, '524288', undefined, 'bytes']);
  });

  it('DW-10 HEAD gives the headers and no body', async () => {
    for (const path of [
      '/studies',
      `${study}/metadata`,
      study,
      instance,
      `${instance}/frames/1`,
      `${instance}/bulkdata/7FE00010`,
    ]) {
      const answer = await get('ct', path, {}, 'mrn', 'HEAD');
      expect([path, answer.statusCode, answer.rawPayload.length]).toEqual([path, 200, 0]);
    }
    expect((await get('ct', foreign, {}, 'mrn', 'HEAD')).statusCode).toBe(404);
  });

  it.each(['POST', 'PUT', 'PATCH', 'DELETE'] as const)('DW-20 %s is 405 with Allow', async (method) => {
    for (const path of ['/studies', study, `${instance}/frames/1`]) {
      const headers = {
        authorization: 'Bearer ct',
        'content-type': 'multipart/related; type="application/dicom"; boundary=b',
      };
      const answer = await served.app.inject({
        method,
        url: `/mrn/dicomweb${path}`,
        headers,
        payload: '--b--',
      });
      expect([answer.statusCode, answer.headers['allow']]).toEqual([405, 'GET, HEAD, OPTIONS']);
      expect(answer.json()).toMatchObject({ error: 'method_not_allowed' });
    }
  });

  it('DW-6 metadata: entity tag, 304, gzip and br', async () => {
    const plain = await get('ct', `${study}/metadata`);
    const etag = String(plain.headers['etag']);
    expect((await get('ct', `${study}/metadata`, { 'if-none-match': etag })).statusCode).toBe(304);
    expect((await get('ct', `${study}/metadata`, { 'if-none-match': '"x"' })).statusCode).toBe(200);
    expect((await get('xa', `${study}/metadata`, { 'if-none-match': etag })).statusCode).toBe(404);
    const tags = new Set([etag]);
    for (const coding of ['gzip', 'br']) {
      const small = await get('ct', `${study}/metadata`, { 'accept-encoding': coding });
      // Strong tags: each coding is other bytes (RFC 9110 §8.8.3), and a tag of any coding is accepted.
      tags.add(String(small.headers['etag']));
      const held = { 'accept-encoding': 'identity', 'if-none-match': String(small.headers['etag']) };
      const again = await get('ct', `${study}/metadata`, held);
      expect([again.statusCode, again.headers['etag']]).toEqual([304, small.headers['etag']]);
      expect(small.headers['content-encoding']).toBe(coding);
      expect(small.rawPayload.length).toBeLessThan(plain.rawPayload.length / 5);
    }
    expect([...tags].every((tag) => /^"[\w.-]+"$/.test(tag))).toBe(true);
    expect(tags.size).toBe(3);
    expect(
      (await get('ct', `${study}/metadata`, { 'accept-encoding': 'gzip;q=0' })).headers['content-encoding'],
    ).toBeUndefined();
  });

  it('DW-6 metadata contain palettes inline', async () => {
    const coloured = files.filter(({ photometric }) => photometric === 'PALETTE COLOR');
    for (const { file, studyUid, sopInstanceUid } of coloured) {
      const rows = (await get('system', `/studies/${studyUid}/metadata`)).json<DicomJson[]>();
      const row = rows.find((one) => text(one, Tag.SOPInstanceUID) === sopInstanceUid)!;
      for (const tag of ['00281201', '00281202', '00281203']) {
        const { InlineBinary = '', Value = [], BulkDataURI } = row[tag]!;
        expect(BulkDataURI, file).toBeUndefined();
        expect(InlineBinary.length + Value.length, file).toBeGreaterThan(0);
      }
    }
    expect(coloured.length).toBeGreaterThan(0);
  });

  it('IA-21 gives every file byte for byte as Orthanc gives it', async () => {
    for (const studyUid of new Set(files.map((file) => file.studyUid!))) {
      const own = files.filter((file) => file.studyUid === studyUid);
      const through = await parts(await get('system', `/studies/${studyUid}`, asStored));
      const direct = await request(`${orthanc.dicomWebUrl}/studies/${studyUid}`, {
        headers: { ...asStored, authorization: orthanc.authorization },
        reset: true,
      });
      const theirs = await parts({
        headers: direct.headers,
        rawPayload: Buffer.from(await direct.body.arrayBuffer()),
      });
      expect(through.map(({ body }) => hash(body)).sort()).toEqual(
        theirs.map(({ body }) => hash(body)).sort(),
      );
      expect(through.map(({ body }) => hash(body)).sort()).toEqual(own.map((file) => file.sha256).sort());
      expect(through).toHaveLength(own.length);
      expect((await get('system', `/studies/${studyUid}/instances`)).json()).toHaveLength(own.length);
    }
  });

  it('DW-5 a study as a zip, which unzips to the stored files', async () => {
    const answer = await get('ct', study, { accept: 'application/zip' });
    expect(answer.headers['content-type']).toBe('application/zip');
    const directory = await mkdtemp(join(tmpdir(), 'zip-'));
    try {
      await writeFile(join(directory, 'study.zip'), answer.rawPayload);
      // Python's reader checks the directory, the sizes and every checksum.
      await promisify(execFile)('python3', ['-m', 'zipfile', '-e', join(directory, 'study.zip'), directory]);
      for (const file of ofCt) {
        expect(hash(await readFile(join(directory, `${file.sopInstanceUid}.dcm`)))).toBe(file.sha256);
      }
    } finally {
      await rm(directory, { recursive: true });
    }
    expect((await get('xa', study, { accept: 'application/zip' })).statusCode).toBe(404);
  });

  it.each<[string, (file: SharedDicomFile) => boolean, RegExp]>([
    ['JPEG', ({ transferSyntax }) => transferSyntax.endsWith('.4.50'), /^image\/jpeg; transfer-syntax=/],
    ['JPEG-LS', ({ transferSyntax }) => transferSyntax.endsWith('.4.80'), /^image\/jls/],
    ['JPEG 2000', ({ transferSyntax }) => transferSyntax.endsWith('.4.90'), /^image\/jp2/],
    ['HTJ2K', ({ transferSyntax }) => transferSyntax.endsWith('.4.201'), /^image\/jphc/],
    ['RLE', ({ transferSyntax }) => transferSyntax === '1.2.840.10008.1.2.5', /^image\/dicom-rle/],
    [
      'big endian',
      ({ transferSyntax }) => transferSyntax === '1.2.840.10008.1.2.2',
      /^application\/octet-stream/,
    ],
  ])('DW-7 frames of %s as stored', async (_name, wanted, type) => {
    const file = files.find((candidate) => wanted(candidate) && candidate.rows)!;
    const path = `/studies/${file.studyUid}/series/${file.seriesUid}/instances/${file.sopInstanceUid}/frames/1`;
    for (const accept of ['multipart/related; type=application/octet-stream; transfer-syntax=*', '*/*']) {
      const [frame] = await parts(await get('system', path, { accept }));
      expect(frame!.headers['content-type']).toMatch(type);
      expect(frame!.body.length).toBeGreaterThan(0);
    }
  });

  it("speed: a patient's studies take one call for each level and one about their UIDs; later requests take none", async () => {
    const { subgraph } = served;
    const access = testAccess([patient('ct', ct.patientId!)]);
    const tenant = testTenant(orthancImages(orthanc, { endpoint: `${counter.url}/dicom-web` }), 'counted');
    const ask = async (detail: 'study' | 'series' | 'instance') => {
      subgraph.invalidate();
      const before = counter.asked.length;
      const { records } = await subgraph.open(tenant, access).list('ct', { detail });
      expect(records).toHaveLength(1);
      const again = subgraph.open(tenant, access);
      await again.list(undefined, { detail });
      await again.list('ct', { detail, studyUids: [ct.studyUid!] });
      return counter.asked.length - before;
    };
    expect([await ask('study'), await ask('series'), await ask('instance')]).toEqual([2, 3, 4]);
    // Only a query without a PatientID shows if a UID belongs to another patient, too.
    const ofUids = new RegExp(`/studies\\?.*(StudyInstanceUID|0020000D)=${ct.studyUid!}(&|$)`);
    const [about, lists] = [true, false].map((is) => counter.asked.filter((url) => ofUids.test(url) === is));
    expect(about).toHaveLength(3);
    expect(lists!.every((url) => /PatientID|00100020=/.test(url))).toBe(true);
  });

  it('IA-29 asks for the owner of a study once for all its frames', async () => {
    served.subgraph.invalidate();
    const before = counter.asked.length;
    await Promise.all(Array.from({ length: 20 }, () => get('ct', `${instance}/frames/1`, {}, 'counted')));
    const searches = counter.asked.slice(before).filter((url) => url.includes('/studies?'));
    expect(searches).toHaveLength(1);
    expect((await get('xa', `${instance}/frames/1`, {}, 'counted')).statusCode).toBe(404);
  });

  it('IA-7 a study out of reach costs as many calls as an absent one, whoever asked before', async () => {
    const calls = async (token: string, path: string) => {
      const before = counter.asked.length;
      await get(token, `${path}/metadata`, {}, 'counted');
      return counter.asked.length - before;
    };
    served.subgraph.invalidate();
    expect(await calls('xa', foreign)).toBe(2);
    expect(await calls('xa', foreign)).toBe(0);
    // One call for the study, one to check that the archive has anything (DW-23).
    for (let time = 0; time < 3; time++) {
      expect([await calls('ct', foreign), await calls('ct', `/studies/${absent}`)]).toEqual([2, 2]);
    }
    expect(await calls('xa', foreign)).toBe(0);
  });

  it('studiesOf names the patient of each study, and refuses another patient (IA-7)', async () => {
    const open = (token: Parameters<typeof testAccess>[0], images = {}) =>
      served.subgraph.open(testTenant(orthancImages(orthanc, images), 'mrn2'), testAccess(token));
    const both = open([patient('ct', ct.patientId!), patient('xa', other.patientId!)]);
    expect((await both.list(undefined)).records.map(({ patientId }) => patientId).sort()).toEqual([
      'ct',
      'xa',
    ]);
    const {
      records: [record],
    } = await both.list('ct', { detail: 'instance' });
    expect(record!.series.length).toBeGreaterThan(0);
    expect(record!.instances).toHaveLength(ofCt.length);
    await expect(both.list('somebody')).rejects.toMatchObject({ code: 'forbidden' });
    expect(await both.find(ct.studyUid!)).toMatchObject({ record: { patientId: 'ct' } });
    expect(await both.find(absent)).toBeUndefined();
    expect(await both.find('no uid')).toBeUndefined();
    const everything = open([{ id: 'guest' }], { lookup: 'all-studies-on-server' });
    const { records: all } = await everything.list('guest');
    expect(all).toHaveLength(new Set(files.map(({ studyUid }) => studyUid)).size);
    expect(new Set(all.map(({ patientId }) => patientId))).toEqual(new Set(['guest']));
    await expect(everything.list('somebody')).rejects.toMatchObject({ code: 'forbidden' });
  });
});
