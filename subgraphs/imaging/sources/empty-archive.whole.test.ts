import { beforeAll, afterAll, beforeEach, afterEach, expect, test, vi } from 'vitest';
import { request } from 'undici';
import { Tag, TransferSyntax, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { imageObject, SMALL } from '../../../gateway/test/setup/image-object.ts';
import { startOrthanc, type Orthanc } from '../../../gateway/test/setup/orthanc.ts';
import {
  orthancImages,
  patient,
  testAccess,
  testSubgraph,
  testTenant,
  type TestSubgraph,
} from '../test/subgraph.ts';
import type { ImagingSource, SourceQuery } from './source.ts';
import { EmptyArchive } from './empty-archive.ts';

const [ONE, OTHER] = ['1.2.3', '1.2.4'];
const image = (uid: string) =>
  imageObject(uid, TransferSyntax.ExplicitVRLittleEndian, SMALL, Buffer.alloc(16, 7));
const SECONDS = 2;

let orthanc: Orthanc;
let served: TestSubgraph;

beforeAll(async () => {
  orthanc = await startOrthanc();
});
afterAll(() => orthanc.stop());
beforeEach(async () => {
  await orthanc.upload([image(ONE), image(OTHER)]);
  const { dicomPort, aet: calledAe } = orthanc;
  const dimse = { type: 'dicom-dimse', endpoint: `dimse://127.0.0.1:${dicomPort}`, calledAe };
  served = await testSubgraph(
    [
      testTenant(orthancImages(orthanc, { emptyIsAway: SECONDS }), 'dicom-web'),
      testTenant({ ...dimse, lookup: 'studies-by-mrn', emptyIsAway: SECONDS }, 'dicom-dimse'),
    ],
    { own: testAccess([patient('own', 'BAD')]), other: testAccess([patient('other', 'ANOTHER')]) },
  );
});
afterEach(() => served.close());

async function remove(...studies: string[]): Promise<void> {
  const { authorization, url } = orthanc;
  const find = await request(`${url}/studies?expand`, { headers: { authorization }, reset: true });
  const found = (await find.body.json()) as { ID: string; MainDicomTags: { StudyInstanceUID: string } }[];
  for (const { ID, MainDicomTags } of found)
    if (studies.includes(MainDicomTags.StudyInstanceUID)) {
      const answer = await request(`${url}/studies/${ID}`, {
        method: 'DELETE',
        headers: { authorization },
        reset: true,
      });
      await answer.body.dump();
    }
}

const ask = async (source: string, path: string, who = 'own') => {
  const { statusCode, headers, body } = await served.app.inject({
    url: `/${source}/dicomweb${path}`,
    headers: { authorization: `Bearer ${who}` },
  });
  return { status: statusCode, retryAfter: headers['retry-after'], body };
};
const PATHS = [
  `/studies/${ONE}/metadata`,
  `/studies/${ONE}`,
  `/studies/${ONE}/series/${ONE}.1/instances/${ONE}.1.1/frames/1`,
  `/studies/${ONE}/instances`,
  '/studies',
];
const statuses = async (source: string, paths: readonly string[], who?: string) =>
  Promise.all(paths.map(async (path) => (await ask(source, path, who)).status));

test.each(['dicom-web', 'dicom-dimse'])(
  '%s: answers 503 for every UID of a suddenly empty archive',
  async (source) => {
    expect(await statuses(source, PATHS)).toEqual(PATHS.map(() => 200));
    await remove(ONE, OTHER);
    served.subgraph.invalidate();
    const asked = [...PATHS, `/studies?StudyInstanceUID=${ONE}`, '/studies', '/studies/9.9.9/metadata'];
    for (const path of asked)
      expect([path, await ask(source, path)]).toMatchObject([path, { status: 503, retryAfter: '5' }]);
    expect((await ask(source, `/studies/${ONE}/metadata`, 'other')).status).toBe(503);
    const answers = await Promise.all(asked.map((path) => ask(source, path)));
    expect(new Set(answers.map(({ body }) => body)).size).toBe(1);
    // It serves the studies again when they are back.
    await orthanc.upload([image(ONE), image(OTHER)]);
    await vi.waitFor(async () => expect(await statuses(source, PATHS)).toEqual(PATHS.map(() => 200)), 1500);
    await remove(ONE, OTHER);
    served.subgraph.invalidate();
    expect((await ask(source, '/studies')).status).toBe(503);
    await vi.waitFor(
      async () => {
        expect((await ask(source, '/studies')).body).toBe('[]');
        expect((await ask(source, `/studies/${ONE}/metadata`)).status).toBe(404);
      },
      { timeout: 3 * SECONDS * 1000, interval: 200 },
    );
  },
);

test.each(['dicom-web', 'dicom-dimse'])(
  '%s: answers 404 for a study that is missing from an archive with other studies',
  async (source) => {
    expect(await statuses(source, PATHS)).toEqual(PATHS.map(() => 200));
    await remove(ONE);
    served.subgraph.invalidate();
    const gone = PATHS.slice(0, 4);
    expect(await statuses(source, gone)).toEqual(gone.map(() => 404));
    expect(await statuses(source, gone, 'other')).toEqual(gone.map(() => 404));
    expect(await statuses(source, [`/studies/${OTHER}/metadata`, '/studies/9.9.9/metadata'])).toEqual([
      200, 404,
    ]);
  },
);

test('searches a known study in an archive that refuses to list all', async () => {
  const row: DicomJson = { [Tag.StudyInstanceUID]: { vr: 'UI', Value: [ONE] } };
  const search = ({ match, patientIds }: SourceQuery) => {
    if (match.size === 0 && !patientIds)
      return Promise.reject(new Fault('unavailable', 'Too much to list.', { service: 'imaging' }));
    const isHad = match.get(Tag.StudyInstanceUID)?.includes(ONE) || patientIds?.[0]?.value === 'own';
    return Promise.resolve(isHad ? [row] : []);
  };
  const archive = new EmptyArchive({ search } as ImagingSource, SECONDS);
  const listOf = (value: string) =>
    archive.search({ level: 'study', match: new Map(), includeField: [], patientIds: [{ value }] });
  await archive.checkNotEmpty();
  expect(await listOf('own')).toEqual([row]);
  expect(await listOf('other')).toEqual([]);
  await archive.checkNotEmpty();
});
