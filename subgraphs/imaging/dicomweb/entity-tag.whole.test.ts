/**
 * If-None-Match (DW-6, DW-8 to DW-10): 304 for what callers have already, before anything is read or drawn, but after
 * authorization.
 */
import { mkdtemp, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { imageObject, SMALL } from '../../../gateway/test/setup/image-object.ts';
import { LONG } from '../../../gateway/test/setup/long.ts';
import { startOrthanc } from '../../../gateway/test/setup/orthanc.ts';
import { DICOM, TransferSyntax } from '../../../schema/dicom/dicom.ts';
import type { Operation } from '../../../schema/access/audit.ts';
import { heldTag } from '../../../schema/http/entity-tag.ts';
import { notModifiedOr } from '../study/answer.ts';
import {
  orthancImages,
  patient,
  testAccess,
  testSubgraph,
  testTenant,
  type TestSubgraph,
} from '../test/subgraph.ts';
import { startCountingProxy } from '../test/upstream.ts';

const STUDY = '/dicomweb/studies/1.2.3';
const SERIES = `${STUDY}/series/1.2.3.1`;
const INSTANCE = `${SERIES}/instances/1.2.3.1.1`;
const URI = '/wado-uri?requestType=WADO&studyUID=1.2.3&seriesUID=1.2.3.1&objectUID=1.2.3.1.1';
const PIXELS = `${INSTANCE}/bulkdata/7FE00010`;
const MULTIPART = 'multipart/related; type="application/octet-stream"';

/** Every retrieval, its Accept, and whether its tag is strong: the same bytes every time. */
type Route = [path: string, accept: string, strong?: 'strong'];
const ROUTES: Route[] = [
  [STUDY, '*/*'],
  [STUDY, 'application/zip'],
  [SERIES, '*/*'],
  [INSTANCE, '*/*'],
  [INSTANCE, `${DICOM}; transfer-syntax=*`],
  [INSTANCE, `${DICOM}; transfer-syntax=${TransferSyntax.JPEGLSLossless}`],
  [`${INSTANCE}/frames/1`, '*/*'],
  [`${INSTANCE}/frames/1,2`, '*/*'],
  [`${INSTANCE}/frames/2`, 'application/octet-stream', 'strong'],
  [`${INSTANCE}/frames/2`, 'image/jphc; transfer-syntax=1.2.840.10008.1.2.4.202', 'strong'],
  [PIXELS, '*/*', 'strong'],
  [PIXELS, MULTIPART],
  [`${STUDY}/rendered`, '*/*'],
  [`${SERIES}/rendered`, 'image/png'],
  [`${INSTANCE}/rendered`, 'image/png'],
  [`${INSTANCE}/rendered`, 'image/gif'],
  [`${INSTANCE}/rendered?viewport=2,2`, 'image/png'],
  [`${INSTANCE}/frames/2/rendered`, 'image/png'],
  [`${INSTANCE}/frames/2/rendered?window=5,5,linear`, 'image/png'],
  [`${STUDY}/thumbnail`, '*/*'],
  [`${INSTANCE}/thumbnail`, 'image/png'],
  [`${INSTANCE}/frames/2/thumbnail`, 'image/png'],
  [URI, '*/*'],
  [`${URI}&columns=2`, '*/*'],
  [`${URI}&contentType=application/dicom`, '*/*'],
  [`${URI}&contentType=application/dicom&transferSyntax=*`, '*/*'],
];
const METADATA = [STUDY, SERIES, INSTANCE].map((path): Route => [`${path}/metadata`, '*/*', 'strong']);

/** Callers who have a tag, but no right to the object. */
const STRANGERS = [
  ['other', 404],
  ['other studies', 404],
  ['other modality', 404],
  ['no reading', 403],
  ['nobody', 401],
] as const;

const described = { ...SMALL, rows: 16, columns: 16, numberOfFrames: 2 };
const object = (fill: number) =>
  imageObject('1.2.3', TransferSyntax.ExplicitVRLittleEndian, described, Buffer.alloc(512, fill));

const closing: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function serve(images: object) {
  const served = await testSubgraph([testTenant(images)], {
    own: testAccess([patient('own', 'BAD')]),
    other: testAccess([patient('other', 'SOMEBODY')]),
    'other studies': testAccess([patient('own', 'BAD', { studies: ['1.2.4'] })], 'system/ImagingStudy.rs'),
    'other modality': testAccess([patient('own', 'BAD')], 'patient/ImagingStudy.rs?modality=MR'),
    'no reading': testAccess([patient('own', 'BAD')], 'patient/ImagingStudy.s'),
  });
  closing.push(() => served.close());
  return served;
}

const ask =
  ({ app }: TestSubgraph) =>
  (path: string, headers: Record<string, string> = {}, token = 'own', method: 'GET' | 'HEAD' = 'GET') =>
    app.inject({ method, url: `/test${path}`, headers: { authorization: `Bearer ${token}`, ...headers } });

/** Writes a file, and keeps its time of modification. */
async function write(file: string, bytes: Buffer) {
  await writeFile(file, bytes);
  await utimes(file, 1_700_000_000, 1_700_000_000);
}

/** Serves a folder of one object. */
async function folder() {
  const directory = await mkdtemp(join(tmpdir(), 'tags-'));
  closing.push(() => rm(directory, { recursive: true, force: true }));
  const file = join(directory, 'one.dcm');
  await write(file, object(7));
  const images = { type: 'folder', path: directory, lookup: 'studies-by-mrn' };
  const served = await serve(images);
  return { file, images, served, get: ask(served) };
}

describe('from a folder', () => {
  let still: Awaited<ReturnType<typeof folder>>;
  let get: ReturnType<typeof ask>;
  beforeAll(async () => {
    still = await folder();
    ({ get } = still);
  });

  it.each<Route>([...ROUTES, ...METADATA])('%s as %s', async (path, accept, strong) => {
    const first = await get(path, { accept });
    expect(first.statusCode).toBe(200);
    const etag = String(first.headers['etag']);
    expect(etag).toMatch(strong ? /^"[\w-]{22}"$/ : /^W\/"[\w-]{22}"$/);
    const tags = [etag, `"other", ${etag}`, '*'];
    // Each in its turn; all of them in the long run.
    for (const held of LONG ? tags : [tags[path.length % 3]!]) {
      for (const method of ['GET', 'HEAD'] as const) {
        const again = await get(path, { accept, 'if-none-match': held }, 'own', method);
        expect([again.statusCode, again.headers['etag'], again.body]).toEqual([304, etag, '']);
        expect(again.headers['cache-control']).toMatch(/^private/);
        expect(again.headers['vary']).toMatch(/Authorization, Accept/);
        expect(again.headers['content-length'] ?? '0').toBe('0');
      }
    }
    expect((await get(path, { accept, 'if-none-match': '"other"' })).statusCode).toBe(200);
    const head = await get(path, { accept }, 'own', 'HEAD');
    expect([head.statusCode, head.headers['etag']]).toEqual([200, etag]);
    // Authorization comes first.
    for (const [token, status] of STRANGERS) {
      const refused = await get(path, { accept, 'if-none-match': etag }, token);
      expect([token, refused.statusCode, refused.headers['etag']]).toEqual([token, status, undefined]);
    }
  });

  it('every media type and every parameter has a different tag', async () => {
    const tags = [];
    for (const [path, accept] of [...ROUTES, ...METADATA])
      tags.push((await get(path, { accept })).headers['etag']);
    // The study and the series hold one object: their pictures are the same, and so is the picture by WADO-URI.
    expect(new Set(tags).size).toBe(ROUTES.length - 2 + 1);
  });

  it('reads nothing of the file, and draws nothing, for what a caller has', async () => {
    const { file, get } = await folder();
    const tags: string[] = [];
    for (const [path, accept] of ROUTES) tags.push(String((await get(path, { accept })).headers['etag']));
    const { length } = object(7);
    await write(file, Buffer.alloc(length, 1));
    // The file is no longer that object, so it is refused (DW-26).
    expect((await get(`${INSTANCE}/rendered`)).statusCode).toBe(503);
    for (const [index, [path, accept]] of ROUTES.entries()) {
      const again = await get(path, { accept, 'if-none-match': tags[index]! });
      expect([path, again.statusCode]).toEqual([path, 304]);
    }
  });

  it('gives what has changed, with another tag', async () => {
    const { file, get } = await folder();
    const tags: string[] = [];
    for (const [path, accept] of ROUTES) tags.push(String((await get(path, { accept })).headers['etag']));
    await writeFile(file, object(9));
    const changed = (await stat(file)).mtimeMs;
    expect(changed).toBeGreaterThan(1_700_000_000_000);
    await vi.waitFor(
      async () => expect((await get(INSTANCE, { 'if-none-match': tags[3]! })).statusCode).toBe(200),
      { timeout: 10_000, interval: 200 },
    );
    for (const [index, [path, accept]] of ROUTES.entries()) {
      const again = await get(path, { accept, 'if-none-match': tags[index]! });
      expect([path, again.statusCode]).toEqual([path, 200]);
      expect(again.headers['etag']).not.toBe(tags[index]);
    }
  });

  it.each([
    `${INSTANCE}/frames/3`,
    `${INSTANCE}/frames/3/rendered`,
    `${INSTANCE}/bulkdata/00280010/1/00280010`,
  ])('%s is 404, whatever the caller has', async (path) => {
    expect((await get(path, { 'if-none-match': '*' })).statusCode).toBe(404);
  });

  it('IA-30 one retrieval is recorded, also if the answer is 304, and if it is refused', async () => {
    const recorded: Operation[] = [];
    const target = { studyUid: '1.2.3', seriesUid: '1.2.3.1' };
    const asked = async (mrn: string, ifNoneMatch?: string) => {
      const tenant = testTenant(still.images);
      const access = testAccess([patient('p', mrn)]);
      const core = still.served.subgraph.open(tenant, access, undefined, (operation) =>
        recorded.push(operation),
      );
      const condition = { target, part: '', form: [], ifNoneMatch };
      return core.read(target, '', (study) =>
        notModifiedOr(study, condition, async () => ({ headers: {}, body: Buffer.from('given') })),
      );
    };
    const { headers } = await asked('BAD');
    const operation = { action: 'retrieve', study: '1.2.3', target: 'series/1.2.3.1' };
    const allowed = expect.objectContaining({ ...operation, outcome: { kind: 'allowed' } });
    expect(recorded).toEqual([allowed]);
    expect((await asked('BAD', headers['etag'])).status).toBe(304);
    expect(recorded).toEqual([allowed, allowed]);
    await expect(asked('SOMEBODY', headers['etag'])).rejects.toThrow('no such object');
    expect(recorded[2]).toMatchObject({ ...operation, outcome: { kind: 'denied', code: 'not_found' } });
  });

  it('DW-10 If-Range: a range if the tag is the same, everything otherwise (RFC 9110 §13.1.5)', async () => {
    const { headers } = await get(PIXELS);
    const etag = String(headers['etag']);
    const range = 'bytes=0-9';
    const part = await get(PIXELS, { range, 'if-range': etag });
    expect([part.statusCode, part.rawPayload.length, part.headers['etag']]).toEqual([206, 10, etag]);
    for (const ifRange of ['"other"', `W/${etag}`, 'Tue, 24 Nov 2026 00:00:00 GMT']) {
      expect((await get(PIXELS, { range, 'if-range': ifRange })).statusCode).toBe(200);
    }
    expect((await get(PIXELS, { range, 'if-none-match': etag })).statusCode).toBe(304);
  });

  const RPCL = 'image/jphc; transfer-syntax=1.2.840.10008.1.2.4.202';
  it.each([
    ['as stored', 'application/octet-stream'],
    ['made here, DW-25', RPCL],
  ])('DW-7 ranges of one frame %s fit together by its tag', async (_, accept) => {
    const path = `${INSTANCE}/frames/2`;
    const whole = await get(path, { accept });
    const { etag, 'accept-ranges': ranges, 'content-length': length } = whole.headers;
    expect([ranges, Number(length)]).toEqual(['bytes', whole.rawPayload.length]);
    const ask = (range: string, more = {}) => get(path, { accept, range, ...more });
    const parts = [await ask('bytes=0-99'), await ask('bytes=100-', { 'if-range': String(etag) })];
    expect(parts.map(({ statusCode, headers }) => [statusCode, headers['etag']])).toEqual([
      [206, etag],
      [206, etag],
    ]);
    expect(Buffer.concat(parts.map(({ rawPayload }) => rawPayload)).equals(whole.rawPayload)).toBe(true);
    expect(parts[0]!.headers['content-range']).toBe(`bytes 0-99/${length}`);
    expect((await ask('bytes=-20')).rawPayload.equals(whole.rawPayload.subarray(-20))).toBe(true);
    expect((await ask('bytes=0-9', { 'if-range': '"other"' })).statusCode).toBe(200);
    expect((await ask('bytes=0-9,20-29')).statusCode).toBe(200);
    const beyond = await ask(`bytes=${length}-`);
    expect([beyond.statusCode, beyond.headers['content-range']]).toEqual([416, `bytes */${length}`]);
    expect((await get(path, { accept, range: 'bytes=0-9' }, 'other')).statusCode).toBe(404);
    const multipart = accept.replace(/^[^;]+/, 'multipart/related; type="$&"');
    expect((await get(path, { accept: multipart, range: 'bytes=0-9' })).statusCode).toBe(200);
  });

  it('DW-10 Range applies to single-part answers: multipart is given whole (RFC 9110 §14.2)', async () => {
    const answer = await get(PIXELS, { accept: MULTIPART, range: 'bytes=0-9' });
    expect([answer.statusCode, answer.headers['content-range'], answer.headers['accept-ranges']]).toEqual([
      200,
      undefined,
      undefined,
    ]);
    expect(answer.rawPayload.length).toBeGreaterThan(512);
  });
});

it('objects of an archive without validators have no tag; pictures have one of their bytes', async () => {
  const orthanc = await startOrthanc({ files: [object(7)] });
  closing.push(() => orthanc.stop());
  const counter = await startCountingProxy(orthanc.url);
  closing.push(() => counter.close());
  const get = ask(await serve(orthancImages(orthanc, { endpoint: `${counter.url}/dicom-web` })));
  for (const [path, accept] of [...ROUTES, ...METADATA]) {
    const first = await get(path, { accept });
    const etag = first.headers['etag'];
    const has = /rendered|thumbnail|metadata|wado-uri(?!.*contentType)/.test(path);
    expect([path, first.statusCode, etag]).toEqual([
      path,
      200,
      has ? expect.stringMatching(/^(W\/)?"/) : undefined,
    ]);
    if (has) expect((await get(path, { accept, 'if-none-match': String(etag) })).statusCode).toBe(304);
    else if (accept !== MULTIPART && path !== PIXELS && !/transfer-syntax=1/.test(accept)) {
      // Only the object is asked of the archive: a tag costs no request.
      const before = counter.asked.length;
      await get(path, { accept });
      expect(counter.asked.length - before).toBe(1);
    }
    expect((await get(path, { accept, 'if-none-match': '*' })).statusCode).toBe(304);
    expect((await get(path, { accept, 'if-none-match': '*' }, 'other')).statusCode).toBe(404);
  }
}, 30_000);

it('objects that came by DIMSE have tags while they are kept, without requests to the archive', async () => {
  const orthanc = await startOrthanc({ files: [object(7)] });
  closing.push(() => orthanc.stop());
  const endpoint = `dimse://127.0.0.1:${orthanc.dicomPort}`;
  const served = await serve({ type: 'dicom-dimse', endpoint, lookup: 'studies-by-mrn' });
  const get = ask(served);
  expect((await get(STUDY)).headers['etag']).toBeUndefined();
  let tag = '';
  const heldWithoutArchive = async (path: string, accept: string): Promise<void> => {
    // Rows of instances are kept for 4 s: these are new. A busy machine may need longer, and tries again.
    served.subgraph.invalidate();
    tag = String((await get(path, { accept })).headers['etag']);
    await orthanc.freeze();
    const again = await get(path, { accept, 'if-none-match': tag }).finally(() => orthanc.thaw());
    expect([path, again.statusCode]).toEqual([path, 304]);
  };
  for (const [path, accept] of ROUTES)
    await vi.waitFor(() => heldWithoutArchive(path, accept), { timeout: 60_000 });
  expect((await get(STUDY, { 'if-none-match': tag }, 'other')).statusCode).toBe(404);
}, 120_000);

it.each<[ifNoneMatch: string | undefined, tag: string, held: string | undefined]>([
  [undefined, '"a"', undefined],
  ['"a"', '"a"', '"a"'],
  ['W/"a"', '"a"', 'W/"a"'],
  ['"a"', 'W/"a"', '"a"'],
  [' "b" ,W/"a" ', 'W/"a"', 'W/"a"'],
  ['"ab"', '"a"', undefined],
  ['a', '"a"', undefined],
  ['', '"a"', undefined],
])('If-None-Match %s against %s → %s', (ifNoneMatch, tag, held) => {
  expect(heldTag(ifNoneMatch, tag)).toBe(held);
});
