/**
 * Rendered resources and thumbnails over HTTP, from a folder and from an Orthanc, which must look the same (DW-8 to
 * DW-11).
 */
import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startOrthanc, type Orthanc } from '../../../gateway/test/setup/orthanc.ts';
import {
  describeWithSharedData,
  sharedDataPath,
  sharedDicomFiles,
} from '../../../gateway/test/setup/shared-data.ts';
import { testEach } from '../../../gateway/test/setup/usual-run.ts';
import type { Operation } from '../../../schema/access/audit.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { parseAccept } from '../../../schema/http/media-ranges.ts';
import { Pictures } from '../render/pictures.ts';
import { ThumbnailCache } from '../render/thumbnail-cache.ts';
import { atOnce } from '../render/test/at-once.ts';
import {
  orthancImages,
  patient,
  testAccess,
  testSubgraph,
  testTenant,
  type TestSubgraph,
} from '../test/subgraph.ts';
import { testParsing } from '../test/parsing.ts';
import { startCountingProxy, type Upstream } from '../test/upstream.ts';

const run = promisify(execFile);
const { threads } = testParsing();
const find = (start: string) => sharedDicomFiles().find(({ file }) => file.startsWith(start))!;
const pathOf = (start: string): string => {
  const { studyUid, seriesUid, sopInstanceUid } = find(start);
  return `/studies/${studyUid}/series/${seriesUid}/instances/${sopInstanceUid}`;
};
const PHOTO_KEYS = {
  StudyInstanceUID: '1.2.3.4',
  SeriesInstanceUID: '1.2.3.5',
  SOPInstanceUID: '1.2.3.6',
  PatientID: 'PHOTO',
};
/** As a camera makes it. */
const photograph = () =>
  sharp({ create: { width: 1600, height: 1200, channels: 3, background: '#a04020' } })
    .jpeg()
    .toBuffer();
const all = testAccess('all', 'system/ImagingStudy.rs');
const PDF = '/studies/1.2.3.1/series/1.2.3.2/instances/1.2.3.3';

describeWithSharedData('rendered resources and thumbnails', () => {
  const NAMES = [
    'ct-head-ge/01',
    'xa-cine',
    'us-cine/US-PAL',
    'sr/test-SR',
    'ecg',
    'rt/rtplan',
    'mr-multiframe/emri',
    'us-still/color-pl',
    'sm',
  ];
  let directory: string;
  let orthanc: Orthanc;
  let counter: Upstream;
  let served: TestSubgraph;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'rendered-'));
    const images = join(directory, 'images');
    await mkdir(images);
    for (const [i, { file }] of sharedDicomFiles().entries()) {
      if (file.startsWith('ct-head-ge/') || NAMES.some((name) => file.startsWith(name)))
        await copyFile(sharedDataPath('dicom', file), join(images, `${i}.dcm`));
    }
    await writeFile(join(directory, 'report.pdf'), pdfOf('A report'));
    const keys = {
      StudyInstanceUID: '1.2.3.1',
      SeriesInstanceUID: '1.2.3.2',
      SOPInstanceUID: '1.2.3.3',
      PatientID: 'PDF',
    };
    const named = Object.entries(keys).flatMap(([key, value]) => ['-k', `${key}=${value}`]);
    await run('pdf2dcm', [...named, join(directory, 'report.pdf'), join(images, 'report.dcm')]);
    await writeFile(join(directory, 'photo.jpg'), await photograph());
    const photo = Object.entries(PHOTO_KEYS).flatMap(([key, value]) => ['-k', `${key}=${value}`]);
    await run('img2dcm', [...photo, join(directory, 'photo.jpg'), join(images, 'photo.dcm')]);
    const files = (await readdir(images)).map((name) => join(images, name));
    orthanc = await startOrthanc({ files });
    counter = await startCountingProxy(orthanc.url);
    const folder = { type: 'folder', path: images, lookup: 'studies-by-mrn' };
    served = await testSubgraph(
      [
        testTenant(folder, 'folder'),
        testTenant(orthancImages(orthanc), 'orthanc'),
        testTenant(orthancImages(orthanc, { endpoint: `${counter.url}/dicom-web` }), 'counted'),
      ],
      {
        all,
        ct: testAccess([patient('ct', find('ct-head-ge/').patientId!)]),
        scopeless: testAccess([patient('ct', find('ct-head-ge/').patientId!)], 'patient/Patient.rs'),
        nobody: testAccess([]),
      },
    );
    await served.app.inject({ url: '/folder/dicomweb/studies', headers: { authorization: 'Bearer all' } });
  }, 60_000);
  afterAll(async () => {
    await served?.close();
    await counter?.close();
    await orthanc?.stop();
    await rm(directory, { recursive: true, force: true });
  });

  const get = (
    path: string,
    headers: Record<string, string> = {},
    { token = 'all', tenant = 'folder', method = 'GET' as 'GET' | 'HEAD' } = {},
  ) =>
    served.app.inject({
      method,
      url: `/${tenant}/dicomweb${path}`,
      headers: { authorization: `Bearer ${token}`, ...headers },
    });

  describe.each(['folder', 'orthanc'])('of a tenant over %s', (tenant) => {
    const ct = pathOf('ct-head-ge/01');
    const [study = '', series = ''] = [
      ct.slice(0, ct.indexOf('/series')),
      ct.slice(0, ct.indexOf('/instances')),
    ];
    const xa = pathOf('xa-cine');
    // `npm test` has each row from one source; a test below compares the two.
    const inTurn = (_row: unknown, index: number) => (tenant === 'folder') === (index % 2 === 0);

    testEach<
      [path: string, accept: string | undefined, type: string, width: number, height: number, pages?: number]
    >(
      [
        [`${study}/rendered`, undefined, 'image/jpeg', 512, 512],
        [`${series}/rendered`, '*/*', 'image/jpeg', 512, 512],
        [`${ct}/rendered`, 'image/png', 'image/png', 512, 512],
        [`${ct}/rendered?accept=image%2Fwebp`, undefined, 'image/webp', 512, 512],
        [`${ct}/rendered`, 'image/gif', 'image/gif', 512, 512],
        [`${ct}/frames/1/rendered`, 'image/png;q=0.5, image/webp', 'image/webp', 512, 512],
        [`${ct}/rendered?viewport=100,50`, undefined, 'image/jpeg', 50, 50],
        [`${ct}/rendered?viewport=300,300,0,0,-200,100`, undefined, 'image/jpeg', 300, 150],
        [`${ct}/rendered?annotation=patient,technique`, 'image/png', 'image/png', 512, 512],
        [`${xa}/rendered`, undefined, 'image/jpeg', 512, 512],
        [`${xa}/frames/2,4,6/rendered?viewport=64,64`, 'image/gif', 'image/gif', 64, 64, 3],
        [`${pathOf('us-cine/US-PAL')}/rendered`, 'image/webp', 'image/webp', 600, 430, 10],
        [`${pathOf('mr-multiframe/emri')}/rendered`, undefined, 'image/jpeg', 64, 64],
        [`${pathOf('us-still/color-pl')}/rendered`, undefined, 'image/jpeg', 256, 160],
        [`${pathOf('ecg')}/rendered`, 'image/png', 'image/png', 1411, 1275],
        [`${study}/thumbnail`, undefined, 'image/jpeg', 128, 128],
        [`${series}/thumbnail`, 'image/png', 'image/png', 128, 128],
        [`${ct}/thumbnail?viewport=64,32`, undefined, 'image/jpeg', 32, 32],
        [`${xa}/frames/96/thumbnail`, 'image/webp', 'image/webp', 128, 128],
        [`${xa}/thumbnail`, 'image/gif', 'image/gif', 128, 128],
        [`${pathOf('us-still/color-pl')}/thumbnail`, undefined, 'image/jpeg', 128, 80],
        [`${pathOf('ecg')}/thumbnail`, undefined, 'image/jpeg', 128, 116],
        [`${pathOf('sr/test-SR')}/thumbnail`, undefined, 'image/jpeg', 128, 128],
        [`${pathOf('rt/rtplan')}/thumbnail`, undefined, 'image/jpeg', 128, 128],
        [`${PDF}/thumbnail`, 'image/png', 'image/png', 128, 128],
      ],
      inTurn,
    )('DW-8, DW-9, DW-11 %s with %s is %s', async (path, accept, type, width, height, pages = 1) => {
      const answer = await get(path, accept === undefined ? {} : { accept }, { tenant });
      expect([answer.statusCode, answer.headers['content-type']]).toEqual([200, type]);
      expect(answer.headers['cache-control']).toContain('private');
      expect(answer.headers['vary']).toContain('Authorization');
      const found = await sharp(answer.rawPayload, { animated: true }).metadata();
      expect([found.width, found.pageHeight ?? found.height, found.pages ?? 1]).toEqual([
        width,
        height,
        pages,
      ]);
    });

    testEach<[path: string, headers: Record<string, string>, status: number, message: string]>(
      [
        [`${ct}/rendered?window=40`, {}, 400, 'window is center,width,function'],
        [`${ct}/rendered?viewport=0,0`, {}, 400, 'viewport is'],
        [`${ct}/rendered?viewport=10,10,500,500,100,100`, {}, 400, 'within the image of 512 × 512'],
        [`${ct}/rendered?quality=1000`, {}, 400, '1 to 100'],
        [`${ct}/thumbnail?viewport=10,10,1,1,1,1`, {}, 400, 'vw,vh'],
        [`${ct}/rendered?viewport=10000,10000`, {}, 413, '8192'],
        [`${ct}/rendered`, { accept: 'text/html' }, 406, 'image/jpeg, image/png'],
        [`${ct}/thumbnail`, { accept: 'application/dicom' }, 406, 'image/jpeg, image/png'],
        [`${xa}/frames/1,2/rendered`, { accept: 'image/jpeg' }, 406, 'image/gif, image/webp'],
        [`${xa}/frames/97/rendered`, {}, 404, ''],
        [`${xa}/frames/97/thumbnail`, {}, 404, ''],
        [`${xa}/rendered?viewport=2000,2000`, { accept: 'image/gif' }, 413, 'fewer frames'],
        [`${pathOf('rt/rtplan')}/rendered`, {}, 404, 'nothing that can be rendered'],
        [`${pathOf('sr/test-SR')}/frames/1/rendered`, {}, 404, 'nothing that can be rendered'],
        [`${pathOf('sr/test-SR')}/rendered`, { accept: 'image/jpeg' }, 406, 'text/html'],
        [`${PDF}/rendered`, { accept: 'text/html' }, 406, 'application/pdf'],
        [`${ct.slice(0, -1)}/rendered`, {}, 404, ''],
        [`${ct.slice(0, -1)}/thumbnail`, {}, 404, ''],
        ['/studies/1.2.3.4.5/rendered', {}, 404, ''],
        ['/studies/x/thumbnail', {}, 400, 'UID'],
      ],
      inTurn,
    )('DW-8, DW-12 %s with %j is %d', async (path, headers, status, message) => {
      const answer = await get(path, headers, { tenant });
      expect(answer.statusCode).toBe(status);
      expect(answer.json<{ message: string }>().message).toContain(message);
    });

    test('DW-8 gives a report as HTML, an ECG as SVG, a document as PDF, with sandbox and nosniff', async () => {
      const html = await get(
        `${pathOf('sr/test-SR')}/rendered`,
        { accept: 'text/html, */*;q=0.1' },
        { tenant },
      );
      expect(html.headers['content-type']).toBe('text/html; charset=utf-8');
      expect(html.body).toContain('</html>');
      const svg = await get(`${pathOf('ecg')}/rendered`, {}, { tenant });
      expect(svg.headers['content-type']).toBe('image/svg+xml');
      expect(svg.body).toContain('aVF');
      for (const { headers } of [html, svg]) {
        expect(headers['content-security-policy']).toContain('sandbox');
        expect(headers['x-content-type-options']).toBe('nosniff');
      }
      const pdf = await get(`${PDF}/rendered`, {}, { tenant });
      expect([pdf.headers['content-type'], pdf.headers['x-content-type-options']]).toEqual([
        'application/pdf',
        'nosniff',
      ]);
      expect(pdf.rawPayload.equals(pdfOf('A report'))).toBe(true);
    });

    test('DW-8 window and function change the picture; quality changes its size', async () => {
      const mean = async (query: string) => {
        const { rawPayload } = await get(`${series}/rendered?${query}`, { accept: 'image/png' }, { tenant });
        return (await sharp(rawPayload).stats()).channels[0]!.mean;
      };
      const [own, bone, sigmoid] = [
        await mean(''),
        await mean('window=600,2000,linear'),
        await mean('window=600,2000,sigmoid'),
      ];
      expect(bone).toBeLessThan(own);
      expect(sigmoid).not.toBeCloseTo(bone, 0);
      const size = async (quality: number) =>
        (await get(`${series}/rendered?quality=${quality}`, {}, { tenant })).rawPayload.length;
      expect(await size(20)).toBeLessThan((await size(95)) / 2);
    });

    test('DW-10 HEAD gives the headers of GET, and If-None-Match is answered with 304', async () => {
      for (const what of ['rendered', 'thumbnail']) {
        const given = await get(`${series}/${what}`, {}, { tenant });
        const head = await get(`${series}/${what}`, {}, { tenant, method: 'HEAD' });
        expect([head.statusCode, head.headers['content-length'], head.body]).toEqual([
          200,
          String(given.rawPayload.length),
          '',
        ]);
        const etag = given.headers['etag'] as string;
        const again = await get(`${series}/${what}`, { 'if-none-match': etag }, { tenant });
        expect([again.statusCode, again.body, again.headers['etag']]).toEqual([304, '', etag]);
      }
    });

    test.each([
      ['scopeless', 403],
      ['nobody', 404],
      ['ct', 404],
    ])('IA-23 %s gets %d for another patient, also if the thumbnail is cached', async (token, status) => {
      for (const path of [`${xa}/thumbnail`, `${xa}/rendered`, `${xa}/frames/1/thumbnail`]) {
        expect((await get(path, {}, { tenant })).statusCode).toBe(200);
        const refused = await get(path, {}, { tenant, token });
        expect(refused.statusCode).toBe(status);
        expect(refused.headers['content-type']).toContain('json');
      }
    });
  });

  test('DW-8 gives the same pixels from both sources', async () => {
    for (const name of [
      'ct-head-ge/01',
      'us-cine/US-PAL',
      'mr-multiframe/emri',
      'us-still/color-pl',
      'ecg',
    ]) {
      const [a, b] = await Promise.all(
        ['folder', 'orthanc'].map((tenant) =>
          get(`${pathOf(name)}/rendered`, { accept: 'image/png' }, { tenant }),
        ),
      );
      expect(a!.rawPayload.equals(b!.rawPayload), name).toBe(true);
    }
  });

  test('DW-15 a picture costs the archive its metadata and one frame, a cached thumbnail nothing', async () => {
    const path = pathOf('ct-head-ge/01');
    const kinds = () =>
      counter.asked.splice(0).map((asked) => /metadata|frames|\/studies\?/.exec(asked)?.[0] ?? asked);
    expect((await get(`${path}/rendered`, {}, { tenant: 'counted' })).statusCode).toBe(200);
    expect(kinds().sort()).toEqual(['/studies?', 'frames', 'metadata']);
    expect((await get(`${path}/thumbnail`, {}, { tenant: 'counted' })).statusCode).toBe(200);
    kinds();
    expect((await get(`${path}/thumbnail`, {}, { tenant: 'counted' })).statusCode).toBe(200);
    expect(kinds()).toEqual([]);
  });

  test('DW-15 a preview of a large photograph is kept, and given only to those who may see it', async () => {
    let drawn = 0;
    const pictures = new Pictures({
      render: (task) => (drawn++, atOnce.render(task)),
      rasterize: atOnce.rasterize,
      thumbnails: new ThumbnailCache({ directory: join(directory, 'previews') }),
      threads,
      now: () => 0,
    });
    const folder = { type: 'folder', path: join(directory, 'images'), lookup: 'studies-by-mrn' };
    const archive = orthancImages(orthanc);
    const [studyUid, seriesUid, instanceUid] = Object.values(PHOTO_KEYS) as [string, string, string];
    const target = { studyUid, seriesUid, instanceUid };
    const asked = async (parameters: string, images: object = folder, access = all) => {
      drawn = 0;
      const core = served.subgraph.open(testTenant(images, 'folder'), access);
      const request = { target, query: new URLSearchParams(parameters), accept: parseAccept('image/jpeg') };
      const { body } = await pictures.rendered(core, request);
      const { width } = await sharp(body as Uint8Array).metadata();
      return [width, drawn];
    };
    const preview = 'viewport=512,512';
    expect(await asked(preview)).toEqual([512, 1]);
    expect(await asked(preview)).toEqual([512, 0]);
    await expect(asked(preview, folder, testAccess([]))).rejects.toMatchObject({ code: 'not_found' });
    // Another size or quality is another picture; one with a window of its own, or in full size, is drawn each time.
    expect(await asked('viewport=256,256')).toEqual([256, 1]);
    expect(await asked(`${preview}&quality=70`)).toEqual([512, 1]);
    for (const parameters of [`${preview}&window=100,200,linear`, ''])
      for (let time = 0; time < 2; time++) expect((await asked(parameters))[1], parameters).toBe(1);
    // An archive does not say whether its object is still the same.
    for (let time = 0; time < 2; time++) expect(await asked(preview, archive)).toEqual([512, 1]);
  });

  test('DW-9 a changed file gives a new thumbnail', async () => {
    const images = join(directory, 'changing');
    await mkdir(images);
    const file = join(images, 'ct.dcm');
    await copyFile(sharedDataPath('dicom', 'ct-head-ge/01.dcm'), file);
    const path = `${pathOf('ct-head-ge/01')}/thumbnail`;
    const tenants = [testTenant({ type: 'folder', path: images, lookup: 'all-studies-on-server' }, 'one')];
    const changing = await testSubgraph(tenants, { all: testAccess('all', 'system/ImagingStudy.rs') });
    try {
      const tag = async () => {
        const answer = await changing.app.inject({
          url: `/one/dicomweb${path}`,
          headers: { authorization: 'Bearer all' },
        });
        return answer.headers['etag'];
      };
      const first = await tag();
      expect(first).toBeTruthy();
      await run('dcmodify', ['-nb', '-m', '(0028,1050)=500', file]);
      await expect.poll(tag).not.toBe(first);
    } finally {
      await changing.close();
    }
  });

  test('DW-9 does not cache a failure: the next request gets the picture', async () => {
    const thumbnails = new ThumbnailCache({ directory: join(directory, 'failing') });
    let failing = true;
    const pictures = new Pictures({
      render: (task) =>
        failing ? Promise.reject(new Fault('unavailable', 'Too many images.')) : atOnce.render(task),
      rasterize: atOnce.rasterize,
      thumbnails,
      threads,
      now: () => 0,
    });
    const { studyUid, seriesUid, sopInstanceUid } = find('xa-cine');
    const target = { studyUid: studyUid!, seriesUid: seriesUid!, instanceUid: sopInstanceUid };
    const images = { type: 'folder', path: join(directory, 'images'), lookup: 'all-studies-on-server' };
    const core = served.subgraph.open(
      testTenant(images, 'folder'),
      testAccess('all', 'system/ImagingStudy.rs'),
    );
    const request = { target, query: new URLSearchParams(), accept: parseAccept('image/png') };
    await expect(pictures.thumbnail(core, request)).rejects.toThrow('Too many');
    failing = false;
    const { body } = await pictures.thumbnail(core, request);
    expect((await sharp(body as Uint8Array).metadata()).channels).toBe(1);
  });

  test('IA-30 rendering and its refusal leave one record each, as a retrieval with its part', async () => {
    const { studyUid, seriesUid, sopInstanceUid } = find('ct-head-ge/01');
    const target = { studyUid: studyUid!, seriesUid: seriesUid!, instanceUid: sopInstanceUid };
    const pictures = new Pictures({
      ...atOnce,
      threads,
      thumbnails: new ThumbnailCache({ directory: join(directory, 'audited') }),
      now: () => 0,
    });
    const recorded: Operation[] = [];
    const tenant = testTenant(
      { type: 'folder', path: join(directory, 'images'), lookup: 'studies-by-mrn' },
      'folder',
    );
    const open = (patientId: string) =>
      served.subgraph.open(tenant, testAccess([patient('p', patientId)]), undefined, (operation) =>
        recorded.push(operation),
      );
    const request = { target, query: new URLSearchParams(), accept: parseAccept(undefined) };
    const own = open(find('ct-head-ge/').patientId!);
    await pictures.rendered(own, { ...request, frames: [1] });
    await pictures.thumbnail(own, request);
    await pictures.thumbnail(own, request);
    await expect(pictures.thumbnail(open('somebody else'), request)).rejects.toThrow('no such object');
    const within = `series/${seriesUid}/instances/${sopInstanceUid}`;
    const allowed = {
      action: 'retrieve',
      type: 'ImagingStudy',
      study: studyUid,
      patient: 'p',
      outcome: { kind: 'allowed' },
    };
    expect(recorded).toEqual([
      { ...allowed, target: `${within}/frames/1/rendered` },
      { ...allowed, target: `${within}/thumbnail` },
      { ...allowed, target: `${within}/thumbnail` },
      expect.objectContaining({
        target: `${within}/thumbnail`,
        outcome: { kind: 'denied', code: 'not_found' },
      }),
    ]);
  });
});

/** Makes a document of one page. */
function pdfOf(text: string): Buffer {
  return Buffer.from(
    `%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>endobj\n% ${text}\ntrailer<</Root 1 0 R>>\n%%EOF\n`,
  );
}
