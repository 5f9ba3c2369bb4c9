/** Video in DICOM objects: the stream is given as it is stored, by every source (DW-28). */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startOrthanc, type Orthanc } from '../../../gateway/test/setup/orthanc.ts';
import { streamLike, videoObject } from '../../../gateway/test/setup/video-object.ts';
import { orthancImages, testAccess, testSubgraph, testTenant, type TestSubgraph } from '../test/subgraph.ts';

const SYNTAX = '1.2.840.10008.1.2.4';
const VIDEOS = (
  [
    ['100', 'video/mpeg'],
    ['101', 'video/mp2t'],
    ['102', 'video/mp4'],
    ['103', 'video/mp2t'],
    ['104', 'video/mp4'],
    ['105', 'video/mp4'],
    ['106', 'video/mp2t'],
    ['107', 'video/mp4'],
    ['108', 'video/mp4'],
    ['100.1', 'video/mpeg'],
    ['101.1', 'video/mpeg'],
    ['102.1', 'video/mp4'],
    ['103.1', 'video/mp2t'],
    ['104.1', 'video/mp4'],
    ['105.1', 'video/mp4'],
    ['106.1', 'video/mp4'],
  ] as const
).map(([name, mediaType], index) => {
  const study = `1.9.${index}`;
  const fragments = name.endsWith('.1') ? 3 : 1;
  return {
    name,
    mediaType,
    study,
    stream: streamLike(mediaType, 4000 + 2 * index),
    fragments,
    path: `/studies/${study}/series/${study}.1/instances/${study}.1.1`,
  };
});
const [MP4] = VIDEOS.filter(({ name }) => name === '102');
const SOURCES = ['folder', 'orthanc', 'dimse', 'several'] as const;

let directory: string;
let orthanc: Orthanc;
let served: TestSubgraph;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'video-'));
  const files = VIDEOS.map(({ name, study, stream, fragments }) =>
    videoObject(study, `${SYNTAX}.${name}`, stream, fragments),
  );
  await mkdir(join(directory, 'images'));
  for (const [i, file] of files.entries()) await writeFile(join(directory, 'images', `${i}.dcm`), file);
  orthanc = await startOrthanc({ files });
  const lookup = 'all-studies-on-server';
  const folder = { type: 'folder', path: join(directory, 'images'), lookup };
  const web = orthancImages(orthanc, { lookup });
  const endpoint = `dimse://127.0.0.1:${orthanc.dicomPort}`;
  const dimse = { type: 'dicom-dimse', endpoint, calledAe: orthanc.aet, lookup };
  const images = { folder, orthanc: web, dimse, several: [web, folder] };
  const tenants = Object.entries(images).map(([name, one]) => testTenant(one, name));
  served = await testSubgraph(tenants, { all: testAccess('all', 'system/ImagingStudy.rs') });
}, 60_000);
afterAll(async () => {
  await served?.close();
  await orthanc?.stop();
  await rm(directory, { recursive: true, force: true });
});

function get(url: string, headers: Record<string, string> = {}, method: 'GET' | 'HEAD' = 'GET') {
  return served.app.inject({ method, url, headers: { authorization: 'Bearer all', ...headers } });
}

/** Orthanc 1.12 sends nothing by DIMSE whose transfer syntax it does not know. */
const videosOf = (source: string) =>
  source === 'dimse' ? VIDEOS.filter(({ fragments }) => fragments === 1) : VIDEOS;

describe.each(SOURCES)('from %s', (source) => {
  test.each(videosOf(source))('…4.$name is given as $mediaType', async ({ path, mediaType, stream }) => {
    const base = `/${source}/dicomweb${path}`;
    const { statusCode, headers, rawPayload } = await get(`${base}/rendered`);
    expect([statusCode, headers['content-type'], headers['content-length']]).toEqual([
      200,
      mediaType,
      String(stream.length),
    ]);
    expect(rawPayload.equals(stream)).toBe(true);
    const frames = await get(`${base}/frames/1`);
    expect([frames.statusCode, frames.json()]).toMatchObject([406, { message: /video/ }]);
    const thumbnail = await get(`${base}/thumbnail`);
    expect([thumbnail.statusCode, thumbnail.headers['content-type']]).toEqual([200, 'image/jpeg']);
  });

  const base = `/${source}/dicomweb${MP4!.path}`;
  const BROWSER = 'image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8';

  test.each([
    ['rendered', 'video/mp4', 200],
    ['rendered', 'video/*', 200],
    ['rendered', 'image/png, video/mp4;q=0.5', 200],
    ['rendered', BROWSER, 200],
    ['rendered', 'video/mp2t', 406],
    ['rendered', 'image/jpeg', 406],
    ['frames/1/rendered', '*/*', 406],
    ['frames/1/rendered', 'video/mp4', 406],
    ['frames/1/thumbnail', '*/*', 406],
    ['frames/99', '*/*', 406],
    ['frames/1', 'application/octet-stream', 406],
    ['frames/1', 'multipart/related; type="image/jls"', 406],
    ['bulkdata/7FE00010', 'video/mp4', 200],
    ['bulkdata/7FE00010', '*/*', 200],
    ['', 'application/dicom', 406],
    ['', 'application/dicom; transfer-syntax=*', 200],
  ])('%s for %s is %i', async (part, accept, status) => {
    const { statusCode, headers } = await get(`${base}/${part}`.replace(/\/$/, ''), { accept });
    expect(statusCode).toBe(status);
    if (status === 200 && part !== '') expect(headers['content-type']).toBe('video/mp4');
  });

  test.each(['', `/series/${MP4!.study}.1`])('rendered of its study%s is the stream', async (path) => {
    const { statusCode, headers } = await get(`/${source}/dicomweb/studies/${MP4!.study}${path}/rendered`);
    expect([statusCode, headers['content-type']]).toEqual([200, 'video/mp4']);
  });

  test('a part of it, and only the headers', async () => {
    const { statusCode, headers, rawPayload } = await get(`${base}/rendered`, { range: 'bytes=4-11' });
    expect([statusCode, headers['content-range'], rawPayload.toString()]).toEqual([
      206,
      `bytes 4-11/${MP4!.stream.length}`,
      'ftypisom',
    ]);
    expect((await get(`${base}/rendered`, { range: 'bytes=99999-' })).statusCode).toBe(416);
    const head = await get(`${base}/rendered`, {}, 'HEAD');
    expect([head.statusCode, head.headers['content-type'], head.headers['content-length']]).toEqual([
      200,
      'video/mp4',
      String(MP4!.stream.length),
    ]);
    expect(head.headers['accept-ranges']).toBe('bytes');
  });

  test('by WADO-URI', async () => {
    const { study } = MP4!;
    const uri = `/${source}/wado-uri?requestType=WADO&studyUID=${study}&seriesUID=${study}.1&objectUID=${study}.1.1`;
    const { statusCode, headers, rawPayload } = await get(`${uri}&contentType=video/mp4`, {
      range: 'bytes=4-7',
    });
    expect([statusCode, headers['content-type'], rawPayload.toString()]).toEqual([206, 'video/mp4', 'ftyp']);
    expect((await get(uri)).headers['content-type']).toBe('video/mp4');
    expect((await get(`${uri}&frameNumber=1`)).statusCode).toBe(406);
  });
});

test('its entity tag is strong, and a part belongs to it', async () => {
  const url = `/folder/dicomweb${MP4!.path}/rendered`;
  const { etag } = (await get(url)).headers as { etag: string };
  expect(etag).toMatch(/^"/);
  expect((await get(url, { 'if-none-match': etag })).statusCode).toBe(304);
  const range = 'bytes=0-3';
  expect((await get(url, { range, 'if-range': etag })).statusCode).toBe(206);
  expect((await get(url, { range, 'if-range': '"other"' })).statusCode).toBe(200);
});
