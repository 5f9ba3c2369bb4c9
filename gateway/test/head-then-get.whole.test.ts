/**
 * HEAD and then GET of objects that an archive delivers by DIMSE (DW-10, DW-16): the same headers, the complete body,
 * at most two retrievals, and afterwards no file that is not cached and no association.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startEverySource, type EverySource } from './every-source.ts';
import { smallObjects } from './setup/small-objects.ts';

const INSTANCES = 4;
const PIXELS = 'PIXELS-OF-THE-STUDY';
type Form = [name: string, path: (uid: string) => string, accept: string, objects: number];
const instance = (uid: string) => `/dicomweb/studies/${uid}/series/${uid}.1/instances/${uid}.1.2`;
const uri = (uid: string) =>
  `/wado-uri?requestType=WADO&studyUID=${uid}&seriesUID=${uid}.1&objectUID=${uid}.1.2`;
const FORMS: Form[] = [
  [
    'multipart',
    (uid) => `/dicomweb/studies/${uid}`,
    'multipart/related; type="application/dicom"; transfer-syntax=*',
    INSTANCES,
  ],
  ['zip', (uid) => `/dicomweb/studies/${uid}`, 'application/zip; transfer-syntax=*', INSTANCES],
  ['single part', instance, 'application/dicom; transfer-syntax=*', 1],
  ['WADO-URI', (uid) => `${uri(uid)}&contentType=application/dicom&transferSyntax=*`, '*/*', 1],
  ['frames', (uid) => `${instance(uid)}/frames/1`, '*/*', 0],
  ['bulk data', (uid) => `${instance(uid)}/bulkdata/7FE00010`, '*/*', 0],
];
const SOURCES = ['c-get', 'c-move'] as const;
/** Data units to the archive for one retrieval, including the search for the owner of the study. */
const RETRIEVAL = { 'c-get': { study: 14, instance: 9 }, 'c-move': { study: 10, instance: 8 } };
const uid = (source: string, form: string) =>
  `1.12.${SOURCES.indexOf(source as 'c-get')}.${10 + FORMS.findIndex(([name]) => name === form)}`;

describe.each([
  ['kept', 1e9],
  ['not kept', 1],
])('retrieved objects are %s', (kept, maxBytes) => {
  let every: EverySource;
  beforeAll(async () => {
    const objects = SOURCES.flatMap((source) =>
      FORMS.flatMap(([form]) =>
        smallObjects({
          studyUid: uid(source, form),
          patientId: 'MRN-a',
          instances: INSTANCES,
          side: 64,
          pixels: PIXELS,
        }),
      ),
    );
    every = await startEverySource(Object.fromEntries(objects.map((file, n) => [`${n}.dcm`, file])), {
      maxBytes,
    });
    every.give('own', 'a');
  }, 60_000);
  afterAll(() => every?.close());

  /** Lists files that DIMSE retrievals left behind. */
  function files(): string[] {
    const directory = join(every.gateway.dataDir, 'dimse');
    if (!existsSync(directory)) return [];
    const found = readdirSync(directory, { recursive: true, withFileTypes: true });
    return found.filter((entry) => entry.isFile() && entry.name.endsWith('.dcm')).map(({ name }) => name);
  }

  describe.each(SOURCES)('DW-10, DW-16 HEAD then GET, %s', (source) => {
    test.each(FORMS)('%s', async (form, path, accept, objects) => {
      const of = `/${source}${path(uid(source, form))}`;
      const type = (value: unknown) => String(value).replace(/boundary=.*/, '');
      every.questions();
      const head = await every.ask(of, { method: 'HEAD', headers: { accept } });
      const get = await every.ask(of, { headers: { accept } });
      const asked = every.questions().dimse;
      expect([head.status, head.body.length, get.status, get.ended]).toEqual([200, 0, 200, true]);
      expect(type(head.headers['content-type'])).toBe(type(get.headers['content-type']));
      expect(get.body.toString('latin1').split('DICM').length - 1).toBe(objects);
      expect(get.body.toString('latin1').split(Buffer.alloc(64 * 64, PIXELS).toString()).length - 1).toBe(
        objects || 1,
      );
      const [again, held] = [
        await every.ask(of, { headers: { accept } }),
        await every.ask(of, { method: 'HEAD', headers: { accept, 'if-none-match': '*' } }),
      ];
      expect([again.status, again.body.length, held.status]).toEqual([200, get.body.length, 304]);
      if (kept === 'kept') {
        // One retrieval for HEAD and GET, and none for later requests.
        expect(asked).toBeLessThanOrEqual(RETRIEVAL[source][objects === INSTANCES ? 'study' : 'instance']);
        expect(every.questions().dimse).toBe(0);
      } else await vi.waitFor(() => expect(files()).toEqual([]), { timeout: 10_000 });
      await vi.waitFor(() => expect(every.proxies.dimse.open).toBe(0), { timeout: 10_000 });
    });
  });
});
