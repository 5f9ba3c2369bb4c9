/**
 * Record and images joined both ways (FG-9): each way in which a resource names its studies, by GraphQL and by REST, over
 * a folder; and a sample over Orthanc by DICOMweb.
 */
import type { Bundle, OperationOutcome, Resource } from 'fhir/r4.js';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { joinedTypes, type JoinedType } from '../../../schema/fhir/joined-types.ts';
import { authorizationServer, type AuthorizationServer } from '../authorization-server.ts';
import { startOrthanc, type Orthanc } from '../setup/orthanc.ts';
import { buildTestGateway, type TestGateway } from '../test-gateway.ts';
import { CASES, objects, RECORD, STUDY } from './cases.ts';

let directory: string;
let gateway: TestGateway;
let orthanc: Orthanc;
let ehr: AuthorizationServer;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'joins-'));
  const images = join(directory, 'images');
  await mkdir(images);
  const files = objects();
  await Promise.all(files.map((bytes, index) => writeFile(join(images, `${index}.dcm`), bytes)));
  const patients = join(directory, 'record.ndjson');
  await writeFile(patients, RECORD.map((one) => JSON.stringify(one)).join('\n'));
  [orthanc, ehr] = await Promise.all([startOrthanc({ files }), authorizationServer()]);
  const { dicomWebUrl: endpoint, username, password } = orthanc;
  const lookup = 'studies-by-mrn';
  gateway = await buildTestGateway(
    () => {
      const clinical = { type: 'store', path: patients };
      const folder = { type: 'folder', path: images, lookup };
      const authentication = { type: 'http-basic', username, password };
      const all = { type: 'mock', disableAuthzChecks: true };
      const smart = { type: 'smart-on-fhir', fhirBaseUrl: ehr.fhirBaseUrl, client: ehr.client };
      return {
        folder: { authorization: all, clinical, images: folder },
        orthanc: {
          authorization: all,
          clinical,
          images: { type: 'dicom-web', endpoint, authentication, lookup },
        },
        away: {
          authorization: all,
          clinical,
          images: { type: 'dicom-web', endpoint: 'http://127.0.0.1:1/', lookup },
        },
        smart: { authorization: smart, clinical, images: folder },
        'acsn-only': {
          authorization: all,
          clinical,
          images: folder,
          joins: { accessionTypes: ['ACSN'], requisition: false },
        },
      };
    },
    { images, patients },
  );
  for (const id of ['ana', 'bob']) ehr.patients.set(id, RECORD.find((one) => one.id === id) as never);
  await gateway.indexed();
}, 60_000);
afterAll(async () => {
  await gateway?.close();
  await orthanc?.stop();
  await ehr?.close();
  await rm(directory, { recursive: true, force: true });
});

type Json = Record<string, never>;
async function graph(tenant: string, query: string, token?: string) {
  const answer = await gateway.app.inject({
    ...{ method: 'POST', url: `/${tenant}/graphql`, payload: { query } },
    headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
  });
  return answer.json<{
    data: Json;
    errors?: { message: string; path: string[]; extensions: { code: string } }[];
  }>();
}
async function search(tenant: string, query: string, token?: string, headers: object = {}) {
  const answer = await gateway.app.inject({
    url: `/${tenant}/fhir/ImagingStudy?${query}`,
    headers: { ...headers, ...(token && { authorization: `Bearer ${token}` }) },
  });
  const bundle = answer.json<Bundle>();
  const named = (mode: string): string[] =>
    (bundle.entry ?? [])
      .filter((entry) => entry.search?.mode === mode)
      .map(({ resource }) => `${resource!.resourceType}/${resource!.id}`)
      .sort();
  return { status: answer.statusCode, bundle, matches: named('match'), included: named('include') };
}
function give(token: string, scope: string, patient = 'ana'): string {
  ehr.tokens.set(token, { client_id: 'app', patient, scope, exp: Math.floor(Date.now() / 1000) + 3600 });
  return token;
}

const alias = (one: Resource) => nameOf(one).replaceAll(/\W/g, '_');
const ids = (list: readonly { id: string }[]) => list.map(({ id }) => id).sort();
const uidsOf = (names: readonly (keyof typeof STUDY)[]) => names.map((name) => STUDY[name]).sort();
const nameOf = ({ resourceType, id }: Resource) => `${resourceType}/${id}`;
/** The resources of a type that belong to a study. */
const belonging = (type: string, uid: string) =>
  CASES.filter((one) => one.resource.resourceType === type && uidsOf(one.studies).includes(uid as never))
    .map(({ resource }) => resource.id!)
    .sort();

/** Asks for the studies of resources of one type. */
async function studiesOf(tenant: string, resources: readonly Resource[]): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  for (let start = 0; start < resources.length; start += 20) {
    const part = resources.slice(start, start + 20);
    const fields = part.map(
      (one) => `${alias(one)}: ${one.resourceType}(id: "${one.id}") { ImagingStudyList { id } }`,
    );
    const { data, errors } = await graph(tenant, `{ ${fields.join(' ')} }`);
    expect(errors).toBeUndefined();
    for (const one of part) {
      const { ImagingStudyList } = data[alias(one)] as unknown as { ImagingStudyList: { id: string }[] };
      found.set(nameOf(one), ids(ImagingStudyList));
    }
  }
  return found;
}

describe.each(['folder', 'orthanc'])('FG-9 over %s', (tenant) => {
  test('each resource has its studies', async () => {
    const found = await studiesOf(
      tenant,
      CASES.map(({ resource }) => resource),
    );
    const table = (of: (one: (typeof CASES)[number]) => readonly string[]) =>
      Object.fromEntries(CASES.map((one) => [one.what, of(one)]));
    expect(table(({ resource }) => found.get(nameOf(resource))!)).toEqual(
      table(({ studies }) => uidsOf(studies)),
    );
  }, 30_000);

  test('each study has its resources, none of another patient', async () => {
    const lists = joinedTypes.map((type) => `${type}List { id }`).join(' ');
    const { data, errors } = await graph(
      tenant,
      `{ Patient(id: "ana") { ImagingStudyList { id ${lists} } } }`,
    );
    expect(errors).toBeUndefined();
    const { ImagingStudyList: studies } = data['Patient'] as unknown as {
      ImagingStudyList: ({ id: string } & Record<`${JoinedType}List`, { id: string }[]>)[];
    };
    expect(studies).toHaveLength(4);
    for (const study of studies)
      for (const type of joinedTypes)
        expect([study.id, type, ids(study[`${type}List`])]).toEqual([
          study.id,
          type,
          belonging(type, study.id),
        ]);
  }, 30_000);

  test('REST: the studies of orders and encounters are those of GraphQL', async () => {
    for (const { resource, studies, what } of CASES) {
      const code = { ServiceRequest: 'basedon', Encounter: 'encounter' }[resource.resourceType as string];
      if (!code || (tenant === 'orthanc' && studies.length === 0)) continue;
      const { matches } = await search(tenant, `${code}=${nameOf(resource)}`);
      expect([what, matches]).toEqual([what, uidsOf(studies).map((uid) => `ImagingStudy/${uid}`)]);
    }
  }, 30_000);
});

const of = (...names: (keyof typeof STUDY)[]) => uidsOf(names).map((uid) => `ImagingStudy/${uid}`);

describe('FG-9 REST: chains', () => {
  test.each<[query: string, matches: string[]]>([
    ['basedon.identifier=ACC-2', of('shared', 'alsoShared')],
    ['basedon._id=order', of('issued')],
    ['basedon:ServiceRequest._id=order,order-named', of('issued', 'plain')],
    ['basedon.status=revoked', []],
    ['basedon.encounter=Encounter/visit', of('issued')],
    ['basedon.patient.birthdate=1980', of('bobs')],
    ['basedon.patient.birthdate=1980&patient=Patient/ana', []],
    ['encounter.class=AMB&encounter._id=visit', of('issued', 'plain')],
    ['encounter=visit', of('issued', 'plain')],
    ['encounter:Encounter=visit,documented', of('issued', 'plain', 'shared')],
    ['encounter=Encounter/without-studies', []],
    ['encounter=Patient/ana', []],
    ['patient.birthdate=1970', of('issued', 'shared', 'alsoShared', 'plain')],
    ['patient.birthdate=lt1990', of('issued', 'shared', 'alsoShared', 'plain', 'bobs')],
    ['subject:Patient.birthdate=1980', of('bobs')],
    ['patient.birthdate=1970&patient=Patient/bob', []],
    ['patient.birthdate=2000', []],
    ['reason=x', []],
  ])('%s', async (query, matches) => {
    expect(await search('folder', query)).toMatchObject({ status: 200, matches });
  });

  test.each([
    ['basedon.nothing=1', 400],
    ['basedon:Task.status=x', 400],
    ['patient.nothing=1', 400],
  ])('%s is refused, also without strict handling', async (query, status) => {
    expect((await search('folder', query)).status).toBe(status);
  });

  test('GraphQL takes them as _chain, and the parameters as arguments', async () => {
    const { data, errors } = await graph(
      'folder',
      `{ a: ImagingStudyList(_chain: ["basedon._id=order"]) { id } b: ImagingStudyList(encounter: ["Encounter/visit"]) { id }
         c: ImagingStudyList(reason: ["x"]) { id } d: ImagingStudyList(_chain: ["patient.birthdate=1980"]) { id } }`,
    );
    expect(errors).toBeUndefined();
    const found = Object.values(data as Record<string, { id: string }[]>).map(ids);
    expect(found).toEqual([uidsOf(['issued']), uidsOf(['issued', 'plain']), [], uidsOf(['bobs'])]);
  });
});

describe('FG-9 REST: _include and _revinclude', () => {
  const included = (type: string, uid: string) => belonging(type, uid).map((id) => `${type}/${id}`);
  test.each<[parameter: string, type: JoinedType]>([
    ['_include=ImagingStudy:basedon', 'ServiceRequest'],
    ['_include=ImagingStudy:encounter:Encounter', 'Encounter'],
  ])('%s adds what belongs to the study', async (parameter, type) => {
    const found = await search('folder', `_id=${STUDY.plain}&${parameter}`);
    expect(found.matches).toEqual(of('plain'));
    expect(found.included).toEqual(included(type, STUDY.plain));
    expect(found.bundle.link![0]!.url).toContain('_include');
  });

  test('_include=ImagingStudy:patient adds the patients, each once', async () => {
    const found = await search('folder', '_include=ImagingStudy:patient&_include=ImagingStudy:subject');
    expect([found.matches.length, found.included]).toEqual([5, ['Patient/ana', 'Patient/bob']]);
  });

  test.each<[parameter: string, element: string]>([
    ['Observation:derived-from', 'derivedFrom'],
    ['Observation:part-of', 'partOf'],
    ['DocumentReference:related', 'context'],
    ['Media:based-on', 'basedOn'],
  ])('_revinclude=%s adds what leads to the study by that element', async (parameter, element) => {
    for (const uid of [STUDY.plain, STUDY.issued]) {
      const [type = ''] = parameter.split(':');
      const own = CASES.filter(({ resource }) => element in resource).map(({ resource }) => nameOf(resource));
      const found = await search('folder', `_id=${uid}&_revinclude=${parameter}`);
      expect(found.included).toEqual(
        included(type, uid)
          .filter((name) => own.includes(name))
          .sort(),
      );
      expect(found.included.length).toBeGreaterThan(0);
    }
  });

  test('R4 has no parameter that leads from a report to a study', async () => {
    const query = `_id=${STUDY.plain}&_revinclude=DiagnosticReport:imaging-study`;
    const lenient = await search('folder', query);
    expect([lenient.status, lenient.included]).toEqual([200, []]);
    expect(lenient.bundle.link![0]!.url).not.toContain('_revinclude');
    expect((await search('folder', query, undefined, { prefer: 'handling=strict' })).status).toBe(400);
  });
});

describe('FG-9 two studies with one accession number', () => {
  test('are both shown, and marked by GraphQL', async () => {
    const { data } = await graph(
      'folder',
      '{ Patient(id: "ana") { ImagingStudyList { id sameAccession { id } } } }',
    );
    const { ImagingStudyList } = data['Patient'] as unknown as {
      ImagingStudyList: { id: string; sameAccession: { id: string }[] }[];
    };
    const marked = ImagingStudyList.flatMap(({ id, sameAccession }) =>
      sameAccession.map((one) => [id, one.id]),
    );
    const [shared, alsoShared] = [STUDY.shared, STUDY.alsoShared];
    expect(marked.sort()).toEqual(
      [
        [shared, alsoShared],
        [alsoShared, shared],
      ].sort(),
    );
  });

  test('are marked by REST, but not those of two patients', async () => {
    const outcomes = ({ bundle }: Awaited<ReturnType<typeof search>>) =>
      bundle
        .entry!.filter((entry) => entry.search?.mode === 'outcome')
        .map(({ resource }) => resource as OperationOutcome);
    const [marked, ...others] = outcomes(await search('folder', ''));
    expect(others).toEqual([]);
    expect(marked!.issue[0]).toMatchObject({ severity: 'information', code: 'informational' });
    expect(marked!.issue[0]!.diagnostics).toMatch(
      new RegExp(`${STUDY.shared}, ${STUDY.alsoShared}|${STUDY.alsoShared}, ${STUDY.shared}`),
    );
    expect(outcomes(await search('folder', `_id=${STUDY.shared}`))).toEqual([]);
  });
});

test('FG-9 the tenant says which numbers join', async () => {
  const byNumber = CASES.filter(({ what }) =>
    /number of the (filler|placer)|requisition|without issuer/.test(what),
  );
  const found = await studiesOf(
    'acsn-only',
    byNumber.map(({ resource }) => resource),
  );
  for (const { what, resource, studies } of byNumber)
    expect([what, found.get(nameOf(resource))]).toEqual([
      what,
      /without issuer/.test(what) ? uidsOf(studies) : [],
    ]);
});

describe('SM-6 SM-16 joins never leave the reach of the caller', () => {
  test('a token for another patient finds nothing of the first', async () => {
    const token = give('bob', 'patient/*.rs', 'bob');
    for (const query of [
      'basedon=ServiceRequest/order',
      'encounter=visit',
      'basedon.status=active&basedon._id=order',
      'patient.birthdate=1970',
    ])
      expect([query, (await search('smart', query, token)).matches]).toEqual([query, []]);
    const { included } = await search(
      'smart',
      '_include=ImagingStudy:basedon&_include=ImagingStudy:patient&_revinclude=Observation:derived-from',
      token,
    );
    expect(included).toEqual(['Patient/bob', 'ServiceRequest/order-of-bob']);
  });

  test.each([
    ['basedon.status=active', 403],
    ['encounter=visit', 403],
    ['patient.birthdate=1970', 403],
  ])('%s needs the scope of the type that it leads to', async (query, status) => {
    expect((await search('smart', query, give('images', 'patient/ImagingStudy.rs'))).status).toBe(status);
  });

  test('an _include without its scope is left out with an outcome, or refused under strict handling', async () => {
    const token = give('images', 'patient/ImagingStudy.rs');
    const query = `_id=${STUDY.plain}&_revinclude=Observation:derived-from`;
    const lenient = await search('smart', query, token);
    expect([lenient.matches, lenient.included]).toEqual([of('plain'), []]);
    expect(lenient.bundle.link![0]!.url).not.toContain('_revinclude');
    expect(JSON.stringify(lenient.bundle)).toContain('OperationOutcome');
    expect((await search('smart', query, token, { prefer: 'handling=strict' })).status).toBe(403);
  });

  test('a list without its scope is null with an error; the others are given', async () => {
    const token = give(
      'some',
      'patient/ImagingStudy.rs patient/Procedure.rs patient/Observation.rs patient/Media.rs',
    );
    const fields = 'ProcedureList { id } ObservationList { id } DiagnosticReportList { id }';
    const { data, errors } = await graph(
      'smart',
      `{ ImagingStudyList(identifier: ["urn:oid:${STUDY.issued}"]) { ${fields} } }`,
      token,
    );
    const [study] = data['ImagingStudyList'] as unknown as Record<string, { id: string }[] | null>[];
    expect(study!['DiagnosticReportList']).toBeNull();
    expect(errors!.map(({ extensions }) => extensions.code)).toEqual(['insufficient_scope']);
    // Without the scope of orders nothing is joined by way of them.
    const viaOrder = CASES.filter(({ what }) => /: its order/.test(what)).map(({ resource }) => resource.id!);
    const expected = belonging('Procedure', STUDY.issued).filter((id) => !viaOrder.includes(id));
    expect(ids(study!['ProcedureList']!)).toEqual(expected);
  });
});

test('FG-10 while the archive is away, the record is given, with an error for each list of studies', async () => {
  const { data, errors } = await graph(
    'away',
    '{ Procedure(id: "named") { status ImagingStudyList { id } } Observation(id: "circle-1") { status ImagingStudyList { id } } }',
  );
  expect(data).toEqual({
    Procedure: { status: 'completed', ImagingStudyList: null },
    Observation: { status: 'final', ImagingStudyList: null },
  });
  expect(new Set(errors!.map(({ extensions }) => extensions.code))).toEqual(new Set(['unavailable']));
});
