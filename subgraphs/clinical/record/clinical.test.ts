/** Authorization as a table, token × request → answer, with a store and with a FHIR server. */
import { createServer } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { clinicalSubgraph } from '../app.ts';
import type { SearchParams } from '../sources/source.ts';
import { accessOf, startClinical, startFhirServer, tenantOf } from '../test/servers.ts';

let clinical: Awaited<ReturnType<typeof startClinical>>;
let server: Awaited<ReturnType<typeof startFhirServer>>;
let tenants: Record<'store' | 'fhir-server', Tenant>;

beforeAll(async () => {
  clinical = await startClinical();
  server = await startFhirServer(clinical.subgraph, clinical.tenant);
  tenants = { store: clinical.tenant, 'fhir-server': tenantOf({ type: 'fhir', baseUrl: server.base }) };
});
afterAll(async () => {
  await server.end();
  await clinical.end();
});
beforeEach(() => void (server.requests.length = 0));

const params = (text: string): SearchParams => [...new URLSearchParams(text)];
const everything = 'patient/*.rs';

describe.each(['store', 'fhir-server'] as const)('%s', (source) => {
  const open = (scope: string, patients: readonly string[] | 'all' = ['ana']) =>
    clinical.subgraph.open(tenants[source], accessOf(scope, patients));

  const reads: [scope: string, patients: readonly string[] | 'all', target: string, outcome: string][] = [
    [everything, ['ana'], 'Patient/ana', 'ok'],
    [everything, ['ana'], 'Patient/bob', 'forbidden'],
    [everything, ['ana'], 'Patient/nobody', 'forbidden'],
    [everything, ['ana'], 'Condition/asthma', 'ok'],
    [everything, ['ana'], 'Condition/bobs', 'not_found'],
    [everything, ['ana'], 'Condition/none', 'not_found'],
    [everything, ['ana'], 'Condition/elsewhere', 'not_found'],
    [everything, ['ana'], 'Observation/by-ana-about-bob', 'not_found'],
    [everything, ['ana'], 'Observation/nobodys', 'ok'],
    [everything, ['ana'], 'Practitioner/dr', 'ok'],
    [everything, ['ana'], 'Group/group', 'not_found'],
    [everything, ['ana'], 'List/list', 'not_found'],
    [everything, ['ana'], 'Binary/binary', 'not_found'],
    [everything, ['ana'], 'Binary/letter', 'ok'],
    [everything, ['ana'], 'Binary/bobs-letter', 'not_found'],
    [everything, ['ana'], 'Binary/portrait', 'not_found'],
    [everything, 'all', 'Binary/binary', 'ok'],
    ['patient/Binary.r', ['ana'], 'Binary/letter', 'not_found'],
    [everything, ['ana'], 'Device/scanner', 'ok'],
    [everything, ['ana'], 'Device/pacemaker', 'not_found'],
    [everything, ['ana'], 'NoSuchType/1', 'not_found'],
    [everything, ['ana'], 'Condition/..%2FPatient%2Fbob', 'not_found'],
    [everything, ['ana', 'bob'], 'Condition/bobs', 'ok'],
    [everything, [], 'Condition/asthma', 'not_found'],
    [everything, 'all', 'Group/group', 'ok'],
    [everything, 'all', 'Condition/bobs', 'ok'],
    ['patient/Condition.s', ['ana'], 'Condition/asthma', 'insufficient_scope'],
    ['patient/Condition.read', ['ana'], 'Condition/asthma', 'ok'],
    ['patient/Condition.write', ['ana'], 'Condition/asthma', 'insufficient_scope'],
    ['patient/ImagingStudy.rs', ['ana'], 'Condition/asthma', 'insufficient_scope'],
    ['patient/Observation.rs?category=laboratory', ['ana'], 'Observation/glucose', 'ok'],
    ['patient/Observation.rs?category=laboratory', ['ana'], 'Observation/weight', 'not_found'],
    [
      'patient/Observation.rs?category=laboratory&status=preliminary',
      ['ana'],
      'Observation/glucose',
      'not_found',
    ],
    ['patient/Observation.rs?nonsense=1', ['ana'], 'Observation/glucose', 'insufficient_scope'],
  ];
  it.each(reads)('SM-5 SM-6 SM-16 %s of %j reads %s: %s', async (scope, patients, target, outcome) => {
    const [type = '', id = ''] = target.split('/');
    const read = open(scope, patients).read(type, id);
    if (outcome === 'ok') expect(await read).toMatchObject({ resourceType: type, id });
    else await expect(read).rejects.toMatchObject({ code: outcome });
  });

  const lab = 'patient/Observation.rs?category=laboratory';
  const searches: [
    scope: string,
    patients: readonly string[] | 'all',
    search: string,
    outcome: string[] | string,
  ][] = [
    [everything, ['ana'], 'Condition?', ['asthma', 'flu']],
    [everything, ['ana'], 'Condition?patient=ana', ['asthma', 'flu']],
    [everything, ['ana'], 'Condition?patient=Patient/ana&clinical-status=active', ['asthma']],
    [everything, ['ana'], 'Condition?patient=bob', 'forbidden'],
    [everything, ['ana'], 'Condition?patient=ana,bob', 'forbidden'],
    [everything, ['ana'], 'Condition?subject=Patient/bob', 'forbidden'],
    [everything, ['ana'], 'Condition?subject:Patient=bob', 'forbidden'],
    [everything, ['ana'], 'Condition?subject=Group/x', []],
    [everything, ['ana'], 'Condition?patient=ana,Group/x', ['asthma', 'flu']],
    [everything, ['ana'], 'Condition?patient:missing=true', []],
    [everything, ['ana'], 'Condition?patient:missing=false', ['asthma', 'flu']],
    [everything, ['ana'], 'Condition?patient.identifier=MRN-1', ['asthma', 'flu']],
    [everything, ['ana'], 'Condition?patient.identifier=MRN-2', []],
    [everything, ['ana'], 'Condition?encounter.status=finished', ['asthma']],
    [everything, ['ana'], 'Condition?encounter.status=planned', []],
    [everything, ['ana'], 'Condition?encounter.subject=Patient/bob', 'forbidden'],
    [everything, ['ana'], 'Patient?general-practitioner:Practitioner.name=house', ['ana']],
    [everything, ['ana'], 'Patient?general-practitioner.name=house', 'invalid_request'],
    [everything, ['ana'], 'Provenance?target:Group.code=x', 'forbidden'],
    [everything, ['ana'], 'Observation?performer=Patient/ana', []],
    [everything, ['ana'], 'Patient?', ['ana']],
    [everything, ['ana'], 'Patient?_id=ana', ['ana']],
    [everything, ['ana'], 'Patient?_id=bob', 'forbidden'],
    [everything, ['ana'], 'Patient?name=nun', ['ana']],
    [everything, ['ana'], 'Practitioner?', 'forbidden'],
    [everything, ['ana'], 'Organization?_id=org', 'forbidden'],
    [everything, ['ana'], 'Group?', 'forbidden'],
    [everything, ['ana'], 'Binary?', 'forbidden'],
    [everything, ['ana'], 'List?subject=Patient/ana', 'forbidden'],
    [everything, ['ana'], 'Device?', []],
    [everything, ['ana', 'bob'], 'Condition?', ['asthma', 'bobs', 'flu']],
    [everything, ['ana', 'bob'], 'Condition?patient=bob', ['bobs']],
    [everything, [], 'Condition?', 'forbidden'],
    [everything, 'all', 'Condition?', ['asthma', 'bobs', 'elsewhere', 'flu']],
    ['patient/Condition.r', ['ana'], 'Condition?', 'insufficient_scope'],
    ['patient/Condition.s', ['ana'], 'Condition?', ['asthma', 'flu']],
    ['patient/Condition.s', ['ana'], 'Condition?patient.identifier=MRN-1', 'insufficient_scope'],
    [
      'patient/Condition.s patient/Patient.r',
      ['ana'],
      'Condition?patient.identifier=MRN-1',
      ['asthma', 'flu'],
    ],
    ['patient/Patient.rs', ['ana'], 'Patient?general-practitioner:Practitioner.name=a', 'insufficient_scope'],
    [lab, ['ana'], 'Observation?', ['glucose']],
    [lab, ['ana'], 'Observation?category=vital-signs', []],
    [lab, ['ana'], 'Observation?patient=bob', 'forbidden'],
    [`${lab} patient/Observation.rs?category=vital-signs`, ['ana'], 'Observation?', ['glucose', 'weight']],
    [`${lab} patient/Observation.rs?status=preliminary`, ['ana'], 'Observation?', ['glucose', 'weight']],
    [`${lab} patient/Observation.s`, ['ana'], 'Observation?', ['glucose', 'weight']],
  ];
  it.each(searches)('SM-5 SM-6 SM-16 IA-7 %s of %j: %s is %j', async (scope, patients, search, outcome) => {
    const [type = '', query = ''] = search.split('?');
    const found = open(scope, patients).list(type, { params: params(query) });
    if (typeof outcome === 'string') await expect(found).rejects.toMatchObject({ code: outcome });
    else expect((await found).map(({ id }) => id).toSorted()).toEqual(outcome);
  });

  it('IA-7 gives the same answer for another patient’s resource and for one that does not exist', async () => {
    const refusal = (id: string) =>
      open(everything)
        .read('Condition', id)
        .catch(({ code, message, details }) => ({ code, message, details }));
    expect(await refusal('bobs')).toEqual(await refusal('none'));
  });

  it('refuses unknown parameters with handling=strict, and ignores them otherwise', async () => {
    const search = { params: params('patient=ana&colour=blue') };
    await expect(open(everything).search('Condition', { ...search, strict: true })).rejects.toMatchObject({
      code: 'unsupported_parameter',
    });
    expect((await open(everything).search('Condition', search)).applied).toEqual([['patient', 'ana']]);
  });

  it('FG-2 pages by count and offset', async () => {
    const ids = async (count: number, offset: number) =>
      (await open(everything, 'all').list('Condition', { params: [], sort: '_id', count, offset })).map(
        ({ id }) => id,
      );
    expect(await ids(2, 0)).toEqual(['asthma', 'bobs']);
    expect(await ids(2, 1)).toEqual(['bobs', 'elsewhere']);
    expect(await ids(2, 3)).toEqual(['flu']);
    expect(await ids(2, 9)).toEqual([]);
  });

  it('SM-16 a cursor grants nothing', async () => {
    const ofAll = { params: [], count: 2, sort: '_id' };
    const { next } = await open(everything, 'all').search('Condition', ofAll);
    const cursor = source === 'store' ? next! : '/Condition?patient=Patient/bob';
    const found = open(everything).search('Condition', { params: [], cursor, count: 5 });
    if (source === 'store') return expect(found).rejects.toMatchObject({ code: 'invalid_request' });
    const { resources, total } = await found;
    expect(resources.filter(({ id }) => id === 'bobs')).toEqual([]);
    expect(total).toBeUndefined();
  });
});

describe('FG-6 requests to a FHIR server', () => {
  const open = (patients: readonly string[] | 'all' = 'all') =>
    clinical.subgraph.open(tenants['fhir-server'], accessOf(everything, patients));

  it('reads by id are batched, and each id is read once', async () => {
    const record = open();
    await Promise.all(['ana', 'bob', 'ana'].map((id) => record.read('Patient', id)));
    await record.read('Patient', 'bob');
    expect(server.requests).toEqual(['/Patient?_id=ana,bob&_count=2']);
  });

  it('identical searches of a request are sent once', async () => {
    const record = open(['ana']);
    await Promise.all([1, 2, 3].map(() => record.list('Condition', { params: [] })));
    expect(server.requests).toHaveLength(1);
  });

  it('a resource that a search returned is not read again', async () => {
    const record = open(['ana']);
    await record.list('Condition', { params: [] });
    expect((await record.read('Condition', 'asthma')).id).toBe('asthma');
    await expect(record.read('Condition', 'bobs')).rejects.toMatchObject({ code: 'not_found' });
    expect(server.requests).toEqual(['/Condition?patient=Patient/ana&_count=1000', '/Condition/bobs']);
  });

  it('the lists of several patients are one search', async () => {
    const record = open();
    const search = { params: [] };
    const lists = await Promise.all(
      ['ana', 'bob', 'nobody'].map((id) =>
        record.related({ type: 'Condition', code: 'patient', target: 'Patient', id }, search),
      ),
    );
    expect(lists.map((list) => list.map(({ id }) => id))).toEqual([['asthma', 'flu'], ['bobs'], []]);
    expect(server.requests).toHaveLength(1);
  });

  it('the lists of several patients are one search also with a count', async () => {
    const record = open();
    const search = { params: [], count: 1, sort: '_id' };
    const lists = await Promise.all(
      ['ana', 'bob'].map((id) =>
        record.related({ type: 'Condition', code: 'patient', target: 'Patient', id }, search),
      ),
    );
    expect(lists.map((list) => list.map(({ id }) => id))).toEqual([['asthma'], ['bobs']]);
    expect(server.requests).toHaveLength(1);
  });
});

it('SM-5 a page of a cursor is judged without another request to the server', async () => {
  const lines = Array.from({ length: 120 }, (_, index) => ({
    resourceType: 'Observation',
    id: `${'o'.repeat(40)}${index}`,
    status: index % 2 ? 'final' : 'amended',
    subject: { reference: 'Patient/ana' },
  }));
  const tenant = await clinical.tenantOver(lines.map((line) => JSON.stringify(line)).join('\n'));
  const upstream = await startFhirServer(clinical.subgraph, tenant);
  const record = clinical.subgraph.open(
    tenantOf({ type: 'fhir', baseUrl: upstream.base }),
    accessOf('patient/Observation.rs?status=final', ['ana']),
  );
  const cursor = '/Observation?_count=120';
  const { resources } = await record.search('Observation', { params: [], cursor, count: 120 });
  await upstream.end();
  expect(resources).toHaveLength(60);
  expect(upstream.requests).toEqual([cursor]);
});

describe('records that cannot be read', () => {
  it('FG-10 waits only once for a server that does not answer', async () => {
    let asked = 0;
    const silent = createServer(() => asked++);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const baseUrl = `http://127.0.0.1:${(silent.address() as { port: number }).port}`;
    const impatient = clinicalSubgraph({
      dataDir: '/nonexistent',
      baseUrl: 'http://localhost',
      timeout: 200,
    });
    const record = impatient.open(tenantOf({ type: 'fhir', baseUrl }), accessOf(everything, ['ana']));
    await expect(record.read('Patient', 'ana')).rejects.toMatchObject({ code: 'unavailable' });
    await expect(record.list('Condition', { params: [] })).rejects.toMatchObject({ code: 'unavailable' });
    expect(asked).toBe(1);
    silent.closeAllConnections();
    silent.close();
  });

  const external = (type: string) => ({
    type,
    fhirBaseUrl: 'https://ehr.example/fhir',
    client: { client_id: 'us' },
  });
  it.each([
    ['no clinical source', tenantOf({ type: 'none' }), 'not_implemented', 501],
    [
      'SM-17 no token of the EHR',
      tenantOf({ type: 'fhir', baseUrl: 'https://ehr.example/fhir' }, external('smart-on-fhir-independent')),
      'unauthenticated',
      401,
    ],
    ['FG-10 no server', tenantOf({ type: 'fhir', baseUrl: 'http://127.0.0.1:9' }), 'unavailable', 503],
  ])('%s', async (_what, tenant, code, status) => {
    const record = clinical.subgraph.open(tenant, accessOf(everything, ['ana']));
    const details = { service: 'clinical' };
    await expect(record.read('Patient', 'ana')).rejects.toMatchObject({ code, status, details });
    await expect(record.list('Condition', { params: [] })).rejects.toMatchObject({ code, status, details });
  });
});
