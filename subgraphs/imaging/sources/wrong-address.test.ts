import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { patient, testAccess, testSubgraph, testTenant } from '../test/subgraph.ts';
import { startUpstream } from '../test/upstream.ts';

/** A server that is no DICOMweb server, or not at this address: its 404 does not mean that an object is absent. */

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const STUDY = '1.2.3';
const ROWS = [{ '0020000D': { vr: 'UI', Value: [STUDY] }, '00100020': { vr: 'LO', Value: ['MRN'] } }];
const rows = (response: ServerResponse) =>
  response.writeHead(200, { 'content-type': 'application/dicom+json' }).end(JSON.stringify(ROWS));
const missing = (response: ServerResponse) => response.writeHead(404).end();
const page = (response: ServerResponse) =>
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end('<html>Sign in</html>');

/** Serves the tenant `test` with an archive that answers as this. */
async function served(answer: (url: string, response: ServerResponse) => unknown) {
  const upstream = await startUpstream(({ url = '' }, response) => answer(url, response));
  const endpoint = `${upstream.url}/dicom-web`;
  const tenant = testTenant({ type: 'dicom-web', endpoint, lookup: 'studies-by-mrn' });
  const logged: object[] = [];
  const gateway = await testSubgraph([tenant], { own: testAccess([patient('own', 'MRN')]) });
  closing.push(
    () => upstream.close(),
    () => gateway.close(),
  );
  gateway.app.log.warn = (line: object) => void logged.push(line);
  const status = async (path: string) =>
    (
      await gateway.app.inject({
        url: `/test${path}`,
        headers: { authorization: 'Bearer own', accept: '*/*' },
      })
    ).statusCode;
  return { status, logged, endpoint };
}

const SEARCHES = [
  '/dicomweb/studies',
  `/dicomweb/studies/${STUDY}/series`,
  '/fhir/ImagingStudy?patient=own',
  `/dicomweb/studies/${STUDY}`,
];

describe('DW-15 a search that is answered', () => {
  test.each<[what: string, answer: (response: ServerResponse) => unknown, reason: RegExp]>([
    ['with 404', missing, /answered 404 to a search: it is not the root of a DICOMweb server$/],
    ['with 410', (response) => response.writeHead(410).end(), /answered 410 to a search/],
    ['with a page to sign in', page, /answered a web page, such as a sign-in or the page of a proxy$/],
    [
      'with a redirect to such a page',
      (response) => response.writeHead(302, { location: '/login' }).end(),
      /answered 302$/,
    ],
  ])('%s is 502, and the log names tenant, address and cause', async (_what, answer, reason) => {
    const { status, logged, endpoint } = await served((_url, response) => answer(response));
    for (const path of SEARCHES) expect([path, await status(path)]).toEqual([path, 502]);
    expect(logged).toHaveLength(SEARCHES.length);
    for (const line of logged) {
      expect(line).toMatchObject({ tenant: 'test', reason: expect.stringMatching(reason) });
      expect(line).toMatchObject({ reason: expect.stringContaining(`${endpoint} (images.endpoint)`) });
    }
  });
});

const OBJECTS: [what: string, path: string][] = [
  ['a study', `/studies/${STUDY}`],
  ['metadata', `/studies/${STUDY}/metadata`],
  ['an instance', `/studies/${STUDY}/series/1/instances/2`],
  ['frames', `/studies/${STUDY}/series/1/instances/2/frames/1`],
  ['a picture', `/studies/${STUDY}/series/1/instances/2/rendered`],
  ['bulk data', `/studies/${STUDY}/series/1/instances/2/bulkdata/00091002`],
];

describe('DW-23 a 404 for', () => {
  test.each(OBJECTS)('%s is 404 where the server answers searches', async (_what, path) => {
    const { status } = await served((url, response) =>
      url.startsWith('/dicom-web/studies?') ? rows(response) : missing(response),
    );
    expect(await status(`/dicomweb${path}`)).toBe(404);
  });

  test.each(OBJECTS)('%s is 502 where the server has moved since it was found', async (_what, path) => {
    let moved = false;
    const { status } = await served((url, response) =>
      !moved && url.startsWith('/dicom-web/studies?') ? rows(response) : missing(response),
    );
    expect(await status(`/dicomweb/studies/${STUDY}/series`)).toBe(404);
    moved = true;
    expect(await status(`/dicomweb${path}`)).toBe(502);
  });

  test.each(OBJECTS)('%s is 502 where the answer is a page to sign in', async (_what, path) => {
    const { status } = await served((url, response) =>
      url.startsWith('/dicom-web/studies?') ? rows(response) : page(response),
    );
    expect(await status(`/dicomweb${path}`)).toBe(502);
  });
});
