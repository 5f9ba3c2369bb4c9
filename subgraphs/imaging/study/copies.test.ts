import { graphql, type GraphQLError } from 'graphql';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { startOrthanc, type Orthanc } from '../../../gateway/test/setup/orthanc.ts';
import { smallObjects } from '../../../gateway/test/setup/small-objects.ts';
import { isInTurn, testEach } from '../../../gateway/test/setup/usual-run.ts';
import { Tag, text, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { TenantSource } from '../cache/tenant-source.ts';
import {
  orthancImages,
  patient,
  testAccess,
  testSubgraph,
  testTenant,
  type TestSubgraph,
} from '../test/subgraph.ts';
import { startSwitchedProxy, type SwitchedProxy } from '../test/upstream.ts';

/** Copies of a study in a folder and in an Orthanc that goes down (DW-27); one UID of two patients (IA-24). */

const MRN = 'MRN-1';
/** 2 instances in the folder, 4 in the archive. */
const PART = '1.8.1';
/** 3 in each. */
const EQUAL = '1.8.2';
/** In the archive, of two patients. */
const CROSSED = '1.8.3';
const OWN = '1.8.4';
/** In two folders, of a different patient in each. */
const SHARED = '1.8.5';

const PARTS = smallObjects({ studyUid: PART, patientId: MRN, instances: 4 });
const EQUALS = smallObjects({ studyUid: EQUAL, patientId: MRN, instances: 3 });
const inArchive = [
  ...PARTS,
  ...EQUALS,
  ...smallObjects({ studyUid: CROSSED, patientId: MRN }),
  ...smallObjects({ studyUid: CROSSED, patientId: 'OTHER', instances: 2 }),
  ...smallObjects({ studyUid: OWN, patientId: MRN }),
];

const multipart = 'multipart/related; type="application/dicom"; transfer-syntax=*';
const one = (uid: string) => `/dicomweb/studies/${uid}/series/${uid}.1/instances/${uid}.1.1`;
const uri = (uid: string) =>
  `/wado-uri?requestType=WADO&studyUID=${uid}&seriesUID=${uid}.1&objectUID=${uid}.1.1`;
/** Every request that reads a study or a part of it. */
const WAYS: [what: string, path: (uid: string) => string, accept?: string][] = [
  ['the study', (uid) => `/dicomweb/studies/${uid}`, multipart],
  ['transcoded', (uid) => `/dicomweb/studies/${uid}`, multipart.replace('*', '1.2.840.10008.1.2.4.80')],
  ['a zip', (uid) => `/dicomweb/studies/${uid}`, 'application/zip; transfer-syntax=*'],
  ['metadata', (uid) => `/dicomweb/studies/${uid}/metadata`],
  ['series', (uid) => `/dicomweb/studies/${uid}/series`],
  ['instances', (uid) => `/dicomweb/studies/${uid}/instances`],
  ['an instance', one, 'application/dicom; transfer-syntax=*'],
  ['frames', (uid) => `${one(uid)}/frames/1`],
  ['bulk data', (uid) => `${one(uid)}/bulkdata/7FE00010`],
  ['rendered', (uid) => `${one(uid)}/rendered`, 'image/png'],
  ['a thumbnail', (uid) => `${one(uid)}/thumbnail`, 'image/png'],
  ['an object by WADO-URI', (uid) => `${uri(uid)}&contentType=application/dicom`],
  ['a picture by WADO-URI', uri, 'image/png'],
  ['the resource', (uid) => `/fhir/ImagingStudy/${uid}`],
];

const entities = (id: string) => {
  const one = `{ __typename: "ImagingStudy", id: "${id}" }`;
  return `_entities(representations: [${one}, ${one}]) { ... on ImagingStudy { numberOfInstances } }`;
};

let orthanc: Orthanc;
let proxy: SwitchedProxy;
let directory: string;
let served: TestSubgraph;
let tenants: Tenant[];
const own = testAccess([patient('own', MRN)]);
const logged: object[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'copies-'));
  for (const [index, file] of [...PARTS.slice(0, 2), ...EQUALS].entries())
    await writeFile(join(directory, `${index}.dcm`), file);
  orthanc = await startOrthanc({ files: inArchive });
  proxy = await startSwitchedProxy(orthanc.url);
  const folder = { type: 'folder', path: directory, lookup: 'studies-by-mrn' };
  const archive = orthancImages(orthanc, { endpoint: `${proxy.url}/dicom-web` });
  tenants = ['fresh', ...WAYS.map(([what]) => what)].flatMap((key) => [
    testTenant([archive, folder], `archive-first ${key}`),
    testTenant([folder, archive], `folder-first ${key}`),
  ]);
  const neverThere = { ...archive, endpoint: 'http://127.0.0.1:1/dicom-web' };
  const others = [testTenant(archive, 'archive'), testTenant([folder, neverThere], 'never there')];
  served = await testSubgraph([...tenants, ...others], {
    own,
    other: testAccess([patient('other', 'OTHER')]),
    reports: testAccess([patient('own', MRN)], 'patient/ImagingStudy.rs?modality=SR'),
  });
  served.app.log.warn = (details: object) => void logged.push(details);
}, 60_000);
afterAll(async () => {
  await served?.close();
  await proxy?.close();
  await orthanc?.stop();
  await rm(directory, { recursive: true, force: true });
});
afterEach(() => {
  proxy.mode = 'up';
  served.subgraph.invalidate();
});

const get = (tenant: string, path: string, accept = '*/*', token = 'own') =>
  served.app.inject({
    url: `/${encodeURIComponent(tenant)}${path}`,
    headers: { authorization: `Bearer ${token}`, accept },
  });
const counts = (rows: DicomJson[]) =>
  Object.fromEntries(
    rows.map((row) => [text(row, Tag.StudyInstanceUID), row[Tag.NumberOfStudyRelatedInstances]?.Value?.[0]]),
  );

describe.each(['archive-first', 'folder-first'])('%s', (order) => {
  // The usual run takes a quarter of the ways for each rule in each of the two orders.
  const inTurn = (rule: number) => (_way: (typeof WAYS)[number], row: number) =>
    isInTurn([row, rule + (order === 'archive-first' ? 0 : 2)], 4);

  testEach(WAYS, inTurn(0))(
    '%s answers 503 if the source that failed had more of the study',
    async (what, path, accept) => {
      const tenant = `${order} ${what}`;
      expect((await get(tenant, path(PART), accept)).statusCode).toBe(200);
      for (const mode of ['refusing', 'failing'] as const) {
        proxy.mode = mode;
        served.subgraph.invalidate();
        const answer = await get(tenant, path(PART), accept);
        expect(answer.statusCode).toBe(503);
        expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
      }
      proxy.mode = 'up';
      served.subgraph.invalidate();
      expect((await get(tenant, path(PART), accept)).statusCode).toBe(200);
    },
  );

  testEach(WAYS, inTurn(1))(
    '%s of a part has a warning if the full size is not known',
    async (_, path, accept) => {
      proxy.mode = 'refusing';
      const answer = await get(`${order} fresh`, path(PART), accept);
      expect(answer.statusCode).toBe(200);
      expect(String(answer.headers['warning'])).toMatch(/^299 \S+ "A source of images did not answer: /);
      if (accept?.startsWith('application/zip')) {
        expect(answer.payload).toContain('WARNING.txt');
        expect(answer.payload).toContain('This may not be all of the study.');
      }
    },
  );

  it.each(['other', 'reports'])('still answers 503 after "%s" was refused the study', async (token) => {
    const path = `/dicomweb/studies/${PART}`;
    expect((await get(`${order} metadata`, path)).statusCode).toBe(200);
    expect((await get(`${order} metadata`, path, '*/*', token)).statusCode).toBe(404);
    proxy.mode = 'refusing';
    served.subgraph.invalidate();
    expect((await get(`${order} metadata`, path)).statusCode).toBe(503);
  });

  it.each([
    [PART, `ImagingStudy(id: "${PART}") { numberOfInstances }`],
    [EQUAL, `ImagingStudy(id: "${EQUAL}") { numberOfInstances }`],
    // Two references from another subgraph.
    [PART, entities(PART)],
  ])('GraphQL gives the study with an error if a source does not answer (%s, %s)', async (id, query) => {
    const read = async () => {
      const partial: GraphQLError[] = [];
      const tenant = tenants.find(({ key }) => key === `${order} fresh`)!;
      const imaging = served.subgraph.open(tenant, own);
      const { data } = await graphql({
        schema: served.subgraph.schema,
        source: `{ ${query} }`,
        contextValue: { imaging, partial },
      });
      const found = [Object.values(data ?? {})].flat(2) as { numberOfInstances: number }[];
      const counts = [...new Set(found.map(({ numberOfInstances }) => numberOfInstances))];
      return { counts, codes: partial.map(({ extensions }) => extensions['service']) };
    };
    proxy.mode = 'refusing';
    expect((await read()).codes).toEqual(['imaging']);
    proxy.mode = 'up';
    served.subgraph.invalidate();
    expect(await read()).toEqual({ counts: [id === PART ? 4 : 3], codes: [] });
  });

  testEach(WAYS, inTurn(2))('%s of the whole study has no warning', async (_, path, accept) => {
    const answer = await get(`${order} fresh`, path(EQUAL), accept);
    expect([answer.statusCode, answer.headers['warning']]).toEqual([200, undefined]);
    expect(answer.payload).not.toContain('WARNING.txt');
  });

  testEach(WAYS, inTurn(3))(
    '%s comes from an equal copy if the first source fails before its first byte',
    async (what, path, accept) => {
      for (const mode of ['refusing', 'failing', 'breaking'] as const) {
        proxy.mode = 'up';
        served.subgraph.invalidate();
        const tenant = `${order} ${what}`;
        // Both sources are then remembered to have it.
        expect((await get(tenant, `/dicomweb/studies/${EQUAL}/series`)).statusCode).toBe(200);
        proxy.mode = mode;
        const answer = await get(tenant, path(EQUAL), accept);
        expect([mode, answer.statusCode]).toEqual([mode, 200]);
        const objects = { 'the study': 3, transcoded: 3, 'a zip': 3 }[what];
        if (objects) expect(answer.payload.split('DICM')).toHaveLength(objects + 1);
        if (what === 'metadata' || what === 'instances') expect(answer.json()).toHaveLength(3);
      }
    },
  );

  testEach(WAYS, inTurn(4))(
    '%s comes from an equal copy if the folder is unreachable',
    async (what, path, accept) => {
      expect((await get(`${order} ${what}`, `/dicomweb/studies/${EQUAL}/series`)).statusCode).toBe(200);
      await rename(directory, `${directory}-away`);
      try {
        const answer = await get(`${order} ${what}`, path(EQUAL), accept);
        expect(answer.statusCode).toBe(200);
        if (what === 'the study') expect(answer.payload.split('DICM')).toHaveLength(4);
      } finally {
        await rename(`${directory}-away`, directory);
      }
    },
  );

  it('lists keep the known numbers of instances and warn of a source that fails', async () => {
    const tenant = `${order} metadata`;
    const whole = { [PART]: 4, [EQUAL]: 3, [OWN]: 1 };
    expect(counts((await get(tenant, '/dicomweb/studies')).json())).toEqual(whole);
    proxy.mode = 'refusing';
    served.subgraph.invalidate();
    const answer = await get(tenant, '/dicomweb/studies');
    expect(counts(answer.json())).toEqual({ [PART]: 4, [EQUAL]: 3 });
    expect(String(answer.headers['warning'])).toContain('did not answer');
    const bundle = (await get(tenant, '/fhir/ImagingStudy?patient=own')).json();
    const studies = bundle.entry.filter(
      ({ search }: { search: { mode: string } }) => search.mode === 'match',
    );
    expect(
      Object.fromEntries(
        studies.map(({ resource }: { resource: { id: string; numberOfInstances: number } }) => [
          resource.id,
          resource.numberOfInstances,
        ]),
      ),
    ).toEqual({ [PART]: 4, [EQUAL]: 3 });
  });
});

const away = () => new Fault('unavailable', 'The disk fails.', { service: 'imaging', retryAfter: 5 });

describe('the entity tag of an answer from a copy', () => {
  const ask = (path: string, headers = {}) =>
    served.app.inject({
      url: `/folder-first ${path}`.replaceAll(' ', '%20'),
      headers: { authorization: 'Bearer own', accept: '*/*', ...headers },
    });

  it.each([
    ['bulkdata', `fresh${one(EQUAL)}/bulkdata/7FE00010`],
    ['frames', `fresh${one(EQUAL)}/frames/1`],
    ['frames', `fresh${one(EQUAL)}/rendered`],
    ['frames', `fresh${one(EQUAL)}/thumbnail`],
    ['instances', `fresh/dicomweb/studies/${EQUAL}`],
  ])('is not that of the source that failed (%s, %s)', async (kind, path) => {
    // The folder has the study but fails to give it.
    const failing = failOnce(kind);
    const copy = await ask(path);
    expect(failing.mock.calls.filter(([[asked]]) => asked === kind).length).toBeGreaterThan(1);
    failing.mockRestore();
    const answer = await ask(path);
    expect([copy.statusCode, answer.statusCode]).toEqual([200, 200]);
    expect(answer.headers['etag']).toMatch(/"/);
    expect(copy.headers['etag']).not.toBe(answer.headers['etag']);
  });

  it('does not match If-Range with the tag of the other source', async () => {
    const path = `fresh${one(EQUAL)}/bulkdata/7FE00010`;
    const { headers, rawPayload } = await ask(path);
    const range = { range: 'bytes=4-', 'if-range': headers['etag'] };
    expect((await ask(path, range)).statusCode).toBe(206);
    const failing = failOnce('bulkdata');
    const answer = await ask(path, range);
    failing.mockRestore();
    expect([answer.statusCode, answer.rawPayload.length]).toEqual([200, rawPayload.length]);
  });
});

/** Serves a tenant of folders with these files. */
async function folders(...files: Buffer[][]) {
  const sources = await Promise.all(
    files.map(async (some) => {
      const path = await mkdtemp(join(tmpdir(), 'copies-'));
      for (const [index, file] of some.entries()) await writeFile(join(path, `${index}.dcm`), file);
      return { type: 'folder', path, lookup: 'studies-by-mrn' };
    }),
  );
  const both = testAccess([patient('own', MRN), patient('other', 'OTHER')], 'user/ImagingStudy.rs');
  const all = testAccess('all', 'system/ImagingStudy.rs');
  const opened = await testSubgraph([testTenant(sources, 'folders')], { own, both, all });
  return {
    status: async (path: string, token = 'own') => {
      const headers = { authorization: `Bearer ${token}`, accept: 'application/zip; transfer-syntax=*' };
      return (await opened.app.inject({ url: `/folders/dicomweb${path}`, headers })).statusCode;
    },
    async close() {
      await opened.close();
      for (const { path } of sources) await rm(path, { recursive: true });
    },
  };
}

/** Makes the next retrieval of a kind fail: that from the first source. */
function failOnce(kind = 'instances') {
  const retrieve = TenantSource.prototype.retrieve;
  const failing = vi.spyOn(TenantSource.prototype, 'retrieve');
  let isOver = false;
  return failing.mockImplementation(function (this: TenantSource, what, work) {
    if (isOver || what[0] !== kind) return retrieve.call(this, what, work) as Promise<never>;
    isOver = true;
    return Promise.reject(away());
  });
}

it.each([
  ['larger', 503],
  // The larger one has the same instances, and others.
  ['smaller', 200],
])('DW-27 a smaller copy does not replace the larger that fails (%s first)', async (first, expected) => {
  const files = smallObjects({ studyUid: SHARED, patientId: MRN, instances: 4 });
  const copies = [files, files.slice(0, 2)];
  const two = await folders(...(first === 'larger' ? copies : copies.reverse()));
  try {
    const failing = failOnce();
    expect(await two.status(`/studies/${SHARED}`)).toBe(expected);
    failing.mockRestore();
    expect(await two.status(`/studies/${SHARED}`)).toBe(200);
  } finally {
    await two.close();
  }
});

it.each(['own', 'other'])(
  'a study of another patient with the same UID is not given as a copy (%s first)',
  async (first) => {
    const of = (patientId: string) => smallObjects({ studyUid: SHARED, patientId });
    const files = [of(MRN), of('OTHER')];
    const two = await folders(...(first === 'own' ? files : files.reverse()));
    try {
      for (const token of ['both', 'all']) {
        const failing = failOnce();
        expect([token, await two.status(`/studies/${SHARED}`, token)]).toEqual([token, 503]);
        failing.mockRestore();
      }
    } finally {
      await two.close();
    }
  },
);

it('answers 503, not 404, for an object that only the failed source may have', async () => {
  const files = smallObjects({ studyUid: SHARED, patientId: MRN, instances: 4 });
  const two = await folders(files.slice(0, 2), files.slice(2));
  try {
    const series = `/studies/${SHARED}/series/${SHARED}.1`;
    const failing = failOnce();
    expect(await two.status(`${series}/instances/${SHARED}.1.1`)).toBe(503);
    failing.mockRestore();
    expect(await two.status(`${series}/instances/${SHARED}.1.1`)).toBe(200);
    expect(await two.status(`${series}/instances/${SHARED}.1.9`)).toBe(404);
  } finally {
    await two.close();
  }
});

it.each(['', '/metadata', '/frames/1', '/rendered'])(
  'answers 503, not 404, for an object that an archive may have which never answered (%s)',
  async (part) => {
    const at = (number: number) =>
      get('never there', `/dicomweb/studies/${PART}/series/${PART}.1/instances/${PART}.1.${number}${part}`);
    const [there, unknown] = [await at(1), await at(4)];
    expect([there.statusCode, unknown.statusCode]).toEqual([200, 503]);
    expect(String(there.headers['warning'])).toContain('did not answer');
    expect(unknown.headers['retry-after']).toBe('5');
  },
);

describe.each(['archive', 'archive-first fresh', 'folder-first fresh'])(
  '%s: a UID of two patients',
  (tenant) => {
    it.each([
      '/dicomweb/studies',
      `/dicomweb/studies?StudyInstanceUID=${CROSSED},${OWN}`,
      '/dicomweb/series',
      '/dicomweb/instances',
      '/fhir/ImagingStudy?patient=own',
      '/fhir/ImagingStudy',
    ])('is in no list: %s', async (path) => {
      logged.length = 0;
      const { statusCode, payload } = await get(tenant, path);
      expect([statusCode, payload.includes(CROSSED), payload.includes(OWN)]).toEqual([200, false, true]);
      expect(logged).toContainEqual({ tenant, studyUid: CROSSED });
    });

    it('cannot be retrieved, and is logged', async () => {
      logged.length = 0;
      expect((await get(tenant, `/dicomweb/studies/${CROSSED}`)).statusCode).toBe(404);
      expect((await get(tenant, `/fhir/ImagingStudy/${CROSSED}`)).statusCode).toBe(404);
      expect(logged).toContainEqual({ tenant, studyUid: CROSSED });
    });
  },
);
