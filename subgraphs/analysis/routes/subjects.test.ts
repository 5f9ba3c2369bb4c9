import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { accessOf, asking, said, startSqlApp, type SqlApp } from '../test/sql-app.ts';

let sql: SqlApp;
const question = `/* @name: TallyOfPatients
@title: Patients by sex
@status: active */
-- @param: sex string
SELECT count(*) AS n FROM patient WHERE gender = :sex`;
beforeAll(async () => {
  sql = await startSqlApp({ questions: { 'tally.sql': question } });
});
afterEach(() => {
  sql.access = accessOf('system/*.rs');
  sql.audited.length = 0;
  sql.reached.length = 0;
  sql.found = {};
  expect(sql.taken()).toBe(0);
});
afterAll(() => sql.close());

type Entry = Record<string, unknown>;
const { post, run, get } = asking(() => sql);
const canonical = (path: string) => ({
  name: 'subjectCanonical',
  valueCanonical: `http://localhost/t/fhir/${path}`,
});
const inline = (resource: object) => ({ name: 'subjectResource', resource });
const values = (...parameter: Entry[]) => ({
  name: 'parameters',
  resource: { resourceType: 'Parameters', parameter },
});
const VIEW = {
  resourceType: 'ViewDefinition',
  url: 'http://example.org/names',
  resource: 'Patient',
  select: [
    {
      column: [
        { name: 'id', path: 'getResourceKey()', type: 'id' },
        { name: 'born', path: 'birthDate', type: 'date' },
      ],
    },
  ],
};
const library = (text: string, more: object = {}) => ({
  resourceType: 'Library',
  status: 'active',
  content: [{ contentType: 'application/sql', data: Buffer.from(text).toString('base64') }],
  ...more,
});
const dependsOn = (label: string, resource: string) => ({ type: 'depends-on', resource, label });

describe('a subject', () => {
  test.each([
    ['by canonical URL', () => run(canonical('ViewDefinition/patient'))],
    [
      'by reference',
      () => run({ name: 'subjectReference', valueReference: { reference: 'ViewDefinition/patient' } }),
    ],
    ['by address', () => get('$sql-run?subjectReference=http://localhost/t/fhir/ViewDefinition/patient')],
    ['by GET', () => get('$sql-run?subjectCanonical=http://localhost/t/fhir/ViewDefinition/patient')],
  ])('%s', async (_how, ask) => {
    const answer = await ask();
    expect([answer.statusCode, answer.body.split('\n')[0]]).toEqual([
      200,
      '{"id":"p1","patient_id":"p1","gender":"female","birth_date":"1970-01-02"}',
    ]);
  });

  test('a published question takes values of its types', async () => {
    const sex = (value: Entry) =>
      run(canonical('Library/TallyOfPatients'), values({ name: 'sex', ...value }));
    expect((await sex({ valueString: 'male' })).body).toBe('{"n":1}\n');
    expect((await sex({ valueInteger: 3 })).statusCode).toBe(400);
    expect((await run(canonical('Library/TallyOfPatients'))).statusCode).toBe(400);
    const other = values({ name: 'sex', valueString: 'male' }, { name: 'age', valueInteger: 3 });
    expect((await run(canonical('Library/TallyOfPatients'), other)).statusCode).toBe(400);
  });

  test('a Library of the request, with labels for tables', async () => {
    const base = 'http://localhost/t/fhir/ViewDefinition';
    const relatedArtifact = [dependsOn('p', `${base}/patient`), dependsOn('patient', `${base}/observation`)];
    const asked = library(
      'SELECT p.id, patient.value FROM p JOIN patient ON patient.patient_id = p.id WHERE value > 100;',
      { relatedArtifact },
    );
    const answer = await run(inline(asked));
    expect([answer.statusCode, answer.body]).toEqual([200, '{"id":"p2","value":120}\n']);
    expect(sql.audited).toMatchObject([{ tables: ['observation', 'patient'] }]);
    // The labels are of this question alone.
    expect((await post('SELECT * FROM p')).statusCode).toBe(422);
    expect((await post('SELECT gender FROM patient LIMIT 1')).statusCode).toBe(200);
    sql.access = accessOf('system/Patient.rs');
    expect((await run(inline(asked))).statusCode).toBe(403);
  });

  test('a ViewDefinition of the request, over searches', async () => {
    sql.found = { Patient: [{ resourceType: 'Patient', id: 'x', birthDate: '1980-02-03' }] };
    const answer = await run(inline(VIEW), { name: '_format', valueCode: 'csv' });
    expect([answer.statusCode, answer.body.trim().split(/\r?\n/)]).toEqual([
      200,
      ['id,born', 'x,1980-02-03'],
    ]);
    expect(answer.headers['last-modified']).toBe('Tue, 01 Dec 2026 00:00:00 GMT');
    expect(sql.audited).toMatchObject([{ tables: ['Patient'], rows: 1 }]);
    expect(sql.reached).toEqual([]);
  });

  test('a ViewDefinition of the request has no rows of nobody', async () => {
    sql.found = { Patient: [{ resourceType: 'Patient', id: 'x' }] };
    const nobody = ['Patient/p1', 'Group/g'].map((reference) => {
      const [type] = reference.split('/');
      return { name: type!.toLowerCase(), valueReference: { reference } };
    });
    const answer = await run(inline(VIEW), ...nobody);
    expect([answer.statusCode, answer.body]).toEqual([200, '']);
    sql.access = accessOf('system/Observation.rs');
    expect((await run(inline(VIEW), ...nobody)).statusCode).toBe(403);
  });

  test('a question whose table is in context, beside one of the tenant', async () => {
    sql.found = { Patient: [{ resourceType: 'Patient', id: 'p1', birthDate: '1980-02-03' }] };
    const view = library('SELECT id, born FROM q WHERE born IS NOT NULL', {
      url: 'http://example.org/born',
      relatedArtifact: [dependsOn('q', 'http://example.org/names|2')],
    });
    const relatedArtifact = [
      dependsOn('b', 'http://example.org/born'),
      dependsOn('o', 'http://localhost/t/fhir/ViewDefinition/observation'),
    ];
    const asked = library(
      'SELECT b.born, max(o.value) AS value FROM b JOIN o ON o.patient_id = b.id GROUP BY 1',
      { relatedArtifact },
    );
    const context = (resource: object) => ({ name: 'context', resource });
    const answer = await run(inline(asked), context(view), context({ ...VIEW, version: '2' }));
    expect([answer.statusCode, answer.body]).toEqual([200, '{"born":"1980-02-03","value":9.89}\n']);
    expect(sql.audited).toMatchObject([{ tables: ['Patient', 'observation'] }]);
    const codes = await Promise.all([
      run(inline(asked), context(view)),
      run(inline(asked), context(view), context({ ...VIEW, version: '1' })),
      run(inline(asked), context(view), context({ ...VIEW, url: undefined })),
      run(
        inline(asked),
        context(view),
        context({ ...VIEW, version: '2' }),
        context({ ...VIEW, url: 'http://x' }),
      ),
    ]);
    expect(codes.map(({ statusCode }) => statusCode)).toEqual([404, 404, 400, 400]);
  });

  test('a view with a mistake is named, and has no parameters', async () => {
    const asked = (text: string) =>
      run(inline(library('SELECT * FROM v', { relatedArtifact: [dependsOn('v', 'http://a')] })), {
        name: 'context',
        resource: library(text, { url: 'http://a' }),
      });
    for (const [text, sentence] of [
      ['SELECT :x AS x', 'View "v": It has parameters; only the question may have them.'],
      ['SELECT 1\nFROM nothing', 'View "v": Line 2: there is no table "nothing" for you.'],
      ['SELECT weight AS x FROM (SELECT 1 AS y)', expect.stringMatching(/^View "v": .*weight/)],
    ]) {
      const answer = await asked(text as string);
      expect([answer.statusCode, said(answer)]).toEqual([422, sentence]);
    }
    // With the statement they have the size of one.
    expect((await asked(`SELECT '${'x'.repeat(66_000)}' AS x`)).statusCode).toBe(413);
    expect((await asked('SELECT 1 AS x')).body).toBe('{"x":1}\n');
  });

  test('of more than 50,000 resources is 422', async () => {
    const patient = { resourceType: 'Patient', id: 'x' };
    sql.found = { Patient: Array.from({ length: 50_001 }, () => patient) };
    expect((await run(inline(VIEW))).statusCode).toBe(422);
  });

  test.each([
    ['none', 400, () => run()],
    ['two', 400, () => run(canonical('ViewDefinition/patient'), inline(VIEW))],
    ['one twice', 400, () => run(canonical('Library/x'), canonical('Library/x'))],
    ['unknown', 404, () => run(canonical('ViewDefinition/nothing'))],
    ['unknown reference', 404, () => get('$sql-run?subjectReference=Library/nothing')],
    ['of a wrong type', 400, () => run({ name: 'subjectCanonical', valueInteger: 3 })],
    ['no resource', 400, () => run({ name: 'subjectResource', valueString: '{}' })],
    ['another kind of resource', 422, () => run(inline({ resourceType: 'Patient' }))],
    [
      'a wrong view',
      422,
      () => run(inline({ ...VIEW, select: [{ column: [{ name: 'x', path: 'birthDate.' }] }] })),
    ],
    ['a view without columns', 422, () => run(inline({ ...VIEW, select: [{ column: [] }] }))],
    [
      'a view that leads on without end',
      422,
      () => {
        sql.found = { Patient: [{ resourceType: 'Patient', id: 'x' }] };
        return run(inline({ ...VIEW, select: [{ repeat: ['$this'], column: [{ name: 'x', path: 'id' }] }] }));
      },
    ],
    [
      'a view with very many parts',
      422,
      () => {
        sql.found = { Patient: [{ resourceType: 'Patient', id: 'x' }] };
        const parts = Array.from({ length: 15_000 }, () => ({ forEach: 'id', select: [] }));
        return run(inline({ ...VIEW, select: [...VIEW.select, ...parts] }));
      },
    ],
    [
      'a view that is nested too deeply',
      400,
      () => {
        const open = '{"select":['.repeat(20_000);
        const select = `${open}{"column":[]}${']}'.repeat(20_000)}`;
        const view = JSON.stringify({ ...VIEW, select: ['here'] }).replace('"here"', select);
        return sql.app.inject({
          method: 'POST',
          url: '/t/fhir/$sql-run',
          headers: { 'content-type': 'application/fhir+json' },
          payload: `{"resourceType":"Parameters","parameter":[{"name":"subjectResource","resource":${view}}]}`,
        });
      },
    ],
    ['a Library without SQL', 422, () => run(inline({ ...library(''), content: [] }))],
    [
      'parameters of a view',
      400,
      () => run(canonical('ViewDefinition/patient'), values({ name: 'x', valueString: 'y' })),
    ],
    [
      'context of a view',
      400,
      () => run(canonical('ViewDefinition/patient'), { name: 'context', resource: VIEW }),
    ],
    ['resource', 400, () => run(inline(VIEW), { name: 'resource', resource: { resourceType: 'Patient' } })],
    ['an unknown parameter', 400, () => run(inline(VIEW), { name: 'colour', valueString: 'red' })],
    ['a resource by GET', 400, () => get('$sql-run?subjectResource=%7B%7D')],
    [
      'a circle',
      422,
      () => {
        const one = library('SELECT * FROM b', {
          url: 'http://a',
          relatedArtifact: [dependsOn('b', 'http://b')],
        });
        const two = library('SELECT * FROM a', {
          url: 'http://b',
          relatedArtifact: [dependsOn('a', 'http://a')],
        });
        return run(
          inline(library('SELECT * FROM a', { relatedArtifact: [dependsOn('a', 'http://a')] })),
          { name: 'context', resource: one },
          { name: 'context', resource: two },
        );
      },
    ],
    [
      'one label for two tables',
      400,
      () => {
        const base = 'http://localhost/t/fhir/ViewDefinition';
        const view = library('SELECT 1 AS one FROM a', {
          url: 'http://a',
          relatedArtifact: [dependsOn('t', `${base}/patient`)],
        });
        const relatedArtifact = [dependsOn('t', `${base}/observation`), dependsOn('v', 'http://a')];
        return run(inline(library('SELECT 1 AS one FROM v', { relatedArtifact })), {
          name: 'context',
          resource: view,
        });
      },
    ],
    [
      'a view that reads what it may not',
      422,
      () => {
        const view = library("SELECT * FROM read_text('/etc/passwd')", { url: 'http://a' });
        return run(inline(library('SELECT * FROM v', { relatedArtifact: [dependsOn('v', 'http://a')] })), {
          name: 'context',
          resource: view,
        });
      },
    ],
  ])('%s → %i', async (_what, status, ask) => {
    const answer = await ask();
    expect([answer.statusCode, said(answer)]).toEqual([status, expect.any(String)]);
  });
});
