/** $export of Bulk Data Access 3.0 over the small record: what is exported, and who gets it. */
import type { Resource } from 'fhir/r4.js';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Access } from '../../../schema/access/access.ts';
import { ASYNC, at, ExportFixture } from '../test/export-fixture.ts';
import { records } from '../test/records.ts';
import { accessOf } from '../test/servers.ts';

let fixture: ExportFixture;
beforeAll(async () => {
  fixture = await ExportFixture.start();
});
afterAll(() => fixture.end());
beforeEach(() => fixture.nextClient());

describe('what is exported', () => {
  it('each resource that searches by the same token find, what these refer to, and the images, each once', async () => {
    const { answer, manifest } = await fixture.exported();
    expect(answer.headers['content-type']).toContain('application/json');
    expect(answer.headers['expires']).toBe('Sun, 01 Nov 2026 01:00:00 GMT');
    expect(manifest).toMatchObject({
      transactionTime: '2026-11-01T00:00:00.000Z',
      request: 'http://localhost:4000/test/fhir/Patient/$export',
      requiresAccessToken: true,
      outputFormat: 'application/fhir+ndjson',
      error: [],
      outcome: [],
    });
    const searched: string[] = [];
    for (const type of new Set(records.map(({ resourceType }) => resourceType))) {
      const response = await fixture.app.inject(`/test/fhir/${type}`);
      if (type === 'ImagingStudy' || response.statusCode !== 200) continue;
      const { entry = [] } = response.json<{ entry?: { resource: Resource }[] }>();
      searched.push(...entry.map(({ resource }) => `${resource.resourceType}/${resource.id}`));
    }
    const joined = [
      'Practitioner/dr',
      'ImagingStudy/1.2.840.1',
      'ImagingStudy/1.2.840.9',
      'Endpoint/dicomweb',
    ];
    const all = await fixture.contents(manifest);
    expect(all).toEqual([...searched, 'Appointment/both', ...joined].toSorted());
    for (const { type, url, count } of manifest.output) {
      const lines = await fixture.linesOf(url);
      expect(lines).toHaveLength(count);
      expect(new Set(lines.map(({ resourceType }) => resourceType))).toEqual(new Set([type]));
    }
  });

  it('files are NDJSON that only the caller may keep, until they expire', async () => {
    const { manifest } = await fixture.exported('/Patient/$export?_type=Patient');
    const file = await fixture.app.inject(at(manifest.output[0]!.url));
    expect(file.headers).toMatchObject({
      'content-type': 'application/fhir+ndjson',
      'cache-control': 'no-store',
      'content-length': String(file.rawPayload.length),
      expires: 'Sun, 01 Nov 2026 01:00:00 GMT',
    });
    expect(file.body).toMatch(/^\{.*\}\n\{.*\}\n$/);
  });

  it.each<[path: string, scope: string, ids: string[]]>([
    [
      '/Patient/$export?_type=Condition',
      'system/*.rs',
      ['Condition/asthma', 'Condition/bobs', 'Condition/flu'],
    ],
    ['/Patient/$export', 'system/Condition.s', ['Condition/asthma', 'Condition/bobs', 'Condition/flu']],
    ['/Patient/$export', 'system/Observation.rs?category=laboratory', ['Observation/glucose']],
    ['/Patient/$export?_type=Patient&_since=2026-01-01', 'system/*.rs', ['Patient/ana', 'Patient/bob']],
    ['/Patient/$export?_type=Patient&_since=2026-02-02', 'system/*.rs', ['Patient/bob']],
    ['/Patient/$export?_type=Encounter,Endpoint', 'system/*.rs', ['Encounter/visit', 'Endpoint/dicomweb']],
    [
      '/Patient/$export?_type=Patient,Practitioner',
      'system/*.rs',
      ['Patient/ana', 'Patient/bob', 'Practitioner/dr'],
    ],
    ['/Group/mixed/$export?_type=Patient', 'system/*.rs', ['Patient/ana']],
    ['/Group/mixed/$export?_type=ImagingStudy', 'system/*.rs', ['ImagingStudy/1.2.840.1']],
    ['/Patient/$export?_type=Patient&_until=2026-02-01T09:00:00Z', 'system/*.rs', ['Patient/bob']],
    [
      '/Patient/$export?_type=Patient&_until=2026-02-01T10:00:00Z',
      'system/*.rs',
      ['Patient/ana', 'Patient/bob'],
    ],
    ['/Patient/$export?_type=Patient&_since=2026-02-02&_until=2026-02-03', 'system/*.rs', ['Patient/bob']],
  ])('%s with %s: %j', async (path, scope, ids) => {
    fixture.access = fixture.client(scope);
    expect(await fixture.contents((await fixture.exported(path)).manifest)).toEqual(ids);
  });

  it('all patients of a token that reaches all, and the members of a Group', async () => {
    fixture.access = fixture.client('system/*.rs', 'all');
    const patients = (await fixture.exported('/Patient/$export?_type=Patient,ImagingStudy')).manifest;
    expect(await fixture.contents(patients)).toEqual([
      'ImagingStudy/1.2.840.1',
      'ImagingStudy/1.2.840.9',
      'Patient/ana',
      'Patient/bob',
      'Patient/carl',
    ]);
    const members = (await fixture.exported('/Group/mixed/$export?_type=Patient')).manifest;
    expect(await fixture.contents(members)).toEqual(['Patient/ana', 'Patient/carl']);
    expect(members.error).toEqual([]);
  });

  it('a Parameters resource names patients', async () => {
    const parameter = [
      { name: '_type', valueString: 'Patient' },
      { name: '_type', valueString: 'Condition' },
      { name: '_typeFilter', valueString: 'Condition?clinical-status=active' },
      { name: '_typeFilter', valueString: 'Condition?_id=bobs' },
      { name: 'patient', valueReference: { reference: 'Patient/bob' } },
      { name: 'patient', valueReference: { reference: 'Patient/ana' } },
    ];
    const begun = await fixture.app.inject({
      method: 'POST',
      url: '/test/fhir/Patient/$export',
      headers: { ...ASYNC, 'content-type': 'application/fhir+json' },
      payload: JSON.stringify({ resourceType: 'Parameters', parameter }),
    });
    const { manifest } = await fixture.ended(at(String(begun.headers['content-location'])));
    expect(await fixture.contents(manifest)).toEqual([
      'Condition/asthma',
      'Condition/bobs',
      'Patient/ana',
      'Patient/bob',
    ]);
  });

  it('IA-8 the file of errors of a Group is the same, whether or not it has members out of the policy', async () => {
    const errors = async (group: string) => {
      const { manifest } = await fixture.exported(`/Group/${group}/$export?_type=Patient`);
      return fixture.linesOf(manifest.error[0]!.url);
    };
    expect(await errors('mixed')).toEqual(await errors('group'));
    expect(JSON.stringify(await errors('mixed'))).not.toContain('carl');
  });

  it('lenient: what is left out is in the file of errors', async () => {
    fixture.access = fixture.client('system/Condition.rs');
    const path = '/Patient/$export?_type=Condition,Observation,Group&organizeOutputBy=Patient&_elements=odd';
    const { manifest } = await fixture.exported(path, { prefer: 'respond-async, handling=lenient' });
    expect(await fixture.contents(manifest)).toEqual(['Condition/asthma', 'Condition/bobs', 'Condition/flu']);
    const errors = JSON.stringify(await fixture.linesOf(manifest.error[0]!.url));
    expect(errors).toMatch(/organizeOutputBy.*system\/Observation\.rs.*_type takes.*_elements takes.*"odd/s);
    expect(manifest.outcome).toEqual(manifest.error);
    const [{ meta } = {}] = await fixture.linesOf(manifest.output[0]!.url);
    expect(meta?.tag).toBeUndefined();
  });

  it('IA-30 leaves one record with the number of patients', async () => {
    await fixture.exported('/Patient/$export?_type=Condition');
    expect(fixture.audited).toEqual([
      {
        action: 'search',
        type: 'Patient',
        query: 'Patient/$export?_type',
        patients: 2,
        outcome: { kind: 'allowed' },
      },
    ]);
  });
});

describe('who may export', () => {
  const refusals: [path: string, by: () => Access, headers: Record<string, string>, status: number][] = [
    ['/Patient/$export', () => fixture.client('system/*.rs'), {}, 400],
    ['/Patient/$export', () => fixture.client('patient/*.rs', ['ana']), ASYNC, 403],
    ['/Patient/$export', () => fixture.client('user/*.rs', ['ana']), ASYNC, 403],
    ['/Patient/$export', () => fixture.client('system/*.rs', []), ASYNC, 403],
    ['/Patient/$export', () => accessOf('system/*.rs', ['ana']), ASYNC, 403],
    ['/Patient/$export', () => fixture.client('system/Group.rs'), ASYNC, 403],
    ['/Patient/$export?_type=Observation', () => fixture.client('system/Condition.rs'), ASYNC, 403],
    ['/Patient/$export?_type=Group', () => fixture.client('system/*.rs'), ASYNC, 400],
    ['/Patient/$export?_type=Practitioner', () => fixture.client('system/*.rs'), ASYNC, 400],
    ['/Patient/$export?_outputFormat=text/csv', () => fixture.client('system/*.rs'), ASYNC, 400],
    ['/Patient/$export?_since=soon', () => fixture.client('system/*.rs'), ASYNC, 400],
    ['/Patient/$export?patient=Patient/carl', () => fixture.client('system/*.rs'), ASYNC, 403],
    ['/Group/mixed/$export?patient=Patient/bob', () => fixture.client('system/*.rs'), ASYNC, 403],
    ['/Group/others/$export', () => fixture.client('system/*.rs'), ASYNC, 404],
    ['/Group/left/$export', () => fixture.client('system/*.rs'), ASYNC, 404],
    ['/Group/none/$export', () => fixture.client('system/*.rs'), ASYNC, 404],
    ['/Group/mixed/$export', () => fixture.client('system/Patient.rs'), ASYNC, 403],
  ];
  it.each(refusals)('%s: refused', async (path, by, headers, status) => {
    fixture.access = by();
    const response = await fixture.kickOff(path, headers);
    expect(response.statusCode, response.body).toBe(status);
    expect(response.json()).toMatchObject({ resourceType: 'OperationOutcome' });
  });

  it('HEAD begins none', async () => {
    const headers = { prefer: 'respond-async' };
    const response = await fixture.app.inject({ method: 'HEAD', url: '/test/fhir/Patient/$export', headers });
    expect([response.statusCode, response.headers['content-location']]).toEqual([403, undefined]);
  });

  it('IA-7 a Group without a member in reach answers like one that does not exist', async () => {
    expect((await fixture.kickOff('/Group/others/$export')).body).toBe(
      (await fixture.kickOff('/Group/none/$export')).body,
    );
  });

  it.each<[by: string, other: () => Access, status: number]>([
    ['the same client', () => fixture.client('system/*.rs'), 200],
    ['with more patients', () => fixture.client('system/*.rs', ['ana', 'bob', 'carl']), 200],
    ['another client', () => fixture.client('system/*.rs', 'all', 'other'), 404],
    ['no client', () => accessOf('system/*.rs', 'all'), 403],
    ['another tenant', () => ({ ...fixture.client('system/*.rs'), tenant: 'other' }), 404],
    ['with fewer patients', () => fixture.client('system/*.rs', ['ana']), 404],
    ['with fewer scopes', () => fixture.client('system/Observation.rs'), 404],
    ['with a narrower scope', () => fixture.client('system/Condition.rs?code=x'), 404],
    [
      'with some studies',
      () => ({ ...fixture.client('system/*.rs'), patients: [{ id: 'ana', studies: ['1'] }, { id: 'bob' }] }),
      404,
    ],
  ])('IA-7 status, file and removal by %s', async (_, other, status) => {
    const { status: path, manifest } = await fixture.exported('/Patient/$export?_type=Condition');
    fixture.access = other();
    expect((await fixture.app.inject(path)).statusCode).toBe(status);
    expect((await fixture.app.inject(at(manifest.output[0]!.url))).statusCode).toBe(status);
    const removal = await fixture.app.inject({ method: 'DELETE', url: path });
    expect(removal.statusCode).toBe(status === 200 ? 202 : status);
  });

  it.each([
    '%2e%2e%2f%2e%2e%2fexport.json',
    '..%2fexport.json',
    'export.json',
    'Patient.ndjson%00',
    'Observation.ndjson',
    '__proto__',
  ])('IA-7 a file named %s: 404', async (name) => {
    const { status } = await fixture.exported('/Patient/$export?_type=Patient');
    const job = status.split('/').at(-1)!;
    for (const id of [job, '..', '%2e%2e', '0'.repeat(32), `${job}%2f..`]) {
      const { statusCode, body } = await fixture.app.inject(`/test/fhir/$export-file/${id}/${name}`);
      expect([statusCode, body.includes('owner')]).toEqual([404, false]);
    }
  });
});
