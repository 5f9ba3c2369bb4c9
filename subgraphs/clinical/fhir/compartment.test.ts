/** Compartment search (R4 §3.1.1.2): the same reach, and the same refusals, as a search of the type. */
import { describe, expect, it } from 'vitest';
import { entriesOf, restSources, SOURCES, warningsOf, type RestCaller } from '../test/rest-sources.ts';

const { ask, bundle, app } = restSources();
const all: RestCaller = { patients: 'all' };
const both: RestCaller = { patients: ['ana', 'bob'] };

describe.each(SOURCES)('%s', (source) => {
  const searches: [path: string, caller: RestCaller, found: string[]][] = [
    ['Patient/ana/Condition', {}, ['Condition/asthma', 'Condition/flu']],
    ['Patient/ana/Condition', all, ['Condition/asthma', 'Condition/flu']],
    ['Patient/bob/Condition', both, ['Condition/bobs']],
    ['Patient/bob/Condition', all, ['Condition/bobs']],
    ['Patient/ana/Condition?clinical-status=active', both, ['Condition/asthma']],
    ['Patient/ana/Condition?encounter.status=finished', both, ['Condition/asthma']],
    ['Patient/ana/Observation?category=laboratory', all, ['Observation/glucose']],
    [
      'Patient/ana/Observation',
      { scope: 'patient/Observation.rs?category=laboratory' },
      ['Observation/glucose'],
    ],
    ['Patient/ana/Patient', both, ['Patient/ana']],
    ['Patient/nobody/Condition', all, []],
  ];
  it.each(searches)('%s of %j finds %j', async (path, caller, found) => {
    const answer = await bundle(source, `/${path}`, caller);
    expect(entriesOf(answer, 'match').toSorted()).toEqual(found);
    // Under a granular scope, a server's total may count more.
    expect([found.length, caller.scope && undefined]).toContain(answer.total);
    expect(answer.link?.[0]?.url).toContain(`/test/fhir/${path.split('?')[0]}?`);
  });

  it('IA-7 refuses a patient out of reach like a read of that patient, whether there is one or not', async () => {
    const [read, ...searched] = await Promise.all(
      [
        '/Patient/bob',
        '/Patient/bob/Condition',
        '/Patient/nobody/Condition',
        '/Patient/bob/Practitioner',
      ].map((path) => ask(source, path)),
    );
    for (const { statusCode, body } of searched) expect([statusCode, body]).toEqual([403, read!.body]);
  });

  const refused: [path: string, status: number, caller?: RestCaller][] = [
    ['Patient/ana/Condition?patient=bob', 403],
    ['Patient/ana/Condition?patient=bob', 403, all],
    ['Patient/ana/Condition?subject=Patient/bob', 403, both],
    ['Patient/ana/Practitioner', 404, all],
    ['Patient/ana/Practitioner', 404],
    ['Patient/ana/Group', 404, all],
    ['Patient/ana/ImagingStudy', 404, all],
    ['Patient/ana/Spaceship', 404],
    ['Patient/ana/*', 501],
    ['Patient/a_b/Condition', 404, all],
    ['Encounter/visit/Condition', 404, all],
    ['Patient/ana/Condition', 403, { scope: 'patient/Observation.rs' }],
    ['Patient/ana/Condition?colour=blue', 400, { headers: { prefer: 'handling=strict' } }],
  ];
  it.each(refused)('%s: %i (%j)', async (path, status, caller) => {
    const { statusCode } = await ask(source, `/${path}`, caller);
    expect(statusCode).toBe(status);
  });

  it('pages, includes and says what it left out like any search', async () => {
    const first = await bundle(
      source,
      '/Patient/ana/Condition?_count=1&_sort=_id&_include=Condition:encounter&x=1',
      all,
    );
    expect([entriesOf(first, 'match'), entriesOf(first, 'include')]).toEqual([
      ['Condition/asthma'],
      ['Encounter/visit'],
    ]);
    expect(warningsOf(first)).toHaveLength(1);
    const next = first.link?.find(({ relation }) => relation === 'next')?.url ?? '';
    const second = await bundle(source, next.slice(next.indexOf('/test/fhir') + '/test/fhir'.length), all);
    expect(entriesOf(second, 'match')).toEqual(['Condition/flu']);
    // A cursor leads no further than the compartment.
    const elsewhere = await bundle(
      source,
      next.slice(next.indexOf('/Patient')).replace('/ana/', '/bob/'),
      all,
    );
    expect(entriesOf(elsewhere, 'match')).not.toContain('Condition/flu');
  });

  it('answers by POST too, and writes nothing', async () => {
    await ask(source, '/Patient/ana', {});
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const send = (method: 'POST' | 'PUT', path: string) =>
      app(source).inject({
        method,
        url: `/test/fhir${path}`,
        headers: form,
        payload: 'clinical-status=active',
      });
    const posted = await send('POST', '/Patient/ana/Condition/_search');
    expect(entriesOf(posted.json(), 'match')).toEqual(['Condition/asthma']);
    expect((await send('POST', '/Patient/ana/Condition')).statusCode).toBe(405);
    expect((await send('PUT', '/Patient/ana/Condition')).statusCode).toBe(405);
  });
});
