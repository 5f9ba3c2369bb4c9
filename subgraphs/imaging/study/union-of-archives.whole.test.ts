import { graphql } from 'graphql';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../../gateway/test/setup/free-port.ts';
import { startOrthanc, type Orthanc } from '../../../gateway/test/setup/orthanc.ts';
import { retrievedObjects } from '../../../gateway/test/setup/retrieved-objects.ts';
import { Tag, text, type DicomJson } from '../../../schema/dicom/dicom.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { MRN, NAMES, STUDIES, sum, uidsOf, WHOLE } from '../test/divided-studies.ts';
import {
  orthancImages,
  patient,
  testAccess,
  testSubgraph,
  testTenant,
  type TestSubgraph,
} from '../test/subgraph.ts';
import { startSwitchedProxy, startUpstream, type SwitchedProxy, type Upstream } from '../test/upstream.ts';

/** One study in several archives, each of which has other instances of it: all APIs give the union (DW-18). */

let orthanc: Orthanc;
let proxy: SwitchedProxy;
/** Passes on all answers, but closes the connection after this share of the bytes of a retrieval. */
let cutting: Upstream;
let share = 1;
let directories: string[];
let served: TestSubgraph;
let tenants: Tenant[];
const own = testAccess([patient('own', MRN)]);
const logged: unknown[][] = [];

beforeAll(async () => {
  const files = (which: 'folder' | 'archive') => Object.values(STUDIES).flatMap((study) => study[which]);
  directories = await Promise.all(
    (['folder', 'archive'] as const).map(async (which) => {
      const directory = await mkdtemp(join(tmpdir(), 'union-'));
      for (const [index, file] of files(which).entries())
        await writeFile(join(directory, `${index}.dcm`), file);
      return directory;
    }),
  );
  orthanc = await startOrthanc({ files: files('archive') });
  proxy = await startSwitchedProxy(orthanc.url);
  cutting = await startUpstream(
    async ({ url, headers: { authorization = '', accept = '*/*' } }, response) => {
      const answer = await request(orthanc.url + url, { headers: { authorization, accept }, reset: true });
      const bytes = Buffer.from(await answer.body.arrayBuffer());
      const type = String(answer.headers['content-type']);
      response.writeHead(answer.statusCode, { 'content-type': type });
      if (!type.includes('application/dicom"')) return response.end(bytes);
      return response.write(bytes.subarray(0, bytes.length * share), () =>
        share < 1 ? response.destroy() : response.end(),
      );
    },
  );
  const [folder, second] = directories.map((path) => ({ type: 'folder', path, lookup: 'studies-by-mrn' }));
  const archive = orthancImages(orthanc, { endpoint: `${proxy.url}/dicom-web` });
  const endpoint = `dimse://127.0.0.1:${orthanc.dicomPort}`;
  const pacs = {
    type: 'dicom-dimse',
    endpoint,
    calledAe: orthanc.aet,
    ae: 'GATEWAY',
    lookup: 'studies-by-mrn',
  };
  tenants = [
    testTenant([folder, archive], 'folder and Orthanc'),
    testTenant([archive, folder], 'Orthanc and folder'),
    testTenant([folder, second], 'two folders'),
    testTenant([folder, { ...pacs, retrieval: 'c-get' }], 'folder and C-GET'),
    testTenant([folder, archive], 'failing'),
    testTenant([folder, orthancImages(orthanc, { endpoint: `${cutting.url}/dicom-web` })], 'cutting'),
  ];
  served = await testSubgraph(
    tenants,
    { own, all: testAccess('all', 'system/ImagingStudy.rs') },
    { dimse: { host: '127.0.0.1', port: await freePort(), maxBytes: 1e8 } },
  );
  served.app.log.warn = (...details: unknown[]) => void logged.push(details);
}, 60_000);
afterAll(async () => {
  await served?.close();
  await cutting?.close();
  await proxy?.close();
  await orthanc?.stop();
  for (const directory of directories ?? []) await rm(directory, { recursive: true, force: true });
});

const get = (tenant: string, path: string, accept = '*/*', token = 'own') =>
  served.app.inject({
    url: `/${encodeURIComponent(tenant)}${path}`,
    headers: { authorization: `Bearer ${token}`, accept },
  });
const rows = async (tenant: string, path: string, token?: string) => {
  const answer = await get(tenant, `/dicomweb${path}`, '*/*', token);
  expect([path, answer.statusCode, answer.headers['warning']]).toEqual([path, 200, undefined]);
  return answer.json<DicomJson[]>();
};
const objects = async (tenant: string, path: string, accept: string) => {
  const answer = await get(tenant, `/dicomweb${path}`, accept);
  expect([path, answer.statusCode]).toEqual([path, 200]);
  const found = await retrievedObjects(String(answer.headers['content-type']), answer.rawPayload);
  return found!.map(({ instance }) => instance!);
};
const sopUid = (row: DicomJson) => text(row, Tag.SOPInstanceUID)!;
const counts = (some: DicomJson[], uid: string, count: string) =>
  Object.fromEntries(some.map((row) => [text(row, uid), row[count]?.Value?.[0]]));

describe.each(['folder and Orthanc', 'Orthanc and folder', 'two folders', 'folder and C-GET'])(
  '%s',
  (tenant) => {
    it.each(['own', 'all'])('lists count the instances of all archives (%s)', async (token) => {
      const whole = Object.fromEntries(NAMES.map((name) => [STUDIES[name].uid, sum(WHOLE[name])]));
      const found = await rows(tenant, '/studies', token);
      expect(counts(found, Tag.StudyInstanceUID, Tag.NumberOfStudyRelatedInstances)).toEqual(whole);
      expect(counts(found, Tag.StudyInstanceUID, Tag.NumberOfStudyRelatedSeries)).toEqual(
        Object.fromEntries(NAMES.map((name) => [STUDIES[name].uid, Object.keys(WHOLE[name]).length])),
      );
      // A page, and a search that one archive alone finds, count the same.
      const paged: DicomJson[] = [];
      for (let offset = 0; offset < NAMES.length; offset += 2) {
        const page = await get(tenant, `/dicomweb/studies?limit=2&offset=${offset}`, '*/*', token);
        paged.push(...page.json<DicomJson[]>());
      }
      expect(counts(paged, Tag.StudyInstanceUID, Tag.NumberOfStudyRelatedInstances)).toEqual(whole);
      const [filtered] = await rows(tenant, '/studies?ModalitiesInStudy=SR', token);
      expect(counts([filtered!], Tag.StudyInstanceUID, Tag.NumberOfStudyRelatedInstances)).toEqual({
        '1.9.3': 5,
      });
      expect([...filtered![Tag.ModalitiesInStudy]!.Value!].sort()).toEqual(['CT', 'SR']);
      const instances = await rows(tenant, '/instances', token);
      expect(instances.map(sopUid).sort()).toEqual(NAMES.flatMap(uidsOf).sort());
      const series = await rows(tenant, '/series', token);
      expect(counts(series, Tag.SeriesInstanceUID, Tag.NumberOfSeriesRelatedInstances)).toEqual(
        Object.assign({}, ...Object.values(WHOLE)),
      );
    });

    describe.each(NAMES)('%s', (name) => {
      const { uid } = STUDIES[name];
      const path = `/studies/${uid}`;
      const expected = uidsOf(name).sort();

      it.each([
        'multipart/related; type="application/dicom"; transfer-syntax=*',
        'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.4.80',
        'application/zip; transfer-syntax=*',
      ])('are retrieved as a whole, each instance once: %s', async (accept) => {
        expect((await objects(tenant, path, accept)).sort()).toEqual(expected);
        for (const [series, count] of Object.entries(WHOLE[name]))
          expect(await objects(tenant, `${path}/series/${series}`, accept)).toHaveLength(count);
      });

      it('have metadata, and rows of series and instances', async () => {
        expect((await rows(tenant, `${path}/metadata`)).map(sopUid).sort()).toEqual(expected);
        expect((await rows(tenant, `${path}/instances`)).map(sopUid).sort()).toEqual(expected);
        const series = await rows(tenant, `${path}/series`);
        expect(counts(series, Tag.SeriesInstanceUID, Tag.NumberOfSeriesRelatedInstances)).toEqual(
          WHOLE[name],
        );
        for (const [one, count] of Object.entries(WHOLE[name])) {
          expect(await rows(tenant, `${path}/series/${one}/metadata`)).toHaveLength(count);
          expect(await rows(tenant, `${path}/series/${one}/instances`)).toHaveLength(count);
          const seen: string[] = [];
          for (let offset = 0; offset < count; offset += 4) {
            const page = await get(
              tenant,
              `/dicomweb${path}/series/${one}/instances?limit=4&offset=${offset}`,
            );
            seen.push(...page.json<DicomJson[]>().map(sopUid));
          }
          expect(new Set(seen).size).toBe(count);
          expect(seen).toHaveLength(count);
        }
      });

      it('are read one by one, each from the first archive that has it', async () => {
        for (const instance of expected) {
          const one = `${path}/series/${instance.replace(/\.\d+$/, '')}/instances/${instance}`;
          const frame = await get(tenant, `/dicomweb${one}/frames/1`, 'application/octet-stream');
          const number = Number(instance.split('.').at(-1));
          const isLarger = name === 'an overlap' && number > (tenant === 'Orthanc and folder' ? 7 : 12);
          expect([instance, frame.statusCode, frame.rawPayload.length]).toEqual([
            instance,
            200,
            isLarger ? 25 : 16,
          ]);
        }
        const missing = `${path}/series/${uid}.1/instances/${uid}.1.99`;
        expect((await get(tenant, `/dicomweb${missing}`)).statusCode).toBe(404);
      });

      it('are counted by FHIR and GraphQL', async () => {
        const whole = {
          numberOfInstances: sum(WHOLE[name]),
          numberOfSeries: Object.keys(WHOLE[name]).length,
        };
        const series = Object.fromEntries(
          Object.entries(WHOLE[name]).map(([one, count]) => [one, [count, count]]),
        );
        const seriesOf = (study: {
          series: { uid: string; numberOfInstances: number; instance: unknown[] }[];
        }) =>
          Object.fromEntries(
            study.series.map((one) => [one.uid, [one.numberOfInstances, one.instance.length]]),
          );
        const read = (await get(tenant, `/fhir/ImagingStudy/${uid}`)).json();
        const bundle = (await get(tenant, '/fhir/ImagingStudy?patient=own')).json();
        const listed = bundle.entry.find(({ resource }: { resource: { id: string } }) => resource.id === uid);
        for (const study of [read, listed.resource]) {
          expect(study).toMatchObject(whole);
          expect(seriesOf(study)).toEqual(series);
          expect(study.endpoint).toHaveLength(1);
        }
        const fields =
          '{ id numberOfInstances numberOfSeries series { uid numberOfInstances instance { uid } } }';
        const { data, errors } = await graphql({
          schema: served.subgraph.schema,
          source: `{ ImagingStudy(id: "${uid}") ${fields} ImagingStudyList ${fields} }`,
          contextValue: {
            imaging: served.subgraph.open(
              tenants.find(({ key }) => key === tenant)!,
              own,
            ),
            partial: [],
          },
        });
        expect(errors).toBeUndefined();
        const graph = JSON.parse(JSON.stringify(data));
        for (const study of [
          graph.ImagingStudy,
          graph.ImagingStudyList.find(({ id }: { id: string }) => id === uid),
        ]) {
          expect(study).toMatchObject(whole);
          expect(seriesOf(study)).toEqual(series);
        }
      });
    });
  },
);

describe('an archive that fails', () => {
  const WAYS: [path: string, accept: string][] = [
    ['', 'multipart/related; type="application/dicom"; transfer-syntax=*'],
    ['', 'application/zip; transfer-syntax=*'],
    ['/metadata', '*/*'],
    ['/series', '*/*'],
    ['/instances', '*/*'],
  ];
  it.each(
    (['halves', 'an overlap', 'series of their own', 'equally many', 'a part and all'] as const).flatMap(
      (name) => WAYS.map(([path, accept]) => [name, path, accept] as const),
    ),
  )('makes a study of which it has a part 503, never shorter: %s%s as %s', async (name, path, accept) => {
    const url = `/dicomweb/studies/${STUDIES[name].uid}${path}`;
    proxy.mode = 'up';
    expect((await get('failing', url, accept)).statusCode).toBe(200);
    for (const mode of ['refusing', 'failing', 'breaking'] as const) {
      proxy.mode = mode;
      served.subgraph.invalidate();
      const answer = await get('failing', url, accept);
      expect([mode, answer.statusCode >= 502]).toEqual([mode, true]);
    }
    proxy.mode = 'up';
    served.subgraph.invalidate();
    expect((await get('failing', url, accept)).statusCode).toBe(200);
  });

  it.each([
    'multipart/related; type="application/dicom"; transfer-syntax=*',
    'application/zip; transfer-syntax=*',
  ])('ends the connection if it breaks off later: %s', async (accept) => {
    const url = `/dicomweb/studies/${STUDIES.halves.uid}`;
    share = 1;
    expect((await get('cutting', url, accept)).statusCode).toBe(200);
    share = 0.7;
    // The connection ends before the answer does.
    await expect(get('cutting', url, accept)).rejects.toThrow();
  });

  it('makes no list shorter, which warns', async () => {
    proxy.mode = 'up';
    expect((await get('failing', '/dicomweb/studies')).statusCode).toBe(200);
    proxy.mode = 'refusing';
    served.subgraph.invalidate();
    const answer = await get('failing', '/dicomweb/studies');
    const found = counts(answer.json(), Tag.StudyInstanceUID, Tag.NumberOfStudyRelatedInstances);
    expect(found).toEqual(Object.fromEntries(NAMES.map((name) => [STUDIES[name].uid, sum(WHOLE[name])])));
    expect(String(answer.headers['warning'])).toContain('did not answer');
    proxy.mode = 'up';
    served.subgraph.invalidate();
  });
});

it('objects of one UID that differ are logged once', () => {
  const lines = logged.filter(([, message]) => String(message).includes('differ'));
  expect(lines.length).toBeGreaterThan(0);
  expect(lines[0]![0]).toMatchObject({ studyUid: '1.9.2', count: 5 });
});
