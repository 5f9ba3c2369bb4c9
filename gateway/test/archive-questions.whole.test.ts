/**
 * The number of requests that one retrieval makes to the archive, the EHR and the clinical record (IA-7, IA-29): for
 * an own study no more than needed, and the same for a foreign, withheld and absent one. From every kind of source,
 * over HTTP.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SOURCES, type Asking, type EverySource, type Source } from './every-source.ts';
import { REFUSED, startRefusedStudies, uid } from './refused-studies.ts';

/** Ways to retrieve a study. */
const WAYS: [name: string, path: (uid: string) => string, asking?: (uid: string) => Asking][] = [
  ['study', (uid) => `/dicomweb/studies/${uid}`],
  ['metadata', (uid) => `/dicomweb/studies/${uid}/metadata`],
  ['frames', (uid) => `/dicomweb/studies/${uid}/series/${uid}.1/instances/${uid}.1.1/frames/1`],
  ['WADO-URI', (uid) => `/wado-uri?requestType=WADO&studyUID=${uid}&seriesUID=${uid}.1&objectUID=${uid}.1.1`],
  ['FHIR', (uid) => `/fhir/ImagingStudy/${uid}`],
  ['link', () => '/wado/links', (uid) => ({ json: { path: `studies/${uid}/rendered` } })],
];
/** Refusals are delayed, so only these ways are tried; `refusal-round-trips.whole.test.ts` tries all. */
const REFUSED_WAYS = ['study', 'frames', 'FHIR'];

let every: EverySource;

beforeAll(async () => {
  every = await startRefusedStudies(WAYS.length);
}, 60_000);
afterAll(() => every?.close());

const ask = (source: Source, [, path, asking]: (typeof WAYS)[number], uid: string, token = 'own') =>
  every.ask(`/${source}${path(uid)}`, { ...asking?.(uid), token });

/** Tells whether requests to the archive are still under way. */
async function isAsking(): Promise<boolean> {
  await delay(30);
  const { web, dimse } = every.questions();
  return web.length + dimse > 0;
}

/** Sends one request; returns its answer and the requests that it costs. */
async function cost(source: Source, way: (typeof WAYS)[number], uid: string) {
  // The previous retrieval may still be acknowledged to the archive.
  do every.questions();
  while (await isAsking());
  const before = { ...every.ehr.calls };
  const { status, body } = await ask(source, way, uid);
  const { web, dimse } = every.questions();
  const ehr = Object.entries(every.ehr.calls).filter(([path, calls]) => calls > before[path]!);
  return {
    status,
    dimse,
    ehr,
    // After a refusal the gateway asks whether the archive still has a study that it had.
    web: web.map((path) => path.replace(/1\.9\.\d\.\d\d/, 'UID')).sort(),
    body: body.toString().replaceAll(uid, 'UID'),
  };
}

/** Most requests for the first and the second retrieval of an own study, by way. */
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
  // An association, its requests, and a response to each object.
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
  // One more at first: the instances of the study, by which the archives are compared.
  several: [
    [4, 1],
    [4, 0],
    [4, 1],
    [5, 2],
    [5, 0],
    [3, 0],
  ],
};

describe.each(SOURCES)('%s', (source) => {
  test('IA-29 an own study costs few requests to the archive, and its second retrieval fewer', async () => {
    // Fills the token cache.
    await ask(source, WAYS[0]!, uid('absent', 0));
    for (const [number, way] of WAYS.entries()) {
      for (const most of FEW[source][number]!) {
        const { status, web, dimse, ehr } = await cost(source, way, uid('own', number));
        expect([way[0], status, ehr]).toEqual([way[0], way[0] === 'link' ? 201 : 200, []]);
        expect([way[0], web.length + dimse <= most, web, dimse]).toEqual([way[0], true, web, dimse]);
      }
    }
  });

  test('IA-7 a foreign or withheld study gets the answer of an absent one and costs the same requests', async () => {
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
