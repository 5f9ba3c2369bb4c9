/** The parameters of Bulk Data Access 3.0 that narrow an export (FG-38). */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Access } from '../../../schema/access/access.ts';
import { ASYNC, ExportFixture } from '../test/export-fixture.ts';

let fixture: ExportFixture;
beforeAll(async () => {
  fixture = await ExportFixture.start();
});
afterAll(() => fixture.end());
beforeEach(() => fixture.nextClient());

describe('what is exported', () => {
  it.each<[types: string, queries: string[], scope: string, ids: string[]]>([
    [
      'Patient,Condition',
      ['Condition?clinical-status=active'],
      'system/*.rs',
      ['Condition/asthma', 'Patient/ana', 'Patient/bob'],
    ],
    [
      'Patient,Condition',
      ['Patient?gender=female'],
      'system/*.rs',
      ['Condition/asthma', 'Condition/bobs', 'Condition/flu', 'Patient/ana'],
    ],
    [
      'Condition',
      ['Condition?clinical-status=active,Condition?_id=asthma,flu'],
      'system/*.rs',
      ['Condition/asthma', 'Condition/flu'],
    ],
    [
      'Condition',
      ['Condition?clinical-status=active', 'Condition?patient=Patient/bob'],
      'system/*.rs',
      ['Condition/asthma', 'Condition/bobs'],
    ],
    [
      'Observation',
      ['Observation?code:missing=false'],
      'system/Observation.rs?category=laboratory',
      ['Observation/glucose'],
    ],
    ['Observation', ['Observation?category=vital-signs'], 'system/Observation.rs?category=laboratory', []],
    ['ImagingStudy', ['ImagingStudy?started=2021'], 'system/*.rs', ['ImagingStudy/1.2.840.1']],
    ['Patient,Practitioner', ['Practitioner?family=nobody'], 'system/*.rs', ['Patient/ana', 'Patient/bob']],
    [
      'Patient,Practitioner',
      ['Practitioner?family=nobody', 'Practitioner?family=house'],
      'system/*.rs',
      ['Patient/ana', 'Patient/bob', 'Practitioner/dr'],
    ],
  ])('FG-38 _type=%s with _typeFilter %j and %s: %j', async (types, queries, scope, ids) => {
    fixture.access = fixture.client(scope);
    const filters = queries.map((query) => `&_typeFilter=${encodeURIComponent(query)}`);
    const { manifest } = await fixture.exported(`/Patient/$export?_type=${types}${filters.join('')}`);
    expect(await fixture.contents(manifest)).toEqual(ids);
  });

  it('FG-38 _elements: what is named and what is mandatory, tagged as a part', async () => {
    const path =
      '/Patient/$export?_type=Patient,Condition,ImagingStudy&_elements=Patient.gender,onsetDateTime';
    const { manifest } = await fixture.exported(path);
    const files = await Promise.all(manifest.output.map(({ url }) => fixture.linesOf(url)));
    const elements = Object.fromEntries(
      files.flat().map((one) => [one.id, Object.keys(one).toSorted().join(' ')]),
    );
    expect(elements).toMatchObject({
      ana: 'gender id meta resourceType',
      bob: 'gender id meta resourceType',
      asthma: 'id meta onsetDateTime resourceType subject',
      flu: 'id meta resourceType subject',
      '1.2.840.1': 'id meta resourceType status subject',
    });
    for (const { meta } of files.flat()) expect(meta?.tag?.map(({ code }) => code)).toEqual(['SUBSETTED']);
  });
});

/** Escapes the query that is the value of the last parameter. */
const escaped = (query: string) => query.replace(/(?<=_typeFilter=).*/, (value) => encodeURIComponent(value));

describe('what is refused', () => {
  const refusals: [path: string, by: () => Access, headers: Record<string, string>, status: number][] = [
    ...[
      'organizeOutputBy=Patient',
      'allowPartialManifests=true',
      'includeAssociatedData=RelevantProvenanceResources',
      '_until=soon',
      '_elements=',
      '_elements=Patient.odd',
      '_elements=Patient.name.family',
      '_elements=Patient.name&_type=Condition',
      'patient=Practitioner/ana',
      '_typeFilter=Condition',
      '_typeFilter=Condition?',
      '_typeFilter=Condition?odd=1',
      '_typeFilter=Condition?_sort=code',
      '_typeFilter=Condition?_count=1',
      '_typeFilter=Condition?_include=Condition:subject',
      '_typeFilter=Condition?onset-date=soon',
      '_typeFilter=Group?type=person',
      '_type=Condition&_typeFilter=Observation?status=final',
      '_typeFilter=ImagingStudy?odd=1',
      '_typeFilter=ImagingStudy?subject:Patient.gender=female',
    ].map((query): [string, () => Access, Record<string, string>, number] => [
      `/Patient/$export?${escaped(query)}`,
      () => fixture.client('system/*.rs'),
      ASYNC,
      400,
    ]),
    [
      `/Patient/$export?${escaped('_typeFilter=Condition?patient=Patient/carl')}`,
      () => fixture.client('system/*.rs'),
      ASYNC,
      403,
    ],
    [
      `/Patient/$export?${escaped('_typeFilter=Condition?encounter.status=finished')}`,
      () => fixture.client('system/Condition.rs'),
      ASYNC,
      403,
    ],
    [
      `/Patient/$export?${escaped('_typeFilter=Condition?odd=1')}`,
      () => fixture.client('system/*.rs'),
      { prefer: 'respond-async, handling=lenient' },
      400,
    ],
  ];
  it.each(refusals)('%s', async (path, by, headers, status) => {
    fixture.access = by();
    const response = await fixture.kickOff(path, headers);
    expect(response.statusCode, response.body).toBe(status);
    expect(response.json()).toMatchObject({ resourceType: 'OperationOutcome' });
  });
});
