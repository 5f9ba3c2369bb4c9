/** SQL over record and images through the whole gateway: rights, discovery, what is recorded. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { balpAuditEvent } from '../audit/audit-event.ts';
import { isSplit } from './split-arrangement.ts';
import {
  DICOM,
  GEORGE,
  HELEN,
  QUESTION,
  refusalOf,
  rowsOf,
  startSqlGateway,
  type SqlGateway,
} from './sql-gateway.ts';

type Attributes = Record<string, { Value?: unknown[] } | undefined>;

let started: SqlGateway;
beforeAll(async () => {
  started = await startSqlGateway();
}, 60_000);
afterAll(() => started?.gateway.close());

const tokenOf = (...asked: Parameters<SqlGateway['tokenOf']>) => started.tokenOf(...asked);
const ask = (...asked: Parameters<SqlGateway['ask']>) => started.ask(...asked);
const sql = (...asked: Parameters<SqlGateway['sql']>) => started.sql(...asked);

test.runIf(isSplit)('three processes say that they have no SQL', async () => {
  const [status, text] = await refusalOf(await sql('SELECT 1', await tokenOf('analyst')));
  expect([status, text]).toEqual([501, expect.stringContaining('not by three')]);
});

describe.skipIf(isSplit)('$sql-run', () => {
  test('answers the question over record and images', { timeout: 60_000 }, async () => {
    started.audited.length = 0;
    const answer = await sql(QUESTION, await tokenOf('analyst'), '?code=44054006');
    const found = await rowsOf(answer);
    expect(Date.parse(answer.headers.get('last-modified')!)).toBeGreaterThan(Date.now() - 120_000);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    const studies = await ask(`ImagingStudy?patient=${HELEN}&modality=CT`, await tokenOf('analyst'));
    const { entry } = (await studies.json()) as { entry: { resource: { id: string } }[] };
    expect(found.map(({ id }) => id).toSorted()).toEqual(entry.map(({ resource }) => resource.id).toSorted());
    expect(new Set(found.map(({ last }) => last))).toEqual(new Set([6.9]));
    const event = started.audited.findLast(({ query }) => query === QUESTION)!;
    expect(event).toMatchObject({
      action: 'search',
      tables: ['condition', 'imaging_study', 'observation', 'patient'],
      rows: found.length,
      patients: 3,
      client: 'analyst',
      outcome: { kind: 'allowed' },
    });
    const { entity } = balpAuditEvent(event, 'https://example.org');
    expect(entity!.at(-1)).toMatchObject({
      query: Buffer.from(QUESTION).toString('base64'),
      detail: expect.arrayContaining([
        { type: 'tables', valueString: 'condition, imaging_study, observation, patient' },
        { type: 'rows', valueString: String(found.length) },
      ]),
    });
  });

  test('finds exactly what searches by the same token find', { timeout: 60_000 }, async () => {
    const token = await tokenOf('narrow');
    for (const [table, type] of [
      ['patient', 'Patient'],
      ['observation', 'Observation'],
      ['condition', 'Condition'],
      ['imaging_study', 'ImagingStudy'],
    ] as const) {
      const answer = await ask(`${type}?_count=1000`, token);
      const { entry = [] } = (await answer.json()) as {
        entry?: { resource: { id: string }; search: { mode: string } }[];
      };
      const ids = entry.filter(({ search }) => search.mode === 'match').map(({ resource }) => resource.id);
      const found = await rowsOf(await sql(`SELECT DISTINCT id FROM ${table}`, token));
      expect([table, found.map(({ id }) => id).toSorted()]).toEqual([table, ids.toSorted()]);
    }
  });

  test(
    'a ViewDefinition of the request gives what searches find, also of images',
    { timeout: 60_000 },
    async () => {
      const token = await tokenOf('narrow');
      for (const type of ['Observation', 'ImagingStudy']) {
        const view = {
          resourceType: 'ViewDefinition',
          resource: type,
          select: [{ column: [{ name: 'id', path: 'getResourceKey()', type: 'id' }] }],
        };
        const body = JSON.stringify({
          resourceType: 'Parameters',
          parameter: [{ name: 'subjectResource', resource: view }],
        });
        const headers = { 'content-type': 'application/fhir+json' };
        const found = await rowsOf(await ask('$sql-run', token, { method: 'POST', headers, body }));
        const table = type === 'Observation' ? 'observation' : 'imaging_study';
        const ids = await rowsOf(await sql(`SELECT DISTINCT id FROM ${table}`, token));
        expect(new Set(found.map(({ id }) => id))).toEqual(new Set(ids.map(({ id }) => id)));
        expect(found.length).toBeGreaterThan(0);
      }
    },
  );

  test('a table without scope is 403', { timeout: 60_000 }, async () => {
    const token = await tokenOf('analyst', 'system/Patient.rs');
    const answer = await sql('SELECT * FROM imaging_study', token);
    expect(answer.headers.get('www-authenticate')).toContain('scope="system/ImagingStudy.rs"');
    expect((await refusalOf(answer))[0]).toBe(403);
  });

  test('needs a token', async () => {
    const answer = await ask('$sql-run?subjectReference=ViewDefinition/patient', 'none');
    expect(answer.status).toBe(401);
  });
});

describe('discovery', () => {
  test('the CapabilityStatement names our own definitions', async () => {
    const statement = (await (await fetch(`${started.gateway.baseUrl}/clinic/fhir/metadata`)).json()) as {
      rest: { operation: { name: string; definition: string }[]; resource: { type: string }[] }[];
    };
    const [{ operation, resource }] = statement.rest as [(typeof statement.rest)[number]];
    const ours = operation.filter(({ name }) => name.startsWith('sql-'));
    expect(ours.map(({ name }) => name)).toEqual(['sql-run', 'sql-export']);
    expect(resource.filter(({ type }) => type === 'Library')).toHaveLength(1);
    for (const { name, definition } of ours) {
      const found = (await (await fetch(definition)).json()) as { code: string; base: string; url: string };
      expect(found).toMatchObject({ code: name, url: definition });
      expect(found.base).toMatch(
        /^http:\/\/hl7\.org\/fhir\/uv\/sql-on-fhir\/OperationDefinition\/SQL(Run|Export)$/,
      );
    }
  });

  test('the tables are listed for any token', async () => {
    const answer = await ask('ViewDefinition', await tokenOf('narrow', 'system/Patient.r'));
    expect(await answer.json()).toMatchObject({ resourceType: 'Bundle', total: 14 });
  });

  test(
    'by a token that reaches all, it is about the patients who are named',
    { timeout: 60_000 },
    async () => {
      const unbound = `${started.gateway.baseUrl}/unbound/fhir`;
      for (const patient of [HELEN, GEORGE]) {
        const found = await rowsOf(
          await sql('SELECT id FROM imaging_study', '', `?patient=${patient}`, `${unbound}/$sql-run`),
        );
        const studies = await ask(`${unbound}/ImagingStudy?patient=${patient}`, '');
        const { entry } = (await studies.json()) as { entry: { resource: { id: string } }[] };
        expect(found.map(({ id }) => id).toSorted()).toEqual(
          entry.map(({ resource }) => resource.id).toSorted(),
        );
      }
    },
  );

  test(
    'attributes of objects are those of their metadata, of a folder and of an archive',
    { timeout: 60_000 },
    async () => {
      const studies = await fetch(`${started.gateway.baseUrl}/off/dicomweb/studies?PatientID=*`);
      const [{ '0020000D': uid }] = (await studies.json()) as [Attributes];
      const study = uid!.Value![0] as string;
      const metadata = await fetch(`${started.gateway.baseUrl}/off/dicomweb/studies/${study}/metadata`);
      const expected = ((await metadata.json()) as Attributes[]).map((object) => ({
        id: object['00080018']!.Value![0],
        SliceThickness: object['00180050']?.Value?.[0] ?? null,
        PixelSpacing: object['00280030']?.Value ?? null,
        StudyDate: String(object['00080020']!.Value![0]).replace(/(....)(..)(..)/, '$1-$2-$3'),
        Manufacturer: object['00080070']?.Value?.[0] ?? null,
        BitsAllocated: object['00280100']?.Value?.[0] ?? null,
      }));
      expect(expected[0]).toMatchObject({
        SliceThickness: expect.any(Number),
        PixelSpacing: [expect.any(Number), expect.any(Number)],
      });
      const question = `SELECT id, ${DICOM.join(', ')} FROM imaging_instance WHERE study_id = '${study}'`;
      const byId = (one: { id?: unknown }, other: { id?: unknown }) =>
        String(one.id) < String(other.id) ? -1 : 1;
      for (const tenant of ['unbound', 'archive']) {
        const answer = await sql(question, '', '', `${started.gateway.baseUrl}/${tenant}/fhir/$sql-run`);
        expect([tenant, (await rowsOf(answer)).toSorted(byId)]).toEqual([tenant, expected.toSorted(byId)]);
      }
      const view = await ask(`${started.gateway.baseUrl}/unbound/fhir/ViewDefinition/imaging-instance`, '');
      const { select } = (await view.json()) as { select: [{ column: { name: string; type: string }[] }] };
      expect(select[0].column.find(({ name }) => name === 'PixelSpacing')).toMatchObject({
        type: 'decimal',
        collection: true,
      });
    },
  );

  test('a tenant without tables has nothing at these paths', async () => {
    for (const path of ['$sql-run', '$sql-export-status/1', 'OperationDefinition/sql-run'])
      expect([path, (await fetch(`${started.gateway.baseUrl}/off/fhir/${path}`)).status]).toEqual([
        path,
        404,
      ]);
    const statement = await (await fetch(`${started.gateway.baseUrl}/off/fhir/metadata`)).text();
    expect(statement).not.toContain('sql-run');
  });
});
