/** Lenient and strict handling of search parameters (R4 §3.1.1.1). */
import type { OperationOutcome } from 'fhir/r4.js';
import { describe, expect, it } from 'vitest';
import { restSources, selfOf, SOURCES, warningsOf } from '../test/rest-sources.ts';

const { ask, bundle, app } = restSources();
const strict = { headers: { prefer: 'handling=strict' } };

describe.each(SOURCES)('%s', (source) => {
  const leftOut: [query: string, self: string, warning: string][] = [
    [
      'colour=blue&code=x',
      'code=x&_count=50',
      'Condition has no search parameter "colour" here. The nearest is "code".',
    ],
    [
      'sevrity=x',
      '_count=50',
      'Condition has no search parameter "sevrity" here. The nearest is "severity".',
    ],
    [
      '_sort=colour,-_id',
      '_sort=-_id&_count=50',
      'Condition has no sort key "colour" here. The nearest is "code".',
    ],
    [
      '_elements=cod,code',
      '_elements=code&_count=50',
      'Condition has no element "cod". The nearest is "code".',
    ],
    [
      '_include=Condition:subjekt',
      '_count=50',
      'Condition has no reference parameter "subjekt" here. The nearest is "subject".',
    ],
    [
      '_include=Condition:onset-date',
      '_count=50',
      'Condition has no reference parameter "onset-date" here. The nearest is "asserter".',
    ],
    [
      '_sort=encounter.date,_id',
      '_sort=_id&_count=50',
      'Condition has no sort key "encounter.date" here. The nearest is "encounter".',
    ],
    ['_sort=code:text', '_count=50', 'Condition has no sort key "code:text" here. The nearest is "code".'],
    [
      '_include=Conditon:subject',
      '_count=50',
      '"Conditon" is no resource type of the record. The nearest is "Condition".',
    ],
    [
      '_include=Encounter:subject',
      '_count=50',
      '_include of Encounter needs :iterate, because Condition is searched.',
    ],
    ['_include=Condition:subject:Encounter', '_count=50', '"subject" does not refer to Encounter.'],
    ['_revinclude=*', '_count=50', '_revinclude takes a type and a parameter: * is not supported.'],
    ['_revinclude=Encounter:subject', '_count=50', '"subject" does not refer to Condition.'],
    [
      '_revinclude=ImagingStudy:subject',
      '_count=50',
      'ImagingStudy is not included with the record: search ImagingStudy by patient.',
    ],
  ];
  it.each(leftOut)('says that it left out %s', async (query, self, warning) => {
    const lenient = await bundle(source, `/Condition?${query}`);
    expect(warningsOf(lenient)).toEqual([warning]);
    expect(selfOf(lenient)).toBe(self);
    expect(lenient.entry?.at(-1)).toMatchObject({
      resource: { issue: [{ severity: 'warning', code: 'not-supported' }] },
      search: { mode: 'outcome' },
    });
    expect(lenient.total).toBe(query.includes('code=x') ? 0 : 2);
    const refused = await ask(source, `/Condition?${query}`, strict);
    expect(refused.statusCode).toBe(400);
    expect(refused.json<OperationOutcome>().issue[0]).toMatchObject({
      severity: 'error',
      diagnostics: warning,
    });
  });

  it('gives the whole resource when no name in _elements is known', async () => {
    const found = await bundle(source, '/Condition?_id=flu&_elements=cod');
    expect(selfOf(found)).toBe('_id=flu&_count=50');
    expect(found.entry?.[0]?.resource).toEqual((await ask(source, '/Condition/flu')).json());
    expect((await ask(source, '/Condition/flu?_elements=cod')).json()).not.toHaveProperty('meta');
  });

  it('says everything that it left out in one entry, also where only the total is wanted', async () => {
    const found = await bundle(source, '/Condition?a=1&b=2&_sort=c&_summary=count');
    expect(found.entry).toHaveLength(1);
    expect(warningsOf(found)).toHaveLength(3);
    expect(found.total).toBe(2);
  });

  it('does not repeat a parameter name that is no plain name', async () => {
    const text = JSON.stringify(await bundle(source, '/Condition?Ana%20N%C3%BA%C3%B1ez%20MRN-1=1'));
    expect(text).not.toContain('MRN-1');
  });

  it('needs a scope, and not a parameter, for what strict handling cannot include', async () => {
    const caller = { scope: 'patient/Condition.rs', ...strict };
    const refused = await ask(source, '/Condition?_include=Condition:encounter', caller);
    expect(refused.statusCode).toBe(403);
    expect(refused.headers['www-authenticate']).toContain('scope="patient/Encounter.r"');
  });

  const refused: [path: string, status: number, headers?: Record<string, string>][] = [
    ...['code:colour=1', '_count:exact=1', '_include:once=Condition:subject', '_summary:x=true'].map(
      (query): [string, number] => [`/Condition?${query}`, 400],
    ),
    ...['_count=', '_count=-1', '_count=1.5', '_count=many', '_offset=x', '_total=some', '_summary=most'].map(
      (query): [string, number] => [`/Condition?${query}`, 400],
    ),
    ...['_elements=', '_include=', '_include=subject', '_include=Condition:', '_revinclude=Observation'].map(
      (query): [string, number] => [`/Condition?${query}`, 400],
    ),
    ['/Condition?_cursor=x', 400],
    ['/Condition?_summary=text&_include=Condition:subject', 400],
    ['/Condition/asthma?_summary=count', 400],
    ['/Condition/asthma?_summary=most', 400],
    ['/Condition/asthma?_elements=', 400],
    ['/Condition/asthma?_elements=colour', 400, { prefer: 'handling=strict' }],
    ['/Condition/..%2f..', 404],
    ['/Condition/%23inside', 404],
    [`/Condition/${'x'.repeat(65)}`, 404],
    ['/Condition?patient=Patient/bob', 403],
    ['/Condition?patient=Patient/bob/_history/1', 403],
    ['/Condition?subject=Patient/bob', 403],
  ];
  it.each(refused)('%s: %i under any handling', async (path, status, headers = {}) => {
    const answer = await ask(source, path, { headers });
    expect(answer.statusCode).toBe(status);
    expect(answer.json<OperationOutcome>().issue[0]!.severity).toBe('error');
  });

  it.each(['subject=%23contained', 'asserter=%23inside', 'encounter=Encounter/visit/_history/7'])(
    'a reference that leads to nothing finds nothing, and is no failure: %s',
    async (query) => {
      const answer = await ask(source, `/Condition?${query}`);
      expect([200, 403]).toContain(answer.statusCode);
      if (answer.statusCode === 200) expect(answer.json()).toMatchObject({ total: 0 });
    },
  );

  it('reads the handling from a search by POST', async () => {
    const answer = await app(source).inject({
      method: 'POST',
      url: '/test/fhir/Condition/_search',
      payload: 'colour=blue',
      headers: { 'content-type': 'application/x-www-form-urlencoded', prefer: 'handling=strict' },
    });
    expect(answer.statusCode).toBe(400);
  });
});

it.each(SOURCES)('%s: an unknown parameter of a type with one that no search can use', async (source) => {
  // Location has `near`.
  const caller = { scope: 'system/*.rs', patients: 'all' } as const;
  const found = await bundle(source, '/Location?colour=blue', caller);
  expect(found.resourceType).toBe('Bundle');
  expect(warningsOf(found)).toEqual([
    expect.stringContaining('Location has no search parameter "colour" here.'),
  ]);
});
