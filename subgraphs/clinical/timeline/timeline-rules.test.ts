/** The rules of the timeline on a small record: dates, groups, studies, what is missing, who may see what. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Fault } from '../../../schema/fault/fault.ts';
import { encodeCursor } from '../../../schema/fhir/search/paging.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { PatientStudy } from '../record/study-images.ts';
import { accessOf, startClinical, startFhirServer, tenantOf } from '../test/servers.ts';
import type { Entry } from './entry.ts';
import { timelinePage, type TimelinePage, type TimelineRequest } from './timeline.ts';

const subject = { reference: 'Patient/p' };
const category = (code: string) => [{ coding: [{ code }] }];
const observed = (id: string, kind: string, effectiveDateTime: string | undefined, more = {}) => ({
  resourceType: 'Observation',
  id,
  status: 'final',
  category: category(kind),
  code: { text: id },
  subject,
  effectiveDateTime,
  ...more,
});
const report = (id: string, effectiveDateTime: string | undefined, more: object) => ({
  resourceType: 'DiagnosticReport',
  id,
  status: 'final',
  code: { text: id },
  subject,
  effectiveDateTime,
  ...more,
});
const uid = (value: string) => [{ identifier: { system: 'urn:dicom:uid', value: `urn:oid:${value}` } }];
const visit = (id: string) => ({ encounter: { reference: `Encounter/${id}` } });

const records = [
  { resourceType: 'Patient', id: 'p' },
  { resourceType: 'Patient', id: 'q' },
  {
    resourceType: 'Encounter',
    id: 'stay',
    status: 'finished',
    subject,
    type: [{ text: 'Stay' }],
    period: { start: '2020-01-30T22:00:00-05:00', end: '2020-02-03T10:00:00Z' },
  },
  { resourceType: 'Encounter', id: 'open', status: 'in-progress', subject, period: { start: '2024-05-01' } },
  { resourceType: 'Encounter', id: 'no-start', status: 'finished', subject, period: { end: '2019-05-01' } },
  {
    resourceType: 'Condition',
    id: 'by-record',
    subject,
    recordedDate: '2020-02-02',
    code: { text: 'Recorded' },
  },
  { resourceType: 'Condition', id: 'year', subject, onsetDateTime: '2020', abatementDateTime: '2021-03' },
  { resourceType: 'Condition', id: 'unknown', subject, onsetString: 'long ago' },
  { resourceType: 'Procedure', id: 'as-a-child', status: 'completed', subject, performedAge: { value: 4 } },
  {
    resourceType: 'Immunization',
    id: 'of-q',
    status: 'completed',
    patient: { reference: 'Patient/q' },
    occurrenceDateTime: '2020-02-01',
  },
  // One evening west of Greenwich is two days in UTC.
  observed('evening', 'vital-signs', '2020-01-31T18:30:00-05:00', visit('stay')),
  observed('night', 'vital-signs', '2020-01-31T23:30:00-05:00', visit('stay')),
  observed('morning', 'vital-signs', '2020-02-01T00:30:00-05:00', visit('stay')),
  observed('elsewhere', 'vital-signs', '2020-01-31T20:00:00-05:00'),
  observed('survey', 'survey', '2020-01-31'),
  observed('sodium', 'laboratory', '2020-02-01T08:00:00Z', { specimen: { reference: 'Specimen/a' } }),
  observed('potassium', 'laboratory', '2020-02-01T08:05:00Z', { specimen: { reference: 'Specimen/a' } }),
  observed('urea', 'laboratory', '2020-02-01T08:00:00Z', { specimen: { reference: 'Specimen/b' } }),
  observed('of-report', 'laboratory', '2020-02-01T09:00:00Z'),
  observed('undated', 'laboratory', undefined),
  report('panel', '2020-02-01T12:00:00Z', { result: [{ reference: 'Observation/of-report' }] }),
  report('ct-report', '2020-03-05', { imagingStudy: uid('1.2.3') }),
  report('late-report', '2023-01-01', { basedOn: [{ reference: 'ServiceRequest/order' }] }),
  {
    resourceType: 'ServiceRequest',
    id: 'order',
    status: 'active',
    intent: 'order',
    subject,
    identifier: [{ type: { coding: [{ code: 'ACSN' }] }, value: 'ACC-1' }],
  },
];

const study = (id: string, started: string | undefined, accessionNumbers: string[] = []): PatientStudy => ({
  id,
  _patientId: 'p',
  modalities: ['CT'],
  _accessionNumbers: accessionNumbers,
  ...(started !== undefined && { started }),
});
const studies = [
  study('1.2.3', '2020-03-04T23:00:00Z'),
  study('1.2.4', '2019-01-01', ['ACC-1']),
  study('1.2.5', '2020-02-01T08:00:00Z'),
  study('1.2.6', undefined),
];

let clinical: Awaited<ReturnType<typeof startClinical>>;
let server: Awaited<ReturnType<typeof startFhirServer>>;
let store: Tenant;
let failed: Fault[] = [];
let fails: Fault | undefined;

beforeAll(async () => {
  clinical = await startClinical({
    studiesOf: async (patientId) => {
      if (fails) throw fails;
      return { studies: patientId === 'p' ? studies : [], failed };
    },
  });
  store = await clinical.tenantOver(records.map((record) => JSON.stringify(record)).join('\n'));
  await clinical.subgraph.prepare(store);
  server = await startFhirServer(clinical.subgraph, store);
});
afterAll(async () => {
  await server.end();
  await clinical.end();
});

async function page(
  request: Partial<TimelineRequest> = {},
  scope = 'patient/*.rs',
  tenant = store,
): Promise<TimelinePage> {
  const record = clinical.subgraph.open(tenant, accessOf(scope, ['p']));
  return timelinePage(record, { patientId: 'p', ...request });
}

const nameOf = ({ kind, resource, observations }: Entry): string =>
  `${kind} ${resource?.id ?? observations?.map(({ id }) => id).join('+')}`;
const names = ({ entries }: TimelinePage): string[] => entries.map(nameOf);

const ALL = [
  'encounter open',
  'report late-report',
  'report ct-report',
  'condition by-record',
  'report panel',
  'laboratory sodium+potassium',
  'laboratory urea',
  'study 1.2.5',
  'vitalSigns morning',
  'vitalSigns elsewhere',
  'vitalSigns evening+night',
  'encounter stay',
  'condition year',
  'encounter no-start',
  'study 1.2.6',
  'procedure as-a-child',
  'condition unknown',
  'laboratory undated',
];

describe('FG-17 a timeline', () => {
  it('is sorted by the beginning, a year by its first second, undated entries last', async () => {
    const { entries, missing, next } = await page();
    const found = entries.map(nameOf);
    expect([...found].sort()).toEqual([...ALL].sort());
    const times = entries.map(({ date }) => (date === undefined ? -Infinity : Date.parse(date)));
    expect(times).toEqual([...times].sort((a, b) => b - a));
    expect(found.slice(-5)).toEqual(ALL.slice(-5));
    expect({ missing, next }).toEqual({ missing: [], next: undefined });
  });

  it('states dates and words as the record has them', async () => {
    const { entries } = await page();
    const of = (name: string) => entries.find((entry) => nameOf(entry) === name);
    expect(of('encounter stay')).toMatchObject({
      title: 'Stay',
      date: '2020-01-30T22:00:00-05:00',
      end: '2020-02-03T10:00:00Z',
    });
    expect(of('condition year')).toMatchObject({ date: '2020', end: '2021-03' });
    expect(of('condition by-record')).toMatchObject({ date: '2020-02-02', title: 'Recorded' });
    expect(of('laboratory sodium+potassium')).toMatchObject({
      title: 'Laboratory: 2 results',
      date: '2020-02-01T08:00:00Z',
      end: '2020-02-01T08:05:00Z',
    });
    expect(of('encounter no-start')).toMatchObject({ date: undefined, end: '2019-05-01' });
  });

  it.each([1, 2, 5])('is the same on pages of %i entries, from a store and from a server', async (count) => {
    const whole = names(await page());
    for (const tenant of [store, tenantOf({ type: 'fhir', baseUrl: server.base })]) {
      const found: string[] = [];
      for (let cursor: string | undefined, more = true; more;) {
        const one = await page({ count, cursor }, 'patient/*.rs', tenant);
        found.push(...names(one));
        // The cursor names a resource, and holds no date.
        const place = Buffer.from(one.next ?? '', 'base64url').toString();
        expect(place).toMatch(
          /^$|^(Encounter|DiagnosticReport|ImagingStudy|Condition|Observation|Procedure)\/[a-z0-9.-]+$/,
        );
        cursor = one.next;
        more = cursor !== undefined;
      }
      expect(found).toEqual(whole);
    }
  });

  it('takes a study into the entry of its report, also of a report on another page', async () => {
    const { entries } = await page();
    const studiesOf = (name: string) =>
      entries.find((entry) => nameOf(entry) === name)?.studies?.map(({ id }) => id);
    expect(studiesOf('report ct-report')).toEqual(['1.2.3']);
    expect(studiesOf('report late-report')).toEqual(['1.2.4']);
    expect(studiesOf('report panel')).toEqual([]);
    expect(studiesOf('study 1.2.5')).toEqual(['1.2.5']);
    expect(names(await page({ types: ['ImagingStudy'] }))).toEqual([
      'study 1.2.3',
      'study 1.2.5',
      'study 1.2.4',
      'study 1.2.6',
    ]);
  });

  it.each<[from: string | undefined, to: string | undefined, found: string[]]>([
    // Both days of the bounds are whole days of UTC; the stay overlaps them.
    [
      '2020-02-01',
      '2020-02-01',
      ['panel', 'sodium+potassium', 'urea', '1.2.5', 'morning', 'elsewhere', 'night', 'stay', 'year'],
    ],
    ['2020-02-01T05:00:00Z', '2020-02-01T07:00:00Z', ['morning', 'stay', 'year']],
    ['2023', undefined, ['late-report', 'open', 'by-record']],
    [undefined, '2019-12-31', ['1.2.4']],
  ])('from %s to %s', async (from, to, found) => {
    const shown = names(await page({ from, to }));
    expect(shown.map((name) => name.split(' ')[1]!).sort()).toEqual(found.sort());
  });

  it('SM-6 names types that the scopes do not cover, and gives the others', async () => {
    const { entries, missing } = await page({ types: ['Condition', 'Procedure'] }, 'patient/Condition.rs');
    expect(entries.map(nameOf)).toEqual(['condition by-record', 'condition year', 'condition unknown']);
    expect(missing.map(({ type, fault }) => [type, fault.code])).toEqual([
      ['Procedure', 'insufficient_scope'],
    ]);
    await expect(page({ types: ['Procedure'] }, 'patient/Condition.rs')).rejects.toMatchObject({
      code: 'insufficient_scope',
    });
  });

  it('SM-6 granular scopes narrow each type', async () => {
    const scope = 'patient/Observation.rs?category=vital-signs';
    const { entries } = await page({ types: ['Observation'] }, scope);
    expect(entries.map(nameOf)).toEqual([
      'vitalSigns morning',
      'vitalSigns elsewhere',
      'vitalSigns evening+night',
    ]);
  });

  it('FG-10 an archive that is away leaves the record, and a part of the archives their studies', async () => {
    fails = new Fault('unavailable', 'The archive does not answer.', { service: 'imaging' });
    const away = await page();
    fails = undefined;
    expect(away.missing.map(({ type, fault }) => [type, fault.code])).toEqual([
      ['ImagingStudy', 'unavailable'],
    ]);
    expect(away.entries.find((entry) => nameOf(entry) === 'report ct-report')?.studies).toBeNull();
    expect(names(away)).not.toContain('study 1.2.5');
    failed = [new Fault('unavailable', 'One archive does not answer.', { service: 'imaging' })];
    const halved = await page();
    failed = [];
    expect(halved.missing.map(({ type }) => type)).toEqual(['ImagingStudy']);
    expect(names(halved)).toContain('study 1.2.5');
  });

  it('FG-10 an EHR that is away leaves the studies', async () => {
    const away = tenantOf({ type: 'fhir', baseUrl: 'http://127.0.0.1:1/fhir' });
    const { entries, missing } = await page({}, 'patient/*.rs', away);
    expect(entries).toHaveLength(studies.length);
    expect(missing).toHaveLength(9);
    expect(new Set(missing.map(({ fault }) => fault.code))).toEqual(new Set(['unavailable']));
  });

  it.each<[what: string, request: Partial<TimelineRequest>]>([
    ['another patient', { patientId: 'q' }],
    ['another patient’s entry as cursor', { cursor: encodeCursor('Immunization/of-q') }],
    ['an entry that does not exist as cursor', { cursor: encodeCursor('Immunization/none') }],
    ['a study that is not the patient’s as cursor', { cursor: encodeCursor('ImagingStudy/9.9') }],
    ['a type that is not on a timeline as cursor', { cursor: encodeCursor('Patient/p') }],
    ['a cursor of a list', { cursor: encodeCursor(20) }],
    ['a date that is none', { from: '2020-02-30' }],
    ['a page that is larger than any', { count: 501 }],
    ['a count of 0', { count: 0 }],
  ])('IA-7 refuses %s', async (what, request) => {
    const code = what === 'another patient' ? 'forbidden' : 'invalid_request';
    await expect(page(request)).rejects.toMatchObject({ code });
  });

  it('IA-7 a cursor does not tell if another patient’s entry exists', async () => {
    const refusal = (id: string) =>
      page({ cursor: encodeCursor(`Immunization/${id}`) }).catch(({ message }: Fault) => message);
    expect(await refusal('of-q')).toBe(await refusal('none'));
  });

  it('FG-6 asks a server once for each type', async () => {
    server.requests.length = 0;
    await page({}, 'patient/*.rs', tenantOf({ type: 'fhir', baseUrl: server.base }));
    const types = server.requests.filter((path) => path.includes('?')).map((path) => path.split(/[/?]/)[1]);
    expect(types.sort()).toEqual([...new Set(types)].sort());
  });
});
