/** The requests of a page of patients with their studies, to a DICOMweb server that counts them (FG-6). */
import { graphql } from 'graphql';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { startOrthanc } from '../../../gateway/test/setup/orthanc.ts';
import { smallObjects } from '../../../gateway/test/setup/small-objects.ts';
import type { Access } from '../../../schema/access/access.ts';
import { PatientLists } from '../sources/dicom-web/patient-lists.ts';
import {
  orthancImages,
  NO_RECORD,
  patient,
  testAccess,
  testSubgraph,
  testTenant,
  type TestSubgraph,
} from '../test/subgraph.ts';

const PATIENTS = 50;
const ids = Array.from({ length: PATIENTS }, (_, number) => `p${number}`);
/** Every third patient has no study; the others have one or two. */
const studiesOf = (id: string) =>
  Array.from({ length: Number(id.slice(1)) % 3 }, (_, study) => `1.2.${id.slice(1)}.${study}`);

/** How a server reads `PatientID=A,B`. */
type Reading = 'list' | 'literal' | 'first' | 'refused' | 'cut';
let requests: string[] = [];
let server: Server;
let served: TestSubgraph;
let tenants: Record<Reading, ReturnType<typeof testTenant>>;

const value = (vr: string, ...Value: unknown[]) => ({ vr, Value });
function rows(id: string, level: string) {
  return studiesOf(id).map((uid) => ({
    '00100020': value('LO', `MRN-${id}`),
    '0020000D': value('UI', uid),
    ...(level === 'series' && { '0020000E': value('UI', `${uid}.1`), '00080060': value('CS', 'CT') }),
  }));
}

beforeAll(async () => {
  server = createServer((request, response) => {
    const url = new URL(request.url!, 'http://x');
    const [reading, level = ''] = url.pathname.slice(1).split('/') as [Reading, string];
    const names = (url.searchParams.get('00100020') ?? '').split(',');
    const uids = url.searchParams.get('0020000D')?.split(',');
    requests.push(`${level}${uids ? ' by UID' : ''}`);
    if (names.length > 1 && reading === 'refused') return void response.writeHead(400).end();
    const read =
      reading === 'literal' && names.length > 1 ? [] : reading === 'first' ? names.slice(0, 1) : names;
    const found = (uids ? ids : read.map((name) => name.replace('MRN-', ''))).flatMap((id) =>
      rows(id, level),
    );
    const sent = found.filter((row) => !uids || uids.includes(String(row['0020000D'].Value[0])));
    const isCut = reading === 'cut' && names.length > 1;
    const warning = { warning: '299 server "There are 9 additional results that can be requested"' };
    response.writeHead(200, { 'content-type': 'application/dicom+json', ...(isCut && warning) });
    response.end(JSON.stringify(isCut ? sent.slice(0, 9) : sent));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const tenant = (key: string) =>
    testTenant(
      { type: 'dicom-web', endpoint: `http://127.0.0.1:${port}/${key}`, lookup: 'studies-by-mrn' },
      key,
    );
  tenants = {
    list: tenant('list'),
    literal: tenant('literal'),
    first: tenant('first'),
    refused: tenant('refused'),
    cut: tenant('cut'),
  };
  const read = async (_tenant: unknown, _access: unknown, id: string) => patient(id, `MRN-${id}`).identity;
  served = await testSubgraph(Object.values(tenants), {}, { directory: { ...NO_RECORD, read } });
});
afterAll(async () => {
  await served?.close();
  server.close();
});
beforeEach(() => void (requests = []));

async function ask(how: Reading, selection: string, access: Access = testAccess('all')) {
  const contextValue = { imaging: served.subgraph.open(tenants[how], access), partial: [] };
  const representations = ids.map((id) => `{ __typename: "Patient", id: "${id}" }`).join(', ');
  const source = `{ _entities(representations: [${representations}]) { ... on Patient { id ${selection} } } }`;
  const { data, errors } = await graphql({ schema: served.subgraph.schema, source, contextValue });
  expect([errors, contextValue.partial]).toEqual([undefined, []]);
  return JSON.parse(JSON.stringify(data))._entities as Record<string, unknown>[];
}

/** The studies of each patient, newest first; theirs have no date, so by UID. */
const lists = ids.map((id) => ({ id, ImagingStudyList: studiesOf(id).map((uid) => ({ id: uid })) }));
const count = (what: string) => requests.filter((request) => request === what).length;

describe('FG-6 the studies of 50 patients', () => {
  test('are one QIDO search for each level, of a server that takes lists; lists and connections', async () => {
    const found = await ask(
      'list',
      'ImagingStudyList { id } ImagingStudyConnection(_count: 1) { count next }',
    );
    expect(requests.toSorted()).toEqual(['series', 'studies']);
    expect(found.map(({ id, ImagingStudyList }) => ({ id, ImagingStudyList }))).toEqual(lists);
    expect(found.map(({ ImagingStudyConnection }) => ImagingStudyConnection)).toEqual(
      ids.map((id) => {
        const [first, ...others] = studiesOf(id);
        return { count: first ? 1 + others.length : 0, next: others.length > 0 ? expect.any(String) : null };
      }),
    );
  });

  test('are one search more for a token that names the patients: whether a UID is also that of others', async () => {
    const access = testAccess(ids.map((id) => patient(id, `MRN-${id}`)));
    expect(await ask('list', 'ImagingStudyList { id }', access)).toEqual(lists);
    expect([count('studies'), count('series'), count('studies by UID')]).toEqual([1, 1, 1]);
  });

  test.each<[Reading, what: string, together: number]>([
    ['literal', 'that takes a comma as a part of the value', 1],
    ['first', 'that takes the first value of a list', 1],
    ['refused', 'that refuses a list', 1],
    // It is asked for the rest too, and gives the same rows again.
    ['cut', 'that does not answer all of a list', 2],
  ])('are complete of a server %s: %s', async (how, _, together) => {
    expect(await ask(how, 'ImagingStudyList { id }')).toEqual(lists);
    expect([count('studies'), count('series')]).toEqual([PATIENTS + together, PATIENTS + together]);
  });
});

test('FG-6 Orthanc takes a list of PatientIDs: the studies of three patients are one search for each level', async () => {
  const mrns = ['MRN-a', 'MRN-b', 'MRN-none'];
  const files = mrns
    .slice(0, 2)
    .flatMap((patientId, number) => smallObjects({ studyUid: `1.3.${number}`, patientId }));
  const orthanc = await startOrthanc({ files });
  const asked = vi.spyOn(PatientLists.prototype, 'find');
  const own = await testSubgraph([testTenant(orthancImages(orthanc), 'orthanc')], {});
  try {
    const access = testAccess(mrns.map((mrn) => patient(mrn, mrn)));
    const imaging = own.subgraph.open(testTenant(orthancImages(orthanc), 'orthanc'), access);
    const representations = mrns.map((id) => `{ __typename: "Patient", id: "${id}" }`).join(', ');
    const source = `{ _entities(representations: [${representations}]) { ... on Patient { ImagingStudyList { id } } } }`;
    const contextValue = { imaging, partial: [] };
    const { data, errors } = await graphql({ schema: own.subgraph.schema, source, contextValue });
    expect(errors).toBeUndefined();
    expect(JSON.parse(JSON.stringify(data))).toEqual({
      _entities: [[{ id: '1.3.0' }], [{ id: '1.3.1' }], []].map((ImagingStudyList) => ({ ImagingStudyList })),
    });
    const finds = await Promise.all(asked.mock.settledResults.map(({ value }) => value));
    // One answer for all three: nobody was asked for alone.
    expect(finds.map((answers) => (answers as unknown[]).length)).toEqual([1, 1]);
  } finally {
    await own.close();
    await orthanc.stop();
  }
}, 60_000);
