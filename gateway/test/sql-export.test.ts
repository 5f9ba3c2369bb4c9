/** Exports of SQL through the whole gateway: their files, whose they are, what is refused. */
import { parquetReadObjects } from 'hyparquet';
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { isSplit } from './split-arrangement.ts';
import { GEORGE, HELEN, refusalOf, rowsOf, SAMIR, startSqlGateway, type SqlGateway } from './sql-gateway.ts';

let started: SqlGateway;
beforeAll(async () => {
  started = await startSqlGateway();
}, 60_000);
afterAll(() => started?.gateway.close());

const tokenOf = (...asked: Parameters<SqlGateway['tokenOf']>) => started.tokenOf(...asked);
const ask = (...asked: Parameters<SqlGateway['ask']>) => started.ask(...asked);
const sql = (...asked: Parameters<SqlGateway['sql']>) => started.sql(...asked);

describe.skipIf(isSplit)('$sql-export', () => {
  const subject = (name: string, more: object) => ({
    name: 'subject',
    part: [
      { name: 'name', valueString: name },
      { name: 'subjectReference', valueReference: more },
    ],
  });
  const begin = async (token: string, parameter: readonly object[], prefer = 'respond-async') =>
    ask('$sql-export', token, {
      method: 'POST',
      headers: { 'content-type': 'application/fhir+json', prefer },
      body: JSON.stringify({ resourceType: 'Parameters', parameter }),
    });
  const patients = subject('people', { reference: 'ViewDefinition/patient' });
  const studies = subject('studies', { reference: 'ViewDefinition/imaging_study' });
  interface Part {
    name: string;
    valueUri?: string;
    valueString?: string;
    part?: Part[];
  }
  const finished = async (begun: Response, token: string) => {
    expect(begun.status).toBe(202);
    const status = begun.headers.get('content-location')!;
    const end = await vi.waitUntil(
      async () => {
        const answer = await ask(status, token);
        if (answer.status === 202) expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
        return answer.status === 202 ? undefined : answer;
      },
      { timeout: 30_000, interval: 200 },
    );
    expect([end.status, await end.text()]).toEqual([303, '']);
    return { status, result: end.headers.get('location')! };
  };

  test('writes files of several subjects, for this client alone', { timeout: 60_000 }, async () => {
    const token = await tokenOf('analyst');
    await rowsOf(await sql('SELECT 1 AS one', token));
    started.audited.length = 0;
    const tracking = { name: 'clientTrackingId', valueString: 'mine' };
    const format = { name: '_format', valueCode: 'csv' };
    const begun = await begin(token, [patients, studies, tracking, format]);
    const { status, result } = await finished(begun, token);
    const manifest = await ask(result, token);
    const { parameter } = (await manifest.json()) as { parameter: Part[] };
    expect(parameter.map(({ name }) => name)).toEqual(
      'exportId clientTrackingId status _format exportStartTime exportEndTime exportDuration output output'.split(
        ' ',
      ),
    );
    const kept = Date.parse(manifest.headers.get('expires')!) - Date.now();
    expect(kept).toBeGreaterThan(23.9 * 3_600_000);
    const [first] = parameter.filter(({ name }) => name === 'output');
    const [name, location] = first!.part!;
    expect(name).toEqual({ name: 'name', valueString: 'people' });
    const file = await ask(location!.valueUri!, token);
    expect([file.status, file.headers.get('content-type')]).toEqual([200, 'text/csv; charset=utf-8']);
    expect((await file.text()).trim().split(/\r?\n/)).toHaveLength(4);
    const rival = await tokenOf('rival');
    for (const url of [status, result, location!.valueUri!]) expect((await ask(url, rival)).status).toBe(404);
    // A job of another kind has other addresses.
    expect((await ask(status.replace('$sql-export-status', '$export-status'), token)).status).toBe(404);
    expect(started.audited.filter(({ action, tables }) => action === 'search' && tables)).toMatchObject([
      { tables: ['imaging_study', 'patient'], patients: 3, outcome: { kind: 'allowed' } },
    ]);
    expect((await ask(status, token, { method: 'DELETE' })).status).toBe(202);
    expect((await ask(status, token)).status).toBe(404);
  });

  test('files of a view of the request need the scopes that it needed', { timeout: 60_000 }, async () => {
    const token = await tokenOf('analyst');
    await rowsOf(await sql('SELECT 1 AS one', token));
    const view = {
      resourceType: 'ViewDefinition',
      resource: 'Observation',
      select: [{ column: [{ name: 'id', path: 'id' }] }],
    };
    const part = [{ name: 'subjectResource', resource: view }];
    const { status, result } = await finished(await begin(token, [{ name: 'subject', part }]), token);
    const { parameter } = (await (await ask(result, token)).json()) as { parameter: Part[] };
    const file = parameter.find(({ name }) => name === 'output')!.part![1]!.valueUri!;
    const others = await tokenOf('analyst', 'system/Patient.rs');
    const own = await tokenOf('analyst', 'system/Observation.rs');
    for (const url of [status, result, file]) {
      expect((await ask(url, others)).status).toBe(404);
      expect((await ask(url, own, { redirect: 'manual' })).status).toBe(url === status ? 303 : 200);
    }
  });

  test('writes Parquet in Hive folders, with a manifest', { timeout: 60_000 }, async () => {
    const token = await tokenOf('analyst');
    await rowsOf(await sql('SELECT 1 AS one', token));
    const parts = [
      { name: '_format', valueCode: 'parquet' },
      { name: 'partition', valueBoolean: true },
    ];
    const { result } = await finished(await begin(token, [patients, ...parts]), token);
    const { parameter } = (await (await ask(result, token)).json()) as { parameter: Part[] };
    const [location] = parameter.find(({ name }) => name === 'output')!.part!.slice(1);
    expect(location!.valueUri).toMatch(/\/patient\/bucket=00\/part-0\.parquet$/);
    const bytes = await (await ask(location!.valueUri!, token)).arrayBuffer();
    const people = await parquetReadObjects({ file: bytes });
    expect(people.map(({ id }) => id).toSorted()).toEqual([HELEN, GEORGE, SAMIR].toSorted());
    const described = parameter.find(({ name }) => name === 'manifest')!.valueUri!;
    const { time, tables } = (await (await ask(described, token)).json()) as {
      time: string;
      tables: { name: string; rows: number; bytes: number; files: object[]; schema: object[] }[];
    };
    expect(Date.parse(time)).not.toBeNaN();
    const sha256 = createHash('sha256').update(new Uint8Array(bytes)).digest('hex');
    const path = 'patient/bucket=00/part-0.parquet';
    expect(tables).toMatchObject([
      {
        name: 'patient',
        rows: 3,
        bytes: bytes.byteLength,
        files: [{ path, rows: 3, bytes: bytes.byteLength, sha256 }],
        viewDefinition: { resourceType: 'ViewDefinition', name: 'patient' },
      },
    ]);
    expect(tables[0]!.schema[0]).toEqual({ name: 'id', type: 'VARCHAR' });
  });

  test.each([
    ['no Prefer', [patients], 400, 'return=minimal'],
    ['no subject', [], 400],
    ['one name twice', [patients, subject('people', { reference: 'ViewDefinition/condition' })], 400],
    ['an unknown subject', [subject('x', { reference: 'ViewDefinition/nothing' })], 404],
    ['_limit', [patients, { name: '_limit', valueInteger: 3 }], 400],
    ['_since', [patients, { name: '_since', valueInstant: '2020-01-01T00:00:00Z' }], 400],
    ['_format=fhir', [patients, { name: '_format', valueCode: 'fhir' }], 400],
    ['folders of CSV', [patients, { name: 'partition', valueBoolean: true }], 400],
    [
      'wrong SQL',
      [
        {
          name: 'subject',
          part: [
            {
              name: 'subjectResource',
              resource: {
                resourceType: 'Library',
                content: [{ contentType: 'application/sql', data: btoa('SELECT nothing FROM patient') }],
              },
            },
          ],
        },
      ],
      422,
    ],
  ] as [string, object[], number, string?][])(
    '%s is refused at once',
    { timeout: 60_000 },
    async (...row) => {
      const [, parameter, status, prefer] = row;
      const token = await tokenOf('analyst');
      await rowsOf(await sql('SELECT 1 AS one', token));
      expect((await refusalOf(await begin(token, parameter, prefer)))[0]).toBe(status);
    },
  );
});
