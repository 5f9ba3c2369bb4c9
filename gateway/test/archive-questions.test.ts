/**
 * How much an archive, the EHR and the clinical record are asked for one retrieval (IA-7, IA-29): of the caller's own study
 * no more than is needed, and the same of one that is foreign, withheld or not there. From every kind of source, over HTTP.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SOURCES, type Asking, type EverySource, type Source } from './every-source.ts';
import { REFUSED, startRefusedStudies, uid } from './refused-studies.ts';

/** Ways to a study. */
const WAYS: [name: string, path: (uid: string) => string, asking?: (uid: string) => Asking][] = [
  ['study', (uid) => `/dicomweb/studies/${uid}`],
  ['metadata', (uid) => `/dicomweb/studies/${uid}/metadata`],
  ['frames', (uid) => `/dicomweb/studies/${uid}/series/${uid}.1/instances/${uid}.1.1/frames/1`],
  ['WADO-URI', (uid) => `/wado-uri?requestType=WADO&studyUID=${uid}&seriesUID=${uid}.1&objectUID=${uid}.1.1`],
  ['FHIR', (uid) => `/fhir/ImagingStudy/${uid}`],
  ['link', () => '/wado/links', (uid) => ({ json: { path: `studies/${uid}/rendered` } })],
];
/** Each refusal is held back; those of every way to a study are in `refusal-round-trips.test.ts`. */
const REFUSED_WAYS = ['study', 'frames', 'FHIR'];

let every: EverySource;

beforeAll(async () => {
  every = await startRefusedStudies(WAYS.length);
}, 60_000);
afterAll(() => every?.close());

const ask = (source: Source, [, path, asking]: (typeof WAYS)[number], uid: string, token = 'own') =>
  every.ask(`/${source}${path(uid)}`, { ...asking?.(uid), token });

/** Whether the archive is still being asked something. */
async function isAsking(): Promise<boolean> {
  await delay(30);
  const { web, dimse } = every.questions();
  return web.length + dimse > 0;
}

/** What one request is answered, and the questions that it costs. */
async function cost(source: Source, way: (typeof WAYS)[number], uid: string) {
  // A retrieval that has been given may still be acknowledged to the archive.
  do every.questions();
  while (await isAsking());
  const before = { ...every.ehr.calls };
  const { status, body } = await ask(source, way, uid);
  const { web, dimse } = every.questions();
  const ehr = Object.entries(every.ehr.calls).filter(([path, calls]) => calls > before[path]!);
  return {
    ...{ status, dimse, ehr },
    // After a refusal an archive is asked whether it still has a study that it had.
    web: web.map((path) => path.replace(/1\.9\.\d\.\d\d/, 'UID')).sort(),
    body: body.toString().replaceAll(uid, 'UID'),
  };
}

/** Questions of the first request for an own study, and of the second, by way: at most as many. */
const FEW: Record<Source, readonly (readonly [cold: number, warm: number])[]> = {
  folder: WAYS.map(() => [0, 0]),
  'dicom-web': [
    [3, 1],
    [3, 0],
    [3, 1],
    [4, 2],
    [4, 0],
    [2, 0],
  ],
  // An association, its questions, and an answer to each object that comes.
  'c-get': [
    [16, 0],
    [16, 0],
    [13, 0],
    [13, 0],
    [16, 0],
    [6, 0],
  ],
  'c-move': [
    [14, 0],
    [14, 0],
    [12, 0],
    [12, 0],
    [16, 0],
    [6, 0],
  ],
  several: [
    [3, 1],
    [3, 0],
    [3, 1],
    [4, 2],
    [4, 0],
    [2, 0],
  ],
};

describe.each(SOURCES)('%s', (source) => {
  test('IA-29 an own study costs few questions, and its second request fewer', async () => {
    // Who is calling is asked once for all.
    await ask(source, WAYS[0]!, uid('absent', 0));
    for (const [number, way] of WAYS.entries()) {
      for (const most of FEW[source][number]!) {
        const { status, web, dimse, ehr } = await cost(source, way, uid('own', number));
        expect([way[0], status, ehr]).toEqual([way[0], way[0] === 'link' ? 201 : 200, []]);
        expect([way[0], web.length + dimse <= most, web, dimse]).toEqual([way[0], true, web, dimse]);
      }
    }
  });

  test('IA-7 one that is foreign or withheld costs the questions and gets the answer of one that is not there', async () => {
    for (const [number, way] of WAYS.entries()) {
      if (!REFUSED_WAYS.includes(way[0])) continue;
      expect((await ask(source, way, uid('warm', number), 'owner')).status).toBe(200);
      const absent = await cost(source, way, uid('absent', number));
      expect(absent).toMatchObject({ status: 404, ehr: [] });
      expect(absent.web.length + absent.dimse > 0).toBe(source !== 'folder');
      for (const kind of REFUSED.slice(1))
        expect([way[0], kind, await cost(source, way, uid(kind, number))]).toEqual([way[0], kind, absent]);
    }
  });
});
