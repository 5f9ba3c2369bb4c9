/**
 * One audit record for each retrieval, whatever its outcome (IA-30): HEAD, 304, a range, a refusal, an answer that
 * breaks off. From every kind of source, over HTTP.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  recordsByRequest,
  SOURCES,
  startEverySource,
  type Asking,
  type EverySource,
  type Source,
} from './every-source.ts';
import { smallObjects } from './setup/small-objects.ts';
import { isInTurn } from './setup/usual-run.ts';

const OWN = '1.8.1';
const FOREIGN = '1.8.2';
const ABSENT = '1.8.9';
/** A study of 24 MB. */
const LARGE = '1.8.3';
const PIECES = { instances: 6, side: 2048, pixels: randomBytes(100_000) };
const BYTES = PIECES.side ** 2;
const named = (name: string, objects: readonly Buffer[]) =>
  Object.fromEntries(objects.map((bytes, index) => [`${name}-${index}.dcm`, bytes]));
const large = () => named('large', smallObjects({ studyUid: LARGE, patientId: 'MRN-a', ...PIECES }));

let every: EverySource;
let number = 0;

beforeAll(async () => {
  every = await startEverySource({
    ...named('own', smallObjects({ studyUid: OWN, patientId: 'MRN-a', instances: 3 })),
    ...named('foreign', smallObjects({ studyUid: FOREIGN, patientId: 'MRN-b' })),
    ...large(),
  });
  every.give('own', 'a');
  every.give('listing', 'a', { scope: 'patient/ImagingStudy.s' });
  every.give('reading', 'a', { scope: 'patient/ImagingStudy.r' });
}, 60_000);
afterAll(() => every?.close());

const study = (uid: string) => `/dicomweb/studies/${uid}`;
const instance = (uid: string) => `${study(uid)}/series/${uid}.1/instances/${uid}.1.1`;
const pixels = (uid: string) => `${instance(uid)}/bulkdata/7FE00010`;
const uri = (uid: string) =>
  `/wado-uri?requestType=WADO&studyUID=${uid}&seriesUID=${uid}.1&objectUID=${uid}.1.1`;

/**
 * A way to retrieve a study: the path, the Accept header, a token without the needed scope, and the status for an
 * Accept header that cannot be met.
 */
type Form = [
  name: string,
  path: (uid: string) => string,
  accept: string,
  without?: string,
  unacceptable?: number,
];
const MULTIPART: Form = [
  'multipart',
  study,
  'multipart/related; type="application/dicom"; transfer-syntax=*',
];
const ZIP: Form = ['zip', study, 'application/zip; transfer-syntax=*'];
const FORMS: Form[] = [
  MULTIPART,
  ZIP,
  ['single part', instance, 'application/dicom; transfer-syntax=*'],
  ['metadata', (uid) => `${study(uid)}/metadata`, '*/*'],
  ['frames', (uid) => `${instance(uid)}/frames/1`, '*/*'],
  ['bulk data', pixels, '*/*'],
  ['all bulk data', (uid) => `${study(uid)}/bulkdata`, '*/*'],
  ['rendered', (uid) => `${instance(uid)}/rendered`, 'image/png'],
  ['thumbnail', (uid) => `${study(uid)}/thumbnail`, 'image/png'],
  ['WADO-URI', uri, 'image/png'],
  ['QIDO-RS', (uid) => `${study(uid)}/series`, '*/*', 'reading'],
  ['FHIR', (uid) => `/fhir/ImagingStudy/${uid}`, '*/*'],
];
/** The Endpoint of the tenant, whichever study is requested. */
const ENDPOINT: Form = ['Endpoint', () => '/fhir/Endpoint/dicomweb', '*/*'];

type Asked = [what: string, path: string, asking: Asking, status: number, outcome: string];

/**
 * Returns the status of each request and the outcomes recorded for it; the requests of one `lane` are sent in
 * sequence.
 */
async function records(source: Source, lanes: readonly (readonly Asked[])[]) {
  const answers = await Promise.all(
    lanes.map(async (lane) => {
      const answered = [];
      let etag = '*';
      for (const [what, path, asking] of lane) {
        const id = `audit-once-${number++}`;
        const headers: Record<string, string> = { ...asking.headers, 'x-request-id': id };
        if (headers['if-none-match']) headers['if-none-match'] = etag;
        const { status, headers: given } = await every.ask(`/${source}${path}`, { ...asking, headers });
        etag = String(given['etag'] ?? etag);
        answered.push({ what, id, status });
      }
      return answered;
    }),
  );
  const found = await recordsByRequest(every);
  const outcomes = (id: string) =>
    (found.get(id) ?? []).map(({ outcome }) => ('code' in outcome ? outcome.code : outcome.kind));
  return answers.flat().map(({ what, id, status }) => [what, status, outcomes(id)]);
}

const expected = (lanes: readonly (readonly Asked[])[]) =>
  lanes.flat().map(([what, , , status, outcome]) => [what, status, [outcome]]);

describe.concurrent.each(SOURCES)('IA-30 %s leaves one record', (source) => {
  const inRun = (_form: Form, row: number) => isInTurn([row, SOURCES.indexOf(source)], SOURCES.length);

  test('of each answer to HEAD and GET, cold and warm, and of each 304', async () => {
    const lanes = [...FORMS, ENDPOINT].filter(inRun).map(([form, path, accept]) =>
      ['HEAD', 'GET', 'GET held', 'HEAD held'].map((how): Asked => {
        const method = how.startsWith('HEAD') ? 'HEAD' : 'GET';
        const held = how.endsWith('held');
        const headers = { accept, ...(held && { 'if-none-match': 'the last' }) };
        return [`${form} ${how}`, path(OWN), { method, headers }, held ? 304 : 200, 'allowed'];
      }),
    );
    // What came by DIMSE is kept; the whole study, arriving in another lane, would be a new version of its instances.
    if (source === 'c-get' || source === 'c-move')
      await every.ask(`/${source}${study(OWN)}`, { headers: { accept: MULTIPART[2] } });
    expect(await records(source, lanes)).toEqual(expected(lanes));
  });

  test('of each refusal, and of a range', async () => {
    const range = (range: string): Asking => ({ headers: { range } });
    const lanes: Asked[][] = [
      ...FORMS.filter(inRun).flatMap(([form, path, accept, without = 'listing']): Asked[][] => {
        const headers = { accept };
        const anything = { accept, 'if-none-match': '*' };
        return [
          [[`foreign ${form} held`, path(FOREIGN), { headers: anything }, 404, 'not_found']],
          [[`absent ${form} held`, path(ABSENT), { headers: anything }, 404, 'not_found']],
          [[`foreign ${form}`, path(FOREIGN), { headers }, 404, 'not_found']],
          [[`absent ${form}`, path(ABSENT), { headers, method: 'HEAD' }, 404, 'not_found']],
          [[`${form} beyond the scope`, path(OWN), { headers, token: without }, 403, 'insufficient_scope']],
          [[`${form} with a wrong token`, path(OWN), { headers, token: 'made-up' }, 401, 'invalid_token']],
          [[`${form} not acceptable`, path(OWN), { headers: { accept: 'text/csv' } }, 406, 'not_acceptable']],
        ];
      }),
      [['no such frame', `${instance(OWN)}/frames/9`, {}, 404, 'not_found']],
      [['no frame number', `${instance(OWN)}/frames/0`, {}, 400, 'invalid_request']],
      [['no UID', study('x'), {}, 400, 'invalid_request']],
      [['storing', study(OWN), { json: {} }, 405, 'method_not_allowed']],
      [['a range', pixels(OWN), range('bytes=0-3'), 206, 'allowed']],
      [['beyond the end', pixels(OWN), range('bytes=99-'), 416, 'range_not_satisfiable']],
    ];
    expect(await records(source, lanes)).toEqual(expected(lanes));
  });
});

describe.each(SOURCES)('IA-30 %s leaves one record of an answer that', (source) => {
  /** Sends a request and returns when its first bytes are there. */
  async function begun([, path, accept]: Form) {
    const id = `audit-once-${number++}`;
    const headers = { authorization: 'Bearer own', accept, 'x-request-id': id };
    const answer = await request(`${every.gateway.baseUrl}/${source}${path(LARGE)}`, { headers });
    const body = answer.body.on('error', () => undefined);
    await once(body, 'readable');
    return { id, status: answer.statusCode, body };
  }
  const outcomes = async (id: string) =>
    (await recordsByRequest(every)).get(id)?.map(({ outcome }) => outcome);

  test.each([MULTIPART, ZIP])('breaks off: %s', async (...form) => {
    const proxies = Object.values(every.proxies);
    for (const { connections } of proxies) for (const connection of connections) connection.bytes = 0;
    for (const proxy of proxies) proxy.cutAfter = 1.5 * BYTES;
    const { id, status, body } = await begun(form);
    // The folder then holds other files than those that were found.
    if (source === 'folder') await every.store(named('large', Array(PIECES.instances).fill(Buffer.alloc(0))));
    let bytes = 0;
    const read = (async () => {
      for await (const chunk of body) bytes += (chunk as Buffer).length;
    })();
    await expect(read).rejects.toThrow();
    for (const proxy of proxies) proxy.cutAfter = Infinity;
    expect(status).toBe(200);
    expect(bytes).toBeLessThan(PIECES.instances * BYTES);
    expect(await outcomes(id)).toHaveLength(1);
    if (source !== 'folder') return;
    await every.store(large());
    const again = async () => (await every.ask(`/folder${study(LARGE)}`, { method: 'HEAD' })).status;
    await expect.poll(again, { timeout: 10_000 }).toBe(200);
  });

  test.each([MULTIPART, ZIP])('the client does not read to its end: %s', async (...form) => {
    const { id, status, body } = await begun(form);
    body.destroy();
    expect([status, await outcomes(id)]).toEqual([200, [{ kind: 'allowed' }]]);
  });
});
