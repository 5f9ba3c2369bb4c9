import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startSqlApp, type SqlApp } from '../test/sql-app.ts';

let sql: SqlApp;
const question = `/* @name: TallyOfPatients
@title: Patients by sex
@status: active */
-- @param: sex string
SELECT count(*) AS n FROM patient WHERE gender = :sex`;
beforeAll(async () => {
  sql = await startSqlApp({ questions: { 'tally.sql': question } });
});
afterAll(() => sql.close());

describe('ViewDefinition and Library', () => {
  test('list all tables with their columns, and the published questions', async () => {
    const views = (await sql.app.inject({ url: '/t/fhir/ViewDefinition' })).json();
    const names = views.entry.map(({ resource }: { resource: { name: string } }) => resource.name);
    expect(names).toEqual(
      expect.arrayContaining(['patient', 'imaging_study', 'imaging_instance', 'study_link']),
    );
    expect(views).toMatchObject({ resourceType: 'Bundle', type: 'searchset', total: names.length });
    const ids = views.entry.map(({ resource }: { resource: { id: string } }) => resource.id);
    expect(ids.every((id: string) => /^[A-Za-z0-9\-.]{1,64}$/.test(id))).toBe(true);
    const questions = (await sql.app.inject({ url: '/t/fhir/Library?name=TallyOfPatients' })).json();
    expect(questions.entry[0].resource).toMatchObject({
      url: 'http://localhost/t/fhir/Library/TallyOfPatients',
      title: 'Patients by sex',
      status: 'active',
      parameter: [{ name: 'sex', type: 'string', use: 'in' }],
    });
  });

  test('are read by id, with an entity tag', async () => {
    const study = await sql.app.inject({ url: '/t/fhir/ViewDefinition/imaging-study' });
    expect(study.json()).toMatchObject({
      name: 'imaging_study',
      url: 'http://localhost/t/fhir/ViewDefinition/imaging-study',
    });
    const { etag } = study.headers;
    const again = await sql.app.inject({
      url: '/t/fhir/ViewDefinition/imaging_study',
      headers: { 'if-none-match': String(etag) },
    });
    expect(again.statusCode).toBe(304);
    expect((await sql.app.inject({ url: '/t/fhir/Library/nothing' })).statusCode).toBe(404);
  });

  test('unknown search parameters are left out, or refused', async () => {
    const url = '/t/fhir/ViewDefinition?name=patient&colour=red';
    expect((await sql.app.inject({ url })).json()).toMatchObject({
      total: 1,
      entry: [{ search: { mode: 'match' } }, { search: { mode: 'outcome' } }],
    });
    const strict = await sql.app.inject({ url, headers: { prefer: 'handling=strict' } });
    expect(strict.statusCode).toBe(400);
  });

  test('without tables, the record answers', async () => {
    const { analysis } = sql.tenant;
    sql.tenant = { ...sql.tenant, analysis: { ...analysis, enabled: false } };
    expect((await sql.app.inject({ url: '/t/fhir/Library' })).json()).toEqual({ of: 'the record' });
    sql.tenant = { ...sql.tenant, analysis };
  });
});
