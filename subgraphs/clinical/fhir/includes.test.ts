/** `_include` and `_revinclude` (R4 §3.1.1.5.4), over both sources; never out of the caller's reach (SM-6, SM-16, IA-7). */
import { describe, expect, it } from 'vitest';
import { MAX_INCLUDED } from '../record/includes.ts';
import { records } from '../test/records.ts';
import {
  entriesOf,
  restSources,
  selfOf,
  SOURCES,
  warningsOf,
  type RestCaller,
} from '../test/rest-sources.ts';

const subject = (id: string) => ({ subject: { reference: `Patient/${id}` } });
const many = 1_200;

/** Records that try to lead a caller for `ana` to somebody else, in circles, or very far. */
const more = [
  { resourceType: 'Organization', id: 'lab', partOf: { reference: 'Organization/org' } },
  {
    resourceType: 'Observation',
    id: 'panel',
    status: 'final',
    ...subject('ana'),
    hasMember: [{ reference: 'Observation/part' }],
  },
  {
    resourceType: 'Observation',
    id: 'part',
    status: 'final',
    ...subject('ana'),
    hasMember: [{ reference: 'Observation/panel' }, { reference: 'Observation/last' }],
  },
  {
    resourceType: 'Observation',
    id: 'last',
    status: 'final',
    ...subject('ana'),
    performer: [{ reference: 'Organization/lab' }],
  },
  {
    resourceType: 'Observation',
    id: 'leading-away',
    status: 'final',
    ...subject('ana'),
    performer: [{ reference: 'Patient/bob' }, { reference: 'Practitioner/dr/_history/2' }],
    focus: [
      { reference: 'Condition/bobs' },
      { reference: 'Group/group' },
      { reference: 'Binary/bobs-letter' },
    ],
    hasMember: [{ reference: 'Observation/by-ana-about-bob' }, { reference: 'Observation/missing' }],
    encounter: { reference: 'https://elsewhere.example/fhir/Encounter/visit' },
  },
  ...Array.from({ length: many }, (_, n) => ({ resourceType: 'Organization', id: `o${n}` })),
  {
    resourceType: 'Observation',
    id: 'by-many',
    status: 'final',
    ...subject('ana'),
    performer: Array.from({ length: many }, (_, n) => ({ reference: `Organization/o${n}` })),
  },
  {
    resourceType: 'Provenance',
    id: 'of-both',
    recorded: '2026-01-01T00:00:00Z',
    target: [{ reference: 'Condition/asthma' }, { reference: 'Condition/bobs' }],
    agent: [{ who: { reference: 'Practitioner/dr' } }],
  },
];
const ndjson = [...records, ...more].map((record) => JSON.stringify(record)).join('\n');

const { bundle, ask, requests } = restSources(ndjson);
const all: RestCaller = { patients: 'all' };
const scoped = (scope: string): RestCaller => ({ scope });

describe.each(SOURCES)('%s', (source) => {
  const included: [search: string, caller: RestCaller, names: string[], warnings?: RegExp][] = [
    ['Condition?_id=asthma&_include=Condition:subject', {}, ['Patient/ana']],
    ['Condition?_include=Condition:subject&_include=Condition:patient', {}, ['Patient/ana']],
    ['Condition?_id=asthma&_include=Condition:subject:Patient', {}, ['Patient/ana']],
    ['Condition?_id=asthma&_include=*', {}, ['Encounter/visit', 'Patient/ana']],
    ['Condition?_id=asthma&_include=Condition:*', {}, ['Encounter/visit', 'Patient/ana']],
    ['Condition?_id=asthma&_include=Condition:asserter', {}, []],
    ['Condition?_id=elsewhere&_include=Condition:subject', all, []],
    ['Patient?_include=Patient:general-practitioner', {}, ['Practitioner/dr']],
    ['Observation?_id=panel&_include=Observation:has-member', {}, ['Observation/part']],
    [
      'Observation?_id=panel&_include:iterate=Observation:has-member',
      {},
      ['Observation/last', 'Observation/part'],
    ],
    [
      'Observation?_id=panel&_include:recurse=Observation:has-member&_include:iterate=Observation:performer&_include:iterate=Organization:partof',
      {},
      ['Observation/last', 'Observation/part', 'Organization/lab', 'Organization/org'],
    ],
    // Another patient's resources, and types that are never shown, as if they did not exist.
    ['Observation?_id=leading-away&_include=Observation:performer', {}, ['Practitioner/dr']],
    ['Observation?_id=leading-away&_include=Observation:has-member', {}, []],
    ['Observation?_id=leading-away&_include=Observation:encounter', {}, []],
    ['Observation?_id=leading-away&_include=Observation:focus', {}, [], /: Group\.$/],
    ['Observation?_id=leading-away&_include=Observation:performer', all, ['Patient/bob', 'Practitioner/dr']],
    [
      'Observation?_id=leading-away&_include=Observation:focus',
      all,
      ['Binary/bobs-letter', 'Condition/bobs', 'Group/group'],
    ],
    // Scopes of the included type.
    [
      'Condition?_id=asthma&_include=Condition:encounter',
      scoped('patient/Condition.rs'),
      [],
      /patient\/Encounter\.r is needed/,
    ],
    [
      'Condition?_id=asthma&_include=Condition:encounter',
      scoped('patient/Condition.rs patient/Encounter.s'),
      [],
      /is needed/,
    ],
    [
      'Condition?_id=asthma&_include=Condition:encounter',
      scoped('patient/Condition.rs patient/Encounter.r'),
      ['Encounter/visit'],
    ],
    [
      'Observation?_id=panel&_include=Observation:has-member',
      scoped('patient/Observation.rs?status=final'),
      ['Observation/part'],
    ],
    [
      'Encounter?_revinclude=Condition:encounter',
      scoped('patient/Encounter.rs patient/Condition.r'),
      [],
      /patient\/Condition\.rs is needed/,
    ],
    [
      'Encounter?_revinclude=Condition:encounter',
      scoped('patient/Encounter.rs patient/Condition.s'),
      ['Condition/asthma'],
    ],
    [
      'Patient?_revinclude=Observation:subject',
      scoped('patient/Patient.rs patient/Observation.rs?category=laboratory'),
      ['Observation/glucose'],
    ],
    ['Encounter?_revinclude=Condition:encounter', {}, ['Condition/asthma']],
    ['Patient?_revinclude=Condition:subject', {}, ['Condition/asthma', 'Condition/flu']],
    ['Patient?_revinclude=List:subject', {}, [], /List cannot be searched with this token/],
    ['Patient?_revinclude=List:subject', all, ['List/list']],
    [
      'Patient?_id=ana,bob&_revinclude=Condition:subject',
      all,
      ['Condition/asthma', 'Condition/bobs', 'Condition/flu'],
    ],
    [
      'Encounter?_revinclude=Condition:encounter&_include:iterate=Condition:subject',
      {},
      ['Condition/asthma', 'Patient/ana'],
    ],
    [
      'Encounter?_include=Encounter:subject&_revinclude:iterate=Condition:subject',
      {},
      ['Condition/asthma', 'Condition/flu', 'Patient/ana'],
    ],
  ];
  it.each(included)('%s of %j includes %j', async (search, caller, names, warnings = /^$/) => {
    const found = await bundle(source, `/${search}`, caller);
    expect(entriesOf(found, 'include').toSorted()).toEqual(names);
    expect(warningsOf(found).join()).toMatch(warnings);
    const everything = [...entriesOf(found, 'match'), ...entriesOf(found, 'include')];
    expect(new Set(everything).size).toBe(everything.length);
    for (const { fullUrl, resource, search: { mode } = {} } of found.entry ?? []) {
      if (mode !== 'outcome')
        expect(fullUrl).toContain(`/test/fhir/${resource?.resourceType}/${resource?.id}`);
    }
  });

  it('IA-7 a reference out of reach is answered like one that leads nowhere', async () => {
    const [away, nowhere] = await Promise.all(
      ['by-ana-about-bob', 'missing'].map((id) =>
        bundle(source, `/Observation?has-member=Observation/${id}&_include=Observation:has-member`),
      ),
    );
    expect(entriesOf(away!, 'include')).toEqual(entriesOf(nowhere!, 'include'));
    expect(warningsOf(away!)).toEqual(warningsOf(nowhere!));
  });

  it('the self link has the includes that were applied', async () => {
    const found = await bundle(
      source,
      '/Encounter?_include=Encounter:subject&_include=Encounter:x&_revinclude:iterate=Condition:encounter',
    );
    expect(selfOf(found)).toBe(
      '_include=Encounter:subject&_revinclude:iterate=Condition:encounter&_count=50',
    );
  });

  it.runIf(source === 'store')('a page says when more would have to be included', async () => {
    const found = await bundle(source, '/Observation?_id=by-many&_include=Observation:performer');
    expect(entriesOf(found, 'include')).toHaveLength(MAX_INCLUDED);
    expect(warningsOf(found)).toEqual([
      `Only ${MAX_INCLUDED} resources are included on a page: ask for less with _count.`,
    ]);
  });

  it('does not include where only the total is wanted', async () => {
    const found = await bundle(source, '/Condition?_include=Condition:subject&_summary=count');
    expect(found).toMatchObject({ total: 2 });
    expect(found.entry).toBeUndefined();
  });

  it('refuses too many rules', async () => {
    const query = Array.from({ length: 31 }, () => '_include=Condition:subject').join('&');
    expect((await ask(source, `/Condition?${query}`)).statusCode).toBe(400);
  });
});

it('FG-6 reads the included of a type together, and searches once for each _revinclude', async () => {
  const query =
    '_id=ana,bob&_include=Patient:general-practitioner&_revinclude=Condition:subject&_revinclude=Observation:subject';
  await bundle('fhir-server', `/Patient?${query}`, all);
  expect(
    requests()
      .map((path) => path.replace(/&_count.*/, ''))
      .toSorted(),
  ).toEqual([
    '/Condition?subject=Patient/ana,Patient/bob',
    '/Observation?subject=Patient/ana,Patient/bob',
    '/Patient?_id=ana,bob',
    '/Practitioner/dr',
  ]);
});
