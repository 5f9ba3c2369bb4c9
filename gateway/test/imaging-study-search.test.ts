/**
 * The requirements IA-13 to IA-20 and FG-8 to FG-10, one by one: requests to the whole gateway over a real Orthanc.
 */
import type { Bundle, BundleEntry, Endpoint, ImagingStudy, OperationOutcome } from 'fhir/r4.js';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { complaints } from '../../subgraphs/imaging/test/fhir-judges.ts';
import { DEMO_PATIENT } from '../pages/first-request.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';
import { startOrthanc, type Orthanc } from './setup/orthanc.ts';

let gateway: TestGateway;
let orthanc: Orthanc;
let studies: ImagingStudy[];

beforeAll(async () => {
  orthanc = await startOrthanc();
  const { dicomWebUrl: endpoint, username, password } = orthanc;
  const authentication = { type: 'http-basic', username, password };
  gateway = await buildTestGateway(({ patients }) => {
    const images = { type: 'dicom-web', endpoint, authentication, lookup: 'studies-by-mrn' };
    const tenant = (more: object) => ({
      authorization: { type: 'mock', disableAuthzChecks: true },
      clinical: { type: 'store', path: patients },
      images: { ...images, ...more },
    });
    return {
      t: tenant({}),
      // Nothing of this tenant is cached when the archive dies.
      unasked: tenant({}),
      included: tenant({ endpointStyle: 'included' }),
      capability: tenant({ retrieve: 'capability' }),
      'slow-lookup': tenant({ delay: { lookupUntil: 4e9 } }),
      'slow-retrieve': tenant({ delay: { retrieveUntil: 4e9 } }),
    };
  });
  const files = readdirSync(gateway.demo.images, { recursive: true, withFileTypes: true });
  await orthanc.upload(
    files
      .filter((file) => file.isFile() && file.name.endsWith('.dcm'))
      .map(({ parentPath, name }) => join(parentPath, name)),
  );
  studies = matches(await bundle(`patient=${DEMO_PATIENT}`));
}, 120_000);
afterAll(async () => {
  await gateway?.close();
  await orthanc?.stop();
});

type Method = 'GET' | 'POST';
async function ask(path: string, headers: Record<string, string> = {}, method: Method = 'GET', payload = '') {
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  return gateway.app.inject({ method, url: path, headers: { ...headers, ...(payload && form) }, payload });
}
async function bundle(query: string, tenant = 't'): Promise<Bundle> {
  const answer = await ask(`/${tenant}/fhir/ImagingStudy?${query}`);
  expect([query, answer.statusCode]).toEqual([query, 200]);
  return answer.json<Bundle>();
}
const ofMode = (mode: string, { entry = [] }: Bundle): BundleEntry[] =>
  entry.filter(({ search }) => search?.mode === mode);
const matches = (answer: Bundle) => ofMode('match', answer).map(({ resource }) => resource as ImagingStudy);
const ids = (answer: Bundle) => matches(answer).map(({ id }) => id!);
const selfOf = (answer: Bundle) => answer.link!.find(({ relation }) => relation === 'self')!.url;

/** Which of the patient's two studies a query finds, newest first. */
type Found = 'both' | 'first' | 'second' | 'none';
const expected = (found: Found): string[] =>
  ({ both: studies, first: [studies[0]!], second: [studies[1]!], none: [] })[found].map(({ id }) => id!);
const filled = (query: string) =>
  query
    .replaceAll('{P}', DEMO_PATIENT)
    .replaceAll(
      '{mrn}',
      encodeURIComponent('http://hospital.smarthealthit.org|293ee354-f8ad-4345-b10c-759fdfdcc082'),
    )
    .replaceAll('{1}', studies[0]!.id!)
    .replaceAll('{2}', studies[1]!.id!)
    .replaceAll('{day1}', studies[0]!.started!.slice(0, 10))
    .replaceAll('{day2}', studies[1]!.started!.slice(0, 10))
    .replaceAll(
      '{acc1}',
      studies[0]!.identifier!.find(({ type }) => type?.coding?.[0]?.code === 'ACSN')!.value!,
    )
    .replaceAll('{mod1}', studies[0]!.modality![0]!.code!)
    .replaceAll('{site1}', studies[0]!.series![0]!.bodySite!.code!)
    .replaceAll('{base}', encodeURIComponent('http://localhost/t/fhir'));

describe('IA-13 a search', () => {
  test('has two studies that differ', () => {
    expect(studies).toHaveLength(2);
    expect(studies[0]!.started!.slice(0, 10) > studies[1]!.started!.slice(0, 10)).toBe(true);
  });

  const table: [query: string, found: Found][] = [
    ['patient={P}', 'both'],
    ['patient=Patient/{P}', 'both'],
    ['patient={base}%2FPatient%2F{P}', 'both'],
    ['subject=Patient/{P}', 'both'],
    ['subject={P}', 'both'],
    ['patient.identifier={mrn}', 'both'],
    ['subject.identifier={mrn}', 'both'],
    // By _lastUpdated: that is now, the time when the gateway first met the studies.
    ...['ge', 'gt', 'sa', 'ne'].map((prefix): [string, Found] => [
      `patient={P}&_lastUpdated=${prefix}2020`,
      'both',
    ]),
    ...['lt', 'le', 'eb', 'eq', ''].map((prefix): [string, Found] => [
      `patient={P}&_lastUpdated=${prefix}2020`,
      'none',
    ]),
    ...['lt', 'le', 'eb'].map((prefix): [string, Found] => [
      `patient={P}&_lastUpdated=${prefix}2999-12-31`,
      'both',
    ]),
    ['patient={P}&_lastUpdated=ge2020&_lastUpdated=lt2999', 'both'],
    ['patient={P}&_lastUpdated=ge2020-01&_lastUpdated=lt2021-02-03T04:05:06Z', 'none'],
    ['patient={P}&_lastUpdated=gt2020-01-01T00:00:00.123%2B01:00', 'both'],
    ['patient={P}&_lastUpdated=lt2020,gt2021', 'both'],
    ['patient={P}&identifier=urn:oid:{1}', 'first'],
    ['patient={P}&identifier=urn:dicom:uid%7Curn:oid:{1}', 'first'],
    ['patient={P}&identifier={2}', 'second'],
    ['patient={P}&identifier={1},{2}', 'both'],
    ['patient={P}&identifier=urn:oid:1.2.3', 'none'],
    ['patient={P}&identifier={acc1}', 'first'],
    ['patient={P}&_id={2}', 'second'],
    ['patient={P}&_id={1},{2}', 'both'],
    ['patient={P}&started={day1}', 'first'],
    ['patient={P}&started=lt{day1}', 'second'],
    ['patient={P}&started=ge{day2}', 'both'],
    ['patient={P}&started=ge{day2}&started=lt{day1}', 'second'],
    ['patient={P}&modality={mod1}', 'both'],
    ['patient={P}&modality=MG', 'none'],
    ['patient={P}&modality=MG,{mod1}', 'both'],
    ['patient={P}&bodysite={site1}', 'both'],
    ['patient={P}&modality=http://dicom.nema.org/resources/ontology/DCM%7C{mod1}', 'both'],
    ['patient={P}&modality=urn:other%7C{mod1}', 'none'],
    ['patient={P}&status=available', 'both'],
    ['patient={P}&status=cancelled', 'none'],
    ['patient={P}&bodysite=nowhere', 'none'],
    ['patient={P}&_sort=-started', 'both'],
    ['patient={P}&_count=1', 'first'],
    ['patient={P}&_count=1&_sort=started', 'second'],
    ['patient={P}&colour=red', 'both'],
  ];
  test.each(table)('%s → %s, by GET, by a form, and by both', async (query, found) => {
    const asked = filled(query);
    const got = await bundle(asked);
    expect(ids(got)).toEqual(expected(found));
    const [first = '', ...rest] = asked.split('&');
    for (const [url, form] of [
      ['/t/fhir/ImagingStudy/_search', asked],
      [`/t/fhir/ImagingStudy/_search?${first}`, rest.join('&')],
    ] as const) {
      const posted = await ask(url, {}, 'POST', form);
      expect([url, posted.statusCode, ids(posted.json<Bundle>())]).toEqual([url, 200, expected(found)]);
    }
  });

  test('_sort=started reverses the order, and the next link leads to the next page', async () => {
    expect(ids(await bundle(filled('patient={P}&_sort=started')))).toEqual(expected('both').reverse());
    const first = await bundle(filled('patient={P}&_count=1'));
    expect(first.total).toBe(2);
    const next = first.link!.find(({ relation }) => relation === 'next')!.url;
    const second = (await ask(next.replace('http://localhost', ''))).json<Bundle>();
    expect(ids(second)).toEqual(expected('second'));
    expect(second.link!.some(({ relation }) => relation === 'next')).toBe(false);
  });

  test('the self link has only the parameters that were applied; strict handling refuses the others', async () => {
    const query = filled('patient={P}&colour=red&modality={mod1}');
    const self = new URL(selfOf(await bundle(query))).searchParams;
    expect([self.get('patient'), self.get('modality'), self.has('colour')]).toEqual([
      expect.stringContaining(DEMO_PATIENT),
      studies[0]!.modality![0]!.code,
      false,
    ]);
    const strict = await ask(`/t/fhir/ImagingStudy?${query}`, { prefer: 'handling=strict' });
    expect([strict.statusCode, strict.json<OperationOutcome>().resourceType]).toEqual([
      400,
      'OperationOutcome',
    ]);
    expect(strict.body).toContain('colour');
  });

  test.each([
    ['_summary=count', { entries: 0, series: false }],
    ['_summary=true', { entries: 2, series: false }],
    ['_elements=started', { entries: 2, series: false }],
    ['_summary=false', { entries: 2, series: true }],
  ])('%s', async (query, { entries, series }) => {
    const answer = await bundle(filled(`patient={P}&${query}`));
    expect([answer.total, matches(answer).length]).toEqual([2, entries]);
    for (const { series: given, meta } of matches(answer)) {
      expect(given?.[0]?.instance !== undefined).toBe(series);
      expect(meta?.tag?.some(({ code }) => code === 'SUBSETTED') ?? false).toBe(!series);
    }
  });

  test.each([
    ['_total=none', undefined],
    ['_total=accurate', 2],
  ])('%s → %s', async (query, total) =>
    expect((await bundle(filled(`patient={P}&${query}`))).total).toBe(total),
  );

  test('_format=json and _pretty=true are obeyed, _format=xml is 406', async () => {
    const pretty = await ask(filled('/t/fhir/ImagingStudy?patient={P}&_format=json&_pretty=true'));
    expect(pretty.body).toContain('\n  "');
    expect((await ask(filled('/t/fhir/ImagingStudy?patient={P}&_format=xml'))).statusCode).toBe(406);
  });
});

describe('IA-14, IA-17, IA-18 Endpoints', () => {
  const REQUIRES = [
    'http://hl7.org/fhir/smart-app-launch/StructureDefinition/requires-access-token',
    'http://fhir.org/argonaut/smart-imaging/StructureDefinition/requires-access-token',
  ];
  const proper = (endpoint: Endpoint) => {
    expect(endpoint).toMatchObject({
      resourceType: 'Endpoint',
      status: 'active',
      connectionType: {
        system: 'http://terminology.hl7.org/CodeSystem/endpoint-connection-type',
        code: 'dicom-wado-rs',
      },
    });
    expect(endpoint.payloadType.length).toBeGreaterThan(0);
    expect(endpoint.extension!.map(({ url }) => url).sort()).toEqual([...REQUIRES].sort());
  };
  const leadsTo = async ({ address }: Endpoint, study: ImagingStudy) => {
    const path = new URL(`${address}/studies/${study.id}/metadata`).pathname;
    expect((await ask(path)).statusCode).toBe(200);
  };

  test.each(['_include=ImagingStudy:endpoint', '_include=*'])(
    'IA-14 %s puts the Endpoint into each page',
    async (include) => {
      for (const tenant of ['t', 'included', 'capability']) {
        const page = await bundle(filled(`patient={P}&_count=1&${include}`), tenant);
        // `*` also adds what the record has.
        const included = ofMode('include', page)
          .map(({ resource }) => resource as Endpoint)
          .filter(({ resourceType }) => resourceType === 'Endpoint');
        expect([tenant, included.length]).toEqual([tenant, 1]);
        proper(included[0]!);
        await leadsTo(included[0]!, studies[0]!);
      }
    },
  );

  test('IA-18 contained by default, by reference where the tenant says so, one for each study where it is a capability', async () => {
    const [contained] = matches(await bundle(filled('patient={P}')));
    expect(contained!.endpoint![0]!.reference).toMatch(/^#/);
    const one = contained!.contained!.find(({ resourceType }) => resourceType === 'Endpoint') as Endpoint;
    proper(one);
    await leadsTo(one, contained!);

    const [referring] = matches(await bundle(filled('patient={P}'), 'included'));
    const { reference } = referring!.endpoint![0]!;
    expect(reference).toMatch(/^Endpoint\//);
    const read = await ask(`/included/fhir/${reference}`);
    expect(read.statusCode).toBe(200);
    proper(read.json<Endpoint>());

    const page = await bundle(filled('patient={P}'), 'capability');
    for (const study of matches(page)) {
      const entry = page.entry!.find(({ fullUrl }) => fullUrl === study.endpoint![0]!.reference)!;
      expect([entry.fullUrl!.startsWith('urn:uuid:'), entry.search!.mode]).toEqual([true, 'include']);
      proper(entry.resource as Endpoint);
      await leadsTo(entry.resource as Endpoint, study);
    }
  });
});

test('IA-15, IA-16 every study has its fields', async () => {
  for (const study of studies) {
    expect(study.identifier![0]).toMatchObject({ system: 'urn:dicom:uid', value: `urn:oid:${study.id}` });
    expect(study).toMatchObject({
      resourceType: 'ImagingStudy',
      status: 'available',
      subject: { reference: `Patient/${DEMO_PATIENT}` },
      modality: expect.arrayContaining([expect.objectContaining({ code: expect.any(String) })]),
      endpoint: [expect.anything()],
      numberOfSeries: study.series!.length,
      description: expect.any(String),
      basedOn: [
        expect.objectContaining({ identifier: expect.objectContaining({ value: expect.any(String) }) }),
      ],
      meta: { lastUpdated: expect.any(String) },
    });
    const instances = study.series!.flatMap(({ instance = [] }) => instance);
    expect(instances.length).toBe(study.numberOfInstances);
    for (const { uid, sopClass } of instances)
      expect([uid.length > 0, sopClass.code]).toEqual([true, expect.any(String)]);
    expect(study.started).not.toMatch(/Z$/);
    const read = await ask(`/t/fhir/ImagingStudy/${study.id}`);
    expect(read.json<ImagingStudy>()).toEqual(study);
    expect(complaints(study)).toEqual([]);
  }
});

test.each<[tenant: string, path: string, status: number]>([
  ['slow-lookup', '/fhir/ImagingStudy?patient={P}', 503],
  ['slow-lookup', '/fhir/ImagingStudy/{1}', 503],
  ['slow-retrieve', '/fhir/ImagingStudy?patient={P}', 200],
  ['slow-retrieve', '/dicomweb/studies/{1}/metadata', 503],
  ['slow-retrieve', '/dicomweb/studies/{1}/rendered', 503],
])('IA-19 %s %s → %i, with Retry-After', async (tenant, path, status) => {
  const answer = await ask(`/${tenant}${filled(path)}`);
  expect(answer.statusCode).toBe(status);
  if (status === 503) expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
});

test('IA-20 a search is a complete searchset, as application/fhir+json; errors are OperationOutcomes', async () => {
  const answer = await ask(filled('/t/fhir/ImagingStudy?patient={P}'));
  expect(answer.headers['content-type']).toMatch(/^application\/fhir\+json/);
  const set = answer.json<Bundle>();
  expect([set.type, set.total, set.link![0]!.relation]).toEqual(['searchset', 2, 'self']);
  for (const { fullUrl, search, resource } of set.entry!) {
    expect([fullUrl, search]).toEqual([
      `http://localhost/t/fhir/ImagingStudy/${resource!.id}`,
      { mode: 'match' },
    ]);
  }
  expect(complaints(set)).toEqual([]);
  for (const [path, status] of [
    ['/t/fhir/ImagingStudy/1.2.3', 404],
    ['/t/fhir/ImagingStudy?started=tomorrow', 400],
    ['/t/fhir/ImagingStudy?_lastUpdated=xx2020', 400],
    ['/t/fhir/ImagingStudy?patient=', 400],
    ['/t/fhir/ImagingStudy?_count=many', 400],
    ['/t/fhir/Endpoint/nowhere', 404],
  ] as const) {
    const refused = await ask(path);
    expect([path, refused.statusCode, refused.json<OperationOutcome>().resourceType]).toEqual([
      path,
      status,
      'OperationOutcome',
    ]);
    expect(refused.headers['content-type']).toMatch(/^application\/fhir\+json/);
  }
});

describe('GraphQL', () => {
  interface Fields {
    // Answers of GraphQL: the assertions check their shape.
    // eslint-disable-next-line @typescript-eslint/no-explicit-any
    [field: string]: any;
  }
  async function query(source: string, tenant = 't') {
    const answer = await gateway.app.inject({
      method: 'POST',
      url: `/${tenant}/graphql`,
      payload: { query: source, variables: { id: DEMO_PATIENT } },
    });
    expect([answer.statusCode, answer.statusCode === 200 || answer.body]).toEqual([200, true]);
    return answer.json<{
      data: Fields;
      errors?: { path: (string | number)[]; extensions: { code: string; service: string } }[];
    }>();
  }

  test('FG-8 a study has the facts that an app needs before it downloads, and addresses that work', async () => {
    const { data, errors } = await query(`{ ImagingStudy(id: "${studies[0]!.id}") { id started
      endpoint { resource { ... on Endpoint { address } } }
      series { uid rows columns numberOfFrames transferSyntax bodySite { code } wadoUrl thumbnailUrl
        renderedUrl(window: "40,400", viewport: "64,64") metadata(keywords: ["Modality"])
        instance(_count: 1) { uid rows columns numberOfFrames transferSyntax wadoUrl thumbnailUrl
          renderedUrl(window: "40,400", viewport: "64,64") metadata(keywords: ["Rows"]) } } } }`);
    expect(errors).toBeUndefined();
    const { series } = data['ImagingStudy'] as Fields;
    const [first] = series as Fields[];
    const [instance] = first!['instance'] as Fields[];
    for (const level of [first!, instance!]) {
      expect([level['rows'], level['columns'], level['numberOfFrames']]).toEqual([
        expect.any(Number),
        expect.any(Number),
        expect.any(Number),
      ]);
      // This Orthanc does not return the transfer syntax in QIDO-RS.
      expect(level['transferSyntax'] ?? '1.2.840.10008.1.2').toMatch(/^1\.2\.840\.10008\.1\.2/);
      for (const [field, type] of [
        ['wadoUrl', /^multipart\/related/],
        ['thumbnailUrl', /^image\//],
        ['renderedUrl', /^image\/jpeg/],
      ] as const) {
        const { pathname, search } = new URL(level[field] as string);
        const accept =
          field === 'wadoUrl' ? 'multipart/related; type="application/dicom"; transfer-syntax=*' : '*/*';
        const got = await ask(pathname + search, { accept });
        expect([field, got.statusCode, got.headers['content-type']]).toEqual([
          field,
          200,
          expect.stringMatching(type),
        ]);
      }
    }
    expect(instance!['metadata']).toEqual({ Rows: { vr: 'US', Value: [instance!['rows']] } });
  });

  test.each<[args: string, found: Found]>([
    ['patient: ["{P}"]', 'both'],
    ['patient: ["{P}"], identifier: ["urn:oid:{1}"]', 'first'],
    ['patient: ["{P}"], modality: ["MG"]', 'none'],
    ['patient: ["{P}"], started: ["lt{day1}"]', 'second'],
    ['patient: ["{P}"], _lastUpdated: ["ge2020"]', 'both'],
    ['patient: ["{P}"], _lastUpdated: ["lt2020"]', 'none'],
    ['patient: ["{P}"], _sort: ["-started"], _count: 2', 'both'],
  ])('FG-8 ImagingStudyList and -Connection(%s) → %s', async (args, found) => {
    const { data, errors } = await query(
      filled(
        `{ ImagingStudyList(${args}) { id } ImagingStudyConnection(${args}) { count edges { resource { id } } } }`,
      ),
    );
    expect(errors).toBeUndefined();
    const { ImagingStudyList: list, ImagingStudyConnection: connection } = data as Fields;
    expect(list.map(({ id }: Fields) => id)).toEqual(expected(found));
    expect([connection.count, connection.edges.map(({ resource }: Fields) => resource.id)]).toEqual([
      expected(found).length,
      expected(found),
    ]);
  });

  const JOINED = `query($id: ID!) { Patient(id: $id) { birthDate ConditionList { id }
    ImagingStudyList { id DiagnosticReportList { id } ServiceRequestList { id } }
    ImagingStudyConnection { count }
    DiagnosticReportList { id imagingStudy { resource { ... on ImagingStudy { id } } } ImagingStudyList { id } }
    ServiceRequestList { id ImagingStudyList { id } } } }`;

  test('FG-9 report, order and images find each other through every field', async () => {
    const { data, errors } = await query(JOINED);
    expect(errors).toBeUndefined();
    const { ImagingStudyList, ImagingStudyConnection, DiagnosticReportList, ServiceRequestList } = data[
      'Patient'
    ] as Fields;
    expect(ImagingStudyConnection.count).toBe(2);
    for (const { id, DiagnosticReportList: reports, ServiceRequestList: orders } of ImagingStudyList) {
      for (const [near, all] of [
        [reports, DiagnosticReportList],
        [orders, ServiceRequestList],
      ]) {
        expect(near.length).toBeGreaterThan(0);
        const pointing = all.filter((one: Fields) =>
          one['ImagingStudyList'].some((study: Fields) => study['id'] === id),
        );
        expect(near.map((one: Fields) => one['id']).sort()).toEqual(
          pointing.map((one: Fields) => one['id']).sort(),
        );
      }
    }
    const direct = DiagnosticReportList.flatMap((one: Fields) => one['imagingStudy'] ?? []);
    expect(direct.map((one: Fields) => one['resource']?.['id'])).toEqual(
      expect.arrayContaining(expected('both')),
    );
  });

  test('FG-10 with a dead archive the record is given, and an error with code, service and path', async () => {
    await orthanc.kill();
    const { data, errors } = await query(JOINED, 'unasked');
    const patient = data['Patient'] as Fields;
    expect([patient['birthDate'], patient['ConditionList'].length > 0]).toEqual([expect.any(String), true]);
    expect(patient['DiagnosticReportList'].length).toBeGreaterThan(0);
    expect([patient['ImagingStudyList'], patient['ImagingStudyConnection']]).toEqual([null, null]);
    for (const { path, extensions } of errors!) {
      expect(path.some((part) => /imaging/i.test(String(part)))).toBe(true);
      expect(extensions).toMatchObject({ service: 'imaging', code: 'unavailable', retryAfter: 5 });
    }
    const named = new Set(
      errors!.map(({ path }) => path.filter((part) => typeof part === 'string').join('.')),
    );
    for (const path of [
      'ImagingStudyList',
      'ImagingStudyConnection',
      'DiagnosticReportList.ImagingStudyList',
    ]) {
      expect([...named]).toContain(`Patient.${path}`);
    }
  });
});
