import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bundle, CodeableConcept, Resource } from 'fhir/r4.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { clinicalResources, graphqlType, resourceTypes } from '../../schema/fhir/tables.ts';
import { authorizationServer, type AuthorizationServer } from './authorization-server.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

/**
 * Checks that the Inferno kits (g10, SMART App Launch) make of a resource server, for every served type, by REST and
 * GraphQL. Real launches with granular scopes are in launches.test.ts; discovery, 401 and revocation are tested in
 * authorization.test.ts and embedded.test.ts, introspection and error codes of the token endpoint in smart/server.
 */

const SYSTEMS = {
  Condition: 'http://terminology.hl7.org/CodeSystem/condition-category',
  Observation: 'http://terminology.hl7.org/CodeSystem/observation-category',
} as const;
type Granular = keyof typeof SYSTEMS;
const CATEGORIES: Record<Granular, Record<string, string[]>> = {
  Condition: {
    'c-problem': ['problem-list-item'],
    'c-encounter': ['encounter-diagnosis'],
    'c-both': ['problem-list-item', 'encounter-diagnosis'],
    'c-concern': ['health-concern'],
    'c-none': [],
  },
  Observation: {
    'o-laboratory': ['laboratory'],
    'o-vital': ['vital-signs'],
    'o-both': ['laboratory', 'vital-signs'],
    'o-social': ['social-history'],
    'o-none': [],
  },
};
/** Two launches, and the categories of the two types that each was granted. */
const LAUNCHES: Record<string, Record<Granular, string[]>> = {
  first: { Condition: ['problem-list-item'], Observation: ['laboratory'] },
  second: {
    Condition: ['encounter-diagnosis', 'health-concern'],
    Observation: ['vital-signs', 'social-history'],
  },
};

let ehr: AuthorizationServer;
let gateway: TestGateway;
let folder: string;

beforeAll(async () => {
  ehr = await authorizationServer();
  folder = await mkdtemp(join(tmpdir(), 'inferno-'));
  const data = { images: join(folder, 'images'), patients: join(folder, 'record') };
  await Promise.all([mkdir(data.images), mkdir(data.patients)]);
  const entry = record().map((resource) => ({ resource }));
  const bundle: Bundle = { resourceType: 'Bundle', type: 'collection', entry };
  await writeFile(join(data.patients, 'record.json'), JSON.stringify(bundle));
  const authorization = { type: 'smart-on-fhir', fhirBaseUrl: ehr.fhirBaseUrl, client: ehr.client };
  const files = {
    ehr: {
      authorization,
      clinical: { type: 'store', path: data.patients },
      images: { type: 'folder', path: data.images, lookup: 'all-studies-on-server' },
    },
  };
  gateway = await buildTestGateway(() => files, data);
  const launched = { client_id: 'inferno', patient: 'p1', exp: Math.floor(Date.now() / 1000) + 3600 };
  const grant = (token: string, scope: string) =>
    ehr.tokens.set(token, { ...launched, scope, encounter: 'e1' });
  grant('everything', 'patient/*.rs');
  for (const type of resourceTypes) grant(`only-${type}`, `patient/${type}.rs`);
  for (const [name, granted] of Object.entries(LAUNCHES)) {
    const scopes = (Object.keys(SYSTEMS) as Granular[]).flatMap((type) =>
      granted[type].map((category) => `patient/${type}.rs?category=${SYSTEMS[type]}|${category}`),
    );
    const whole = ['Patient', 'Encounter', 'DiagnosticReport'].map((type) => `patient/${type}.rs`);
    grant(name, [...scopes, ...whole].join(' '));
  }
});
afterAll(async () => {
  await gateway?.close();
  await ehr?.close();
  await rm(folder, { recursive: true, force: true });
});

/** Returns a patient with conditions and observations of every category, and resources that refer to each of them. */
function record(): Resource[] {
  const subject = { reference: 'Patient/p1' };
  const coded = (type: Granular) =>
    Object.entries(CATEGORIES[type]).map(([id, codes]) => {
      const category = codes.map((code): CodeableConcept => ({ coding: [{ system: SYSTEMS[type], code }] }));
      return { resourceType: type, id, subject, ...(category.length > 0 && { category }) };
    });
  const referring = (ids: string[], type: string) => ids.map((id) => ({ reference: `${type}/${id}` }));
  const encounter = {
    resourceType: 'Encounter',
    id: 'e1',
    status: 'finished',
    subject,
    class: { code: 'AMB' },
    diagnosis: referring(Object.keys(CATEGORIES.Condition), 'Condition').map((condition) => ({ condition })),
  };
  const report = {
    resourceType: 'DiagnosticReport',
    id: 'r1',
    status: 'final',
    subject,
    code: { text: 'Panel' },
    result: referring(Object.keys(CATEGORIES.Observation), 'Observation'),
  };
  return [
    { resourceType: 'Patient', id: 'p1' },
    ...coded('Condition'),
    ...coded('Observation'),
    encounter,
    report,
  ];
}

const get = (token: string, path: string) =>
  gateway.app.inject({ url: `/ehr/fhir/${path}`, headers: { authorization: `Bearer ${token}` } });
const post = (token: string, path: string, payload: string) =>
  gateway.app.inject({
    method: 'POST',
    url: `/ehr/fhir/${path}`,
    payload,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/x-www-form-urlencoded' },
  });
async function graphql(token: string, query: string) {
  const { body } = await gateway.app.inject({
    method: 'POST',
    url: '/ehr/graphql',
    payload: { query },
    headers: { authorization: `Bearer ${token}` },
  });
  return JSON.parse(body) as {
    data?: Record<string, unknown> | null;
    errors?: { message: string; extensions: { code: string; scope?: string } }[];
  };
}
const idsOf = (body: string) =>
  ((JSON.parse(body) as Bundle).entry ?? []).map(({ resource }) => resource!.id!).sort();

/** A type without search says so whatever the scopes are. */
const searched = resourceTypes.filter((type) => type !== 'Endpoint');

describe('SM-6 a scope for another type: 403 for every type', () => {
  test.each(resourceTypes)('%s', async (type) => {
    const token = type === 'Patient' ? 'only-Observation' : 'only-Patient';
    const needed = `patient/${type === 'Endpoint' ? 'ImagingStudy' : type}.r`;
    for (const path of [`${type}/x`, ...(searched.includes(type) ? [type, `${type}?_id=x`] : [])]) {
      const { statusCode, headers, body } = await get(token, path);
      expect([path, statusCode]).toEqual([path, 403]);
      const scope = `scope="${needed}${path === `${type}/x` ? '' : 's'}"`;
      expect(headers['www-authenticate']).toContain(`error="insufficient_scope", ${scope}`);
      expect(JSON.parse(body)).toMatchObject({ resourceType: 'OperationOutcome' });
    }
  });

  test.each(clinicalResources.filter((type) => type !== 'Patient'))('GraphQL %s', async (type) => {
    const name = graphqlType(type);
    const read = await graphql('only-Patient', `{ ${name}(id: "x") { id } }`);
    const listed = await graphql('only-Patient', `{ ${name}List { id } }`);
    for (const [field, { data, errors }] of [[name, read] as const, [`${name}List`, listed] as const]) {
      expect([field, errors?.map(({ extensions }) => extensions.code)]).toEqual([
        field,
        ['insufficient_scope'],
      ]);
      expect(data?.[field] ?? null).toBeNull();
    }
  });

  test.each(searched)('the scope of the type is enough for %s', async (type) => {
    const { statusCode, headers } = await get(`only-${type}`, type);
    // 403 without a missing scope: lists of this type cannot be restricted to the patient.
    if (statusCode === 403) expect(headers['www-authenticate']).toBeUndefined();
    // This tenant keeps no list of who has looked, and says so.
    else expect(statusCode).toBe(type === 'AuditEvent' ? 501 : 200);
  });
});

describe('SM-6 the context of the launch is readable', () => {
  test('the patient and the encounter in context', async () => {
    const { patient, encounter } = ehr.tokens.get('everything') as { patient: string; encounter: string };
    for (const path of [`Patient/${patient}`, `Encounter/${encounter}`]) {
      const { statusCode, body } = await get('everything', path);
      expect([path, statusCode]).toEqual([path, 200]);
      const { resourceType, id } = JSON.parse(body) as Resource;
      expect(`${resourceType}/${id}`).toBe(path);
    }
  });
});

describe('IA-20 POST _search answers as GET does', () => {
  const asking: [type: string, query: string][] = [
    ...searched.map((type): [string, string] => [type, '_count=2']),
    ['Condition', `patient=p1&category=${SYSTEMS.Condition}|problem-list-item`],
    ['Observation', 'patient=Patient/p1&category=laboratory,vital-signs&_sort=-date'],
    ['ImagingStudy', 'patient=p1&_include=ImagingStudy:endpoint'],
    ['ImagingStudy', 'patient=somebody-else'],
    ['Condition', 'patient=somebody-else'],
  ];
  test.each(asking)('%s?%s', async (type, query) => {
    const [got, posted, mixed] = await Promise.all([
      get('everything', `${type}?${query}`),
      post('everything', `${type}/_search`, query),
      post('everything', `${type}/_search?${query}`, ''),
    ]);
    for (const answer of [posted, mixed]) {
      expect([answer.statusCode, JSON.parse(answer.body)]).toEqual([got.statusCode, JSON.parse(got.body)]);
    }
  });
});

describe.each(Object.keys(LAUNCHES))('SM-5 granular scopes, the %s launch', (token) => {
  describe.each(Object.keys(SYSTEMS) as Granular[])('%s', (type) => {
    const all = Object.keys(CATEGORIES[type]).sort();
    const granted = all.filter((id) =>
      CATEGORIES[type][id]!.some((category) => LAUNCHES[token]![type].includes(category)),
    );
    const denied = all.filter((id) => !granted.includes(id));
    const fieldOf = async (query: string, pick: (data: never) => ({ id?: string } | null | undefined)[]) => {
      const { data } = await graphql(token, query);
      return pick(data as never)
        .flatMap((found) => (found?.id === undefined ? [] : [found.id]))
        .sort();
    };

    test('grants some and denies some', () => {
      expect(granted.length).toBeGreaterThan(1);
      expect(denied.length).toBeGreaterThan(1);
    });

    test('REST searches find exactly the granted ones', async () => {
      for (const query of [
        '',
        '?patient=p1',
        '?subject=Patient/p1',
        `?_id=${all.join(',')}`,
        '?_count=100',
      ]) {
        const { body } = await get(token, `${type}${query}`);
        expect([query, idsOf(body)]).toEqual([query, granted]);
        expect((JSON.parse(body) as Bundle).total).toBe(granted.length);
      }
      expect(idsOf((await post(token, `${type}/_search`, 'patient=p1')).body)).toEqual(granted);
    });

    test('a search by category finds the granted ones of that category', async () => {
      for (const category of new Set(Object.values(CATEGORIES[type]).flat())) {
        const { body } = await get(token, `${type}?category=${SYSTEMS[type]}|${category}`);
        const wanted = granted.filter((id) => CATEGORIES[type][id]!.includes(category));
        expect([category, idsOf(body)]).toEqual([category, wanted]);
      }
    });

    test('pages have each granted one once', async () => {
      const found: string[] = [];
      let next: string | undefined = `${type}?patient=p1&_count=1`;
      for (let pages = 0; next !== undefined && pages < 10; pages++) {
        const { body } = await get(token, next);
        found.push(...idsOf(body));
        const link = (JSON.parse(body) as Bundle).link?.find(({ relation }) => relation === 'next')?.url;
        next = link?.slice(link.indexOf('/fhir/') + '/fhir/'.length);
      }
      expect(found.sort()).toEqual(granted);
    });

    test('reads: 200 for the granted ones, for others the same 404 as for one that does not exist', async () => {
      const unknown = await get(token, `${type}/unknown`);
      expect(unknown.statusCode).toBe(404);
      for (const id of all) {
        const { statusCode, body } = await get(token, `${type}/${id}`);
        expect([id, statusCode]).toEqual([id, granted.includes(id) ? 200 : 404]);
        if (denied.includes(id)) expect(body).toBe(unknown.body);
      }
    });

    test('GraphQL: list, connection, read, and list of the patient', async () => {
      expect(await fieldOf(`{ l: ${type}List { id } }`, ({ l }: { l: [] }) => l)).toEqual(granted);
      expect(
        await fieldOf(
          `{ l: ${type}Connection(_count: 50) { edges { resource { id } } } }`,
          ({ l }: { l: { edges: { resource: { id: string } }[] } }) =>
            l.edges.map(({ resource }) => resource),
        ),
      ).toEqual(granted);
      expect(
        await fieldOf(
          `{ Patient(id: "p1") { l: ${type}List { id } } }`,
          ({ Patient }: { Patient: { l: [] } }) => Patient.l,
        ),
      ).toEqual(granted);
      const reads = all.map((id, index) => `a${index}: ${type}(id: "${id}") { id }`).join(' ');
      expect(
        await fieldOf(`{ ${reads} }`, (data: Record<string, { id: string }>) => Object.values(data)),
      ).toEqual(granted);
    });

    test('GraphQL: through references of other resources', async () => {
      const id = `resource { ... on ${type} { id } }`;
      const followed =
        type === 'Condition'
          ? await fieldOf(
              `{ Encounter(id: "e1") { diagnosis { condition { ${id} } } } }`,
              ({ Encounter }: { Encounter: { diagnosis: { condition: { resource: { id: string } } }[] } }) =>
                Encounter.diagnosis.map(({ condition }) => condition.resource),
            )
          : await fieldOf(
              `{ DiagnosticReport(id: "r1") { result { ${id} } } }`,
              ({ DiagnosticReport }: { DiagnosticReport: { result: { resource: { id: string } }[] } }) =>
                DiagnosticReport.result.map(({ resource }) => resource),
            );
      expect(followed).toEqual(granted);
    });

    test('_include and _revinclude add none that was not granted', async () => {
      const queries = [
        'DiagnosticReport?_include=DiagnosticReport:result',
        'Encounter?_include=Encounter:diagnosis',
        `Patient?_revinclude=${type}:patient`,
        'Patient?_include=*&_revinclude=*',
      ];
      for (const query of queries) {
        const found = idsOf((await get(token, query)).body);
        expect(found).not.toEqual([]);
        expect([query, found.filter((id) => denied.includes(id))]).toEqual([query, []]);
      }
    });
  });
});
