/** Bulk data and pixel data of a study, series or instance, in one answer (DW-29). */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startOrthanc, type Orthanc } from '../../../gateway/test/setup/orthanc.ts';
import { smallObjects } from '../../../gateway/test/setup/small-objects.ts';
import { streamLike, videoObject } from '../../../gateway/test/setup/video-object.ts';
import { Tag, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { bulkDataUris } from '../parsing/bulk-data-uris.ts';
import { boundaryOf, readMultipart } from '../multipart/multipart.ts';
import { retrieveAllBulkData } from './all-bulk-data.ts';
import {
  BASE_URL,
  orthancImages,
  testAccess,
  testSubgraph,
  testTenant,
  type TestSubgraph,
} from '../test/subgraph.ts';

const STUDY = '1.9.1';
const VIDEO = '1.9.2';
const STREAM = streamLike('video/mp4');
const SERIES = `/studies/${STUDY}/series/${STUDY}.1`;
const MULTIPART = 'multipart/related; type="application/octet-stream"';

let directory: string;
let orthanc: Orthanc;
let served: TestSubgraph;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bulk-data-'));
  const files = [
    ...smallObjects({ studyUid: STUDY, patientId: 'A', instances: 3, side: 64 }),
    videoObject(VIDEO, '1.2.840.10008.1.2.4.102', STREAM),
  ];
  await mkdir(join(directory, 'images'));
  for (const [i, file] of files.entries()) await writeFile(join(directory, 'images', `${i}.dcm`), file);
  orthanc = await startOrthanc({ files });
  const folder = { type: 'folder', path: join(directory, 'images'), lookup: 'all-studies-on-server' };
  const web = orthancImages(orthanc, { lookup: 'all-studies-on-server' });
  const dimse = {
    type: 'dicom-dimse',
    endpoint: `dimse://127.0.0.1:${orthanc.dicomPort}`,
    calledAe: orthanc.aet,
    lookup: 'all-studies-on-server',
  };
  const images = { folder, orthanc: web, dimse, several: [web, folder] };
  served = await testSubgraph(
    Object.entries(images).map(([name, one]) => testTenant(one, name)),
    { all: testAccess('all', 'system/ImagingStudy.rs'), none: testAccess([]) },
  );
}, 60_000);
afterAll(async () => {
  await served?.close();
  await orthanc?.stop();
  await rm(directory, { recursive: true, force: true });
});

const get = (url: string, accept = MULTIPART, more: { token?: string; method?: 'HEAD' } = {}) =>
  served.app.inject({
    url,
    method: more.method ?? 'GET',
    headers: { authorization: `Bearer ${more.token ?? 'all'}`, accept },
  });

async function partsOf({ headers, rawPayload }: Awaited<ReturnType<typeof get>>) {
  const parts: { location: string | undefined; type: string | undefined; bytes: Buffer }[] = [];
  const boundary = boundaryOf(String(headers['content-type']))!;
  for await (const { headers, body } of readMultipart(Readable.from([rawPayload]), boundary)) {
    const chunks: Buffer[] = [];
    for await (const chunk of body) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    parts.push({ location: headers['content-location'], type: headers['content-type'], bytes });
  }
  return parts;
}

describe.each(['folder', 'orthanc', 'dimse', 'several'])('from %s', (source) => {
  const base = `/${source}/dicomweb`;

  test.each([
    ['study', `/studies/${STUDY}`, 3],
    ['series', SERIES, 3],
    ['instance', `${SERIES}/instances/${STUDY}.1.2`, 1],
  ])('each value of a %s has the bytes of its address', async (_level, path, count) => {
    for (const values of ['bulkdata', 'pixeldata']) {
      const answer = await get(`${base}${path}/${values}`);
      expect(answer.statusCode).toBe(200);
      const parts = await partsOf(answer);
      expect(parts).toHaveLength(count);
      for (const { location, type, bytes } of parts) {
        expect(location).toMatch(
          new RegExp(`^${BASE_URL}${base}${SERIES}/instances/${STUDY}.1.\\d/bulkdata/`),
        );
        const alone = await get(location!.slice(BASE_URL.length), '*/*');
        expect([alone.statusCode, alone.headers['content-type']]).toEqual([200, type]);
        expect(alone.rawPayload.equals(bytes)).toBe(true);
      }
      expect(new Set(parts.map(({ location }) => location)).size).toBe(count);
    }
  });

  test('a video has its media type', async () => {
    const [part] = await partsOf(await get(`${base}/studies/${VIDEO}/pixeldata`, '*/*'));
    expect([part?.type, part?.bytes.equals(STREAM)]).toEqual(['video/mp4', true]);
  });

  test.each([
    ['application/octet-stream', 406],
    ['multipart/related; type="image/jpeg"', 406],
    ['multipart/related', 200],
    ['*/*', 200],
  ])('to a client that accepts %s the answer is %i', async (accept, status) => {
    expect((await get(`${base}${SERIES}/bulkdata`, accept)).statusCode).toBe(status);
    const head = await get(`${base}${SERIES}/bulkdata`, accept, { method: 'HEAD' });
    expect([head.statusCode, head.rawPayload.length]).toEqual([
      status,
      status === 200 ? 0 : expect.any(Number),
    ]);
  });

  test('nobody gets what is not theirs, and nothing is found where nothing is', async () => {
    for (const values of ['bulkdata', 'pixeldata']) {
      expect((await get(`${base}/studies/${STUDY}/${values}`, '*/*', { token: 'none' })).statusCode).toBe(
        404,
      );
      expect((await get(`${base}/studies/1.9.9/${values}`)).statusCode).toBe(404);
    }
  });
});

const uri = (tag: string, instance = '3') => `/studies/1/series/2/instances/${instance}/bulkdata/${tag}`;
const rows = [
  {
    [Tag.PixelData]: { vr: 'OW', BulkDataURI: uri('7FE00010') },
    '00880200': {
      vr: 'SQ',
      Value: [{ [Tag.PixelData]: { vr: 'OW', BulkDataURI: uri('00880200/0/7FE00010') } }, null],
    },
  },
  { [Tag.FloatPixelData]: { vr: 'OF', BulkDataURI: uri('7FE00008', '4') }, '00100020': { vr: 'LO' } },
] as unknown as DicomJson[];
const json = Buffer.from(JSON.stringify(rows));

test('the pixels of an icon are bulk data, and no pixel data of the object', () => {
  const all = [uri('7FE00010'), uri('00880200/0/7FE00010'), uri('7FE00008', '4')];
  expect(bulkDataUris({ json, values: 'bulkdata' }).toSorted()).toEqual(all.toSorted());
  expect(bulkDataUris({ json, values: 'pixeldata' })).toEqual([uri('7FE00010'), uri('7FE00008', '4')]);
});

test.each([
  ['the first value', 0, 'refused'],
  ['a later value', 1, 'cut off'],
])('a source that does not give %s: the answer is %s', async (_which, missing, end) => {
  let asked = 0;
  const core = {
    encodedMetadata: async () => ({ encoded: async () => json }) as never,
    async bulkdata() {
      if (asked++ === missing) throw new Error('away');
      return { mediaType: 'a/b', size: 4, open: () => Readable.from([Buffer.from('1234')]) };
    },
  };
  const threads = { run: async (_: unknown, task: () => never) => bulkDataUris(task()) } as never;
  const asking = { target: { studyUid: '1' }, values: 'pixeldata' as const, accept: [], base: 'https://x' };
  const accept = [{ type: '*/*', parameters: {}, quality: 1 }];
  const given = retrieveAllBulkData(core, { ...asking, accept, threads });
  if (end === 'refused') return expect(given).rejects.toThrow('away');
  const { body } = await given;
  await expect((body as Readable).toArray()).rejects.toThrow('away');
});
