import type { Bundle, ImagingStudy } from 'fhir/r4.js';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { freePort } from '../../../gateway/test/setup/free-port.ts';
import { startOrthanc, type Orthanc } from '../../../gateway/test/setup/orthanc.ts';
import { smallObjects } from '../../../gateway/test/setup/small-objects.ts';
import { number, Tag, text, type DicomJson } from '../../../schema/dicom/dicom.ts';
import {
  orthancImages,
  patient,
  testAccess,
  testSubgraph,
  testTenant,
  type TestSubgraph,
} from '../test/subgraph.ts';

/** A study that gets more instances: what a search has shown is in the metadata and objects that are asked for next. */

const MRN = 'MRN-1';
const AE = 'GATEWAY';
const SOURCES = ['dicom-web', 'c-get', 'c-move', 'folder'];
const WAYS: [what: string, search: (uid: string) => string][] = [
  ['a search of all studies', () => '/dicomweb/studies'],
  ['a search of the study', (uid) => `/dicomweb/studies?StudyInstanceUID=${uid}`],
  ['a search of its series', (uid) => `/dicomweb/studies/${uid}/series`],
  ['a search of its instances', (uid) => `/dicomweb/studies/${uid}/instances`],
  ['a search of the instances of a series', (uid) => `/dicomweb/studies/${uid}/series/${uid}.1/instances`],
  ['a list of FHIR', () => '/fhir/ImagingStudy?patient=own'],
  ['a resource', (uid) => `/fhir/ImagingStudy/${uid}`],
];
const ROWS = SOURCES.flatMap((source, at) =>
  WAYS.map(([what, search], row) => [source, what, `1.10.${at + 1}.${row + 1}`, search] as const),
);

let orthanc: Orthanc;
let directory: string;
let served: TestSubgraph;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'growing-'));
  const port = await freePort();
  orthanc = await startOrthanc({ modalities: { gateway: { aet: AE, port } } });
  const dimse = { type: 'dicom-dimse', endpoint: `dimse://127.0.0.1:${orthanc.dicomPort}` };
  const common = { lookup: 'studies-by-mrn', ae: AE, calledAe: orthanc.aet };
  served = await testSubgraph(
    [
      testTenant(orthancImages(orthanc), 'dicom-web'),
      testTenant({ ...dimse, ...common, retrieval: 'c-get' }, 'c-get'),
      testTenant({ ...dimse, ...common, retrieval: 'c-move' }, 'c-move'),
      testTenant({ type: 'folder', path: directory, lookup: 'studies-by-mrn' }, 'folder'),
    ],
    { own: testAccess([patient('own', MRN)]) },
    { dimse: { host: '127.0.0.1', port, maxBytes: 1e8 } },
  );
}, 60_000);
afterAll(async () => {
  await served?.close();
  await orthanc?.stop();
  await rm(directory, { recursive: true, force: true });
});

const get = (tenant: string, path: string) =>
  served.app.inject({ url: `/${tenant}${path}`, headers: { authorization: 'Bearer own', accept: '*/*' } });
let written = 0;
const add = async (tenant: string, files: readonly Buffer[]) => {
  if (tenant !== 'folder') return void (await orthanc.upload(files));
  for (const file of files) await writeFile(join(directory, `${written++}.dcm`), file);
};

it.concurrent.each(ROWS)(
  '%s: %s that sees a new instance renews what is kept',
  async (tenant, _what, uid, search) => {
    const objects = smallObjects({ studyUid: uid, patientId: MRN, instances: 3 });
    const count = async (path: string) => (await get(tenant, path)).json<unknown[]>().length;
    await add(tenant, objects.slice(0, 2));
    // A folder indexes one file after the other.
    const listed = () => get(tenant, `/dicomweb/studies?StudyInstanceUID=${uid}`);
    await vi.waitFor(async () => expect((await listed()).payload).toContain('"Value":[2]'), 15_000);
    expect(await count(`/dicomweb/studies/${uid}/metadata`)).toBe(2);
    expect((await get(tenant, search(uid))).statusCode).toBe(200);
    await add(tenant, objects.slice(2));
    // Answers to searches are kept for some seconds.
    const sees = async () => shown((await get(tenant, search(uid))).json(), uid);
    await vi.waitFor(async () => expect(await sees()).toBe(3), { timeout: 15_000, interval: 200 });
    expect(await count(`/dicomweb/studies/${uid}/metadata`)).toBe(3);
    expect(await count(`/dicomweb/studies/${uid}/series/${uid}.1/metadata`)).toBe(3);
    const retrieved = await get(tenant, `/dicomweb/studies/${uid}`);
    expect(retrieved.payload.split('DICM')).toHaveLength(4);
  },
);

/** Returns how many instances of a study an answer shows: rows of any level, or FHIR resources. */
function shown(answer: DicomJson[] | ImagingStudy | Bundle, uid: string): number | undefined {
  if (Array.isArray(answer)) {
    const rows = answer.filter((row) => text(row, Tag.StudyInstanceUID) === uid);
    const [row = {}] = rows;
    if (text(row, Tag.SOPInstanceUID)) return rows.length;
    return number(row, Tag.NumberOfStudyRelatedInstances) ?? number(row, Tag.NumberOfSeriesRelatedInstances);
  }
  if (answer.resourceType === 'ImagingStudy') return answer.numberOfInstances;
  const found = answer.entry?.find(({ resource }) => resource?.id === uid);
  return (found?.resource as ImagingStudy).numberOfInstances;
}
