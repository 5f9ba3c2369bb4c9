/** A search reads its parameters once, and builds each study once. */
import type { Bundle, ImagingStudy } from 'fhir/r4.js';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { smallObjects } from '../../../gateway/test/setup/small-objects.ts';
import { readParameters } from '../../../schema/http/request-bounds.ts';
import { patient, testAccess, testSubgraph, testTenant, type TestSubgraph } from '../test/subgraph.ts';
import { imagingStudy } from './imaging-study.ts';

vi.mock('./imaging-study.ts', { spy: true });
vi.mock('../../../schema/http/request-bounds.ts', { spy: true });

const UIDS = ['1.2.1', '1.2.2', '1.2.3'];

let folder: string;
let served: TestSubgraph;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'once-'));
  for (const studyUid of UIDS) {
    const objects = smallObjects({ studyUid, patientId: 'MRN', instances: 2 });
    for (const [index, bytes] of objects.entries())
      await writeFile(join(folder, `${studyUid}-${index}.dcm`), bytes);
  }
  const images = { type: 'folder', path: folder, lookup: 'studies-by-mrn' };
  const accesses = { own: testAccess([patient('p', 'MRN')]), all: testAccess('all', 'system/*.rs') };
  served = await testSubgraph([testTenant(images)], accesses);
  const indexed = async () => expect((await get('')).statusCode).toBe(200);
  await vi.waitFor(indexed, { timeout: 10_000, interval: 100 });
});
afterAll(async () => {
  await served?.close();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(() => {
  // Otherwise the studies of the test before are used again.
  served.subgraph.invalidate();
  vi.clearAllMocks();
});

const headers = { authorization: 'Bearer own' };
const get = (query: string) => served.app.inject({ url: `/test/fhir/ImagingStudy${query}`, headers });
const studiesOf = ({ entry = [] }: Bundle) =>
  entry.filter(({ search }) => search?.mode === 'match').map(({ resource }) => resource as ImagingStudy);
const instancesOf = ({ series = [] }: ImagingStudy) =>
  series.flatMap(({ instance = [] }) => instance).map(({ uid }) => uid);

test.each<[query: string, built: number, shown: number, instances: boolean]>([
  ['', 3, 3, true],
  ['?_summary=false&_pretty=true', 3, 3, true],
  ['?_summary=true', 3, 3, false],
  ['?_include=ImagingStudy:endpoint', 3, 3, true],
  ['?_count=1', 3, 1, true],
  // These searches need instances; only some of the answers include them.
  ['?dicom-class=urn:oid:1.2.840.10008.5.1.4.1.1.7', 3, 3, true],
  ['?instance=1.2.2.1.2', 3, 1, true],
  ['?instance=1.2.2.1.2&_summary=true', 3, 1, false],
  ['?_id=1.2.2', 1, 1, true],
])(
  'IA-16 %s builds %i studies once and reads its parameters once',
  async (query, built, shown, instances) => {
    const bundle = (await get(query)).json<Bundle>();
    expect(imagingStudy).toHaveBeenCalledTimes(built);
    expect(readParameters).toHaveBeenCalledTimes(1);
    const studies = studiesOf(bundle);
    expect(studies).toHaveLength(shown);
    for (const study of studies) {
      const uids = [1, 2].map((number) => `${study.id}.1.${number}`);
      expect(instancesOf(study)).toEqual(instances ? uids : []);
      expect([study.numberOfInstances, study.series![0]!.numberOfInstances]).toEqual([2, 2]);
    }
  },
);

test('a search by POST, a read and a refusal read their parameters once', async () => {
  const form = { ...headers, 'content-type': 'application/x-www-form-urlencoded' };
  const url = '/test/fhir/ImagingStudy/_search?_pretty=true';
  await served.app.inject({ method: 'POST', url, headers: form, payload: '_id=1.2.1' });
  expect(readParameters).toHaveBeenCalledTimes(1);
  await get('/1.2.1?_pretty=true');
  expect(readParameters).toHaveBeenCalledTimes(2);
  await get('?started=soon&_pretty=true');
  expect(readParameters).toHaveBeenCalledTimes(3);
});

test('a page of the studies of all patients builds no other study', async () => {
  const authorization = 'Bearer all';
  const url = '/test/fhir/ImagingStudy?_count=1&_offset=1';
  const { json } = await served.app.inject({ url, headers: { authorization } });
  expect(studiesOf(json<Bundle>())).toHaveLength(1);
  expect(imagingStudy).toHaveBeenCalledTimes(1);
});
