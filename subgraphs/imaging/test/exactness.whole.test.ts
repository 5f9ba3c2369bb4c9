import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startOrthanc, type Orthanc } from '../../../gateway/test/setup/orthanc.ts';
import { Tag, text, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { testEach } from '../../../gateway/test/setup/usual-run.ts';
import { smallObjects } from '../../../gateway/test/setup/small-objects.ts';
import {
  NO_RECORD,
  orthancImages,
  patient,
  testAccess,
  testSubgraph,
  testTenant,
  type TestSubgraph,
} from './subgraph.ts';

/**
 * DW-21: a study belongs to the patient whose number equals its PatientID exactly, however a source matches. There is
 * one study for each of these PatientIDs in every type of source.
 */

const STUDIES = {
  lower: { studyUid: '1.9.1', patientId: 'abc' },
  upper: { studyUid: '1.9.2', patientId: 'ABC' },
  star: { studyUid: '1.9.3', patientId: 'a*c' },
  mark: { studyUid: '1.9.4', patientId: 'a?c' },
  comma: { studyUid: '1.9.5', patientId: 'a,b' },
  backslash: { studyUid: '1.9.6', patientId: 'a\\b' },
  first: { studyUid: '1.9.7', patientId: 'a' },
  issuedByA: { studyUid: '1.9.8', patientId: 'iss', issuer: 'A' },
  issuedByB: { studyUid: '1.9.9', patientId: 'iss', issuer: 'B' },
  leading: { studyUid: '1.9.10', patientId: '  lead' },
  trailing: { studyUid: '1.9.11', patientId: 'trail   ' },
  underscore: { studyUid: '1.9.12', patientId: 'a_c' },
};
type Name = keyof typeof STUDIES;

const table: [mrn: string, studies: Name[], more?: object][] = [
  ['abc', ['lower']],
  ['ABC', ['upper']],
  ['Abc', []],
  ['ab', []],
  ['abcd', []],
  ['abc ', ['lower']],
  [' ABC', ['upper']],
  ['a*c', []],
  ['a?c', []],
  ['a_c', ['underscore']],
  ['a%c', []],
  ['*', []],
  ['???', []],
  ['a,b', []],
  ['abc,ABC', []],
  ['a\\b', []],
  ['abc\\ABC', []],
  ['a', ['first']],
  ['b', []],
  ['  abc', ['lower']],
  ['Lead', []],
  ['trail', ['trailing']],
  ['', []],
  [' ', []],
  ['iss', ['issuedByA', 'issuedByB']],
  ['iss', ['issuedByA'], { issuer: 'A' }],
  ['iss', [], { issuer: 'a' }],
  ['iss', [], { issuer: 'C' }],
  ['abc', [], { issuer: 'A' }],
];

/** Studies with accession numbers (DW-19), all with the same PatientID. */
const NUMBERED = {
  upper: { studyUid: '1.8.1', patientId: 'shared', accessionNumber: 'ACC1' },
  lower: { studyUid: '1.8.2', patientId: 'shared', accessionNumber: 'acc1' },
  star: { studyUid: '1.8.3', patientId: 'shared', accessionNumber: 'ACC*' },
  comma: { studyUid: '1.8.4', patientId: 'shared', accessionNumber: 'ACC1,ACC2' },
  backslash: { studyUid: '1.8.5', patientId: 'shared', accessionNumber: 'ACC2\\ACC3' },
  second: { studyUid: '1.8.6', patientId: 'shared', accessionNumber: 'ACC2' },
  signs: { studyUid: '1.8.7', patientId: 'shared', accessionNumber: 'A/1 &#+2' },
  none: { studyUid: '1.8.8', patientId: 'shared' },
  empty: { studyUid: '1.8.9', patientId: 'shared', accessionNumber: '' },
};
const numbers: [numbers: string[], studies: (keyof typeof NUMBERED)[]][] = [
  [['ACC1'], ['upper']],
  [['acc1'], ['lower']],
  [
    ['ACC1', 'acc1'],
    ['upper', 'lower'],
  ],
  [['Acc1'], []],
  [['ACC2 '], ['second']],
  [['ACC3'], []],
  [['ACC*'], []],
  [['ACC?', '????', '*'], []],
  [['ACC1,ACC2'], []],
  [['ACC2\\ACC3'], []],
  [['A/1 &#+2'], ['signs']],
  [['', ' '], []],
  [[], []],
];

const files = [...Object.values(STUDIES), ...Object.values(NUMBERED)].flatMap(smallObjects);
let orthanc: Orthanc;
let directory: string;
let served: TestSubgraph;

/** The types of sources, with the same files. */
const SOURCES: Record<string, (more: object) => object> = {
  folder: (more) => ({ type: 'folder', path: directory, lookup: 'studies-by-mrn', ...more }),
  'dicom-web': (more) => orthancImages(orthanc, more),
  'dicom-dimse': (more) => ({
    type: 'dicom-dimse',
    endpoint: `dimse://127.0.0.1:${orthanc.dicomPort}`,
    calledAe: orthanc.aet,
    retrieval: 'c-get',
    lookup: 'studies-by-mrn',
    ...more,
  }),
  several: (more) => [SOURCES['folder']!(more), SOURCES['dicom-web']!(more)],
};

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'exactness-'));
  for (const [index, file] of files.entries()) await writeFile(join(directory, `${index}.dcm`), file);
  orthanc = await startOrthanc({ files });
  const issuers = [{}, ...table.flatMap(([, , more]) => more ?? [])];
  served = await testSubgraph(
    Object.entries(SOURCES).flatMap(([name, images]) =>
      [...issuers, BY_ACCESSION].map((more) => testTenant(images(more), tenantOf(name, more))),
    ),
    {
      ...Object.fromEntries(numbers.map((_, row) => [`numbers-${row}`, testAccess([{ id: String(row) }])])),
      lead: testAccess([patient('p', 'lead')]),
      ...Object.fromEntries(table.map(([mrn], row) => [`row-${row}`, testAccess([patient('p', mrn)])])),
    },
    {
      directory: { ...NO_RECORD, accessionNumbers: async (_tenant, _access, id) => numbers[Number(id)]![0] },
    },
  );
}, 90_000);
afterAll(async () => {
  await served?.close();
  await orthanc?.stop();
  await rm(directory, { recursive: true, force: true });
});

const BY_ACCESSION = { lookup: 'studies-by-accession' };

function tenantOf(source: string, more: object = {}): string {
  return `${source}-${Object.values(more).join()}`;
}

/** Asserts which studies every search finds, and that only these are given by their UID. */
async function expectStudies(
  get: (path: string) => Promise<{ statusCode: number; json: () => unknown }>,
  expected: readonly string[],
  all: readonly { studyUid: string }[],
): Promise<void> {
  const found = async (level: string) => {
    const rows = (await get(`/${level}`)).json() as DicomJson[];
    expect(rows.map((one) => text(one, Tag.StudyInstanceUID)).sort(), level).toEqual([...expected].sort());
  };
  const given = async ({ studyUid }: { studyUid: string }) => {
    const { statusCode } = await get(`/studies/${studyUid}/metadata`);
    expect(statusCode, studyUid).toBe(expected.includes(studyUid) ? 200 : 404);
  };
  await Promise.all(['studies', 'series', 'instances'].map(found));
  // In parallel, because each refusal is delayed for up to 0.1 s.
  await Promise.all(all.map(given));
}

describe.concurrent.each(Object.keys(SOURCES))('DW-21 in %s', (source) => {
  // `several` consists of the two others: `npm test` has a quarter of its rows, and half of those by DIMSE.
  const share = { several: 4, 'dicom-dimse': 2 }[source] ?? 1;
  const isUsual = (_row: unknown, index: number) => index % share === 0;

  it('ignores spaces before a PatientID', async () => {
    // Orthanc does not find the study by the number without them, so it is requested by UID.
    for (const [token, status] of [
      ['lead', 200],
      ['row-0', 404],
    ] as const) {
      const url = `/${tenantOf(source)}/dicomweb/studies/${STUDIES.leading.studyUid}/metadata`;
      const answer = await served.app.inject({ url, headers: { authorization: `Bearer ${token}` } });
      expect(answer.statusCode).toBe(status);
    }
  });

  testEach(
    table.map(([mrn, studies, more], row) => ({ mrn, studies, more, row })),
    isUsual,
  )('gives $studies for the number $mrn $more', async ({ studies, more, row }) => {
    const get = (path: string) =>
      served.app.inject({
        url: `/${tenantOf(source, more)}/dicomweb${path}`,
        headers: { authorization: `Bearer row-${row}` },
      });
    const expected = studies.map((name) => STUDIES[name].studyUid);
    await expectStudies(get, expected, Object.values(STUDIES));
  });

  testEach(
    numbers.map(([asked, studies], row) => ({ asked, studies, row })),
    isUsual,
  )('DW-19 gives $studies for the accession numbers $asked', async ({ studies, row }) => {
    const get = (path: string) =>
      served.app.inject({
        url: `/${tenantOf(source, BY_ACCESSION)}/dicomweb${path}`,
        headers: { authorization: `Bearer numbers-${row}` },
      });
    const expected = studies.map((name) => NUMBERED[name].studyUid);
    await expectStudies(get, expected, Object.values(NUMBERED));
  });
});
