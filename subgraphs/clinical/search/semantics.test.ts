/** Searches whose answer used to be too wide, too short or wrong (FG-20): a small record for each rule of R4 §3.1.1.4. */
import type { Resource } from 'fhir/r4.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accessOf, startClinical } from '../test/servers.ts';
import type { ClinicalSource } from '../sources/source.ts';

const loinc = 'http://loinc.org';
const mm = { unit: 'mm[Hg]', system: 'http://unitsofmeasure.org', code: 'mm[Hg]' };
const of = (patient: string) => ({ subject: { reference: `Patient/${patient}` } });
const coded = (code: string) => ({ coding: [{ system: loinc, code }] });
const pressure = (id: string, patient: string, systolic: number, diastolic: number) => ({
  resourceType: 'Observation',
  id,
  status: 'final',
  code: coded('85354-9'),
  ...of(patient),
  component: [
    { code: coded('8480-6'), valueQuantity: { value: systolic, ...mm } },
    { code: coded('8462-4'), valueQuantity: { value: diastolic, ...mm } },
  ],
});
const measured = (id: string, value: number, more: object = {}) => ({
  resourceType: 'Observation',
  id,
  status: 'final',
  code: coded('1-1'),
  ...of('one'),
  valueQuantity: { value, ...more },
});
const form = (id: string, canonical: string) => ({
  resourceType: 'QuestionnaireResponse',
  id,
  status: 'completed',
  questionnaire: canonical,
});

const records = [
  {
    resourceType: 'Patient',
    id: 'one',
    gender: 'female',
    identifier: [
      { type: { coding: [{ system: 'urn:v2', code: 'MR' }] }, system: 'urn:a', value: '1' },
      { type: { coding: [{ system: 'urn:v2', code: 'SS' }] }, system: 'urn:a', value: '2' },
    ],
    generalPractitioner: [{ reference: 'Practitioner/house' }],
  },
  {
    resourceType: 'Patient',
    id: 'two',
    gender: 'male',
    generalPractitioner: [{ identifier: { system: 'urn:npi', value: '7' } }],
  },
  {
    resourceType: 'Patient',
    id: 'three',
    maritalStatus: { text: 'widowed' },
    contained: [{ resourceType: 'Practitioner', id: 'in', name: [{ family: 'Inside' }] }],
    generalPractitioner: [{ reference: '#in' }],
  },
  { resourceType: 'Practitioner', id: 'house', name: [{ family: 'House' }] },
  pressure('high', 'one', 150, 80),
  pressure('low', 'two', 110, 150),
  measured('p15', 0.15, mm),
  measured('p1', 0.1, mm),
  measured('long-1', 5.40000000000001),
  measured('long-2', 5.40000000000002),
  measured('below-7', 7, { comparator: '<' }),
  { resourceType: 'Condition', id: 'text', code: { text: 'headache' }, ...of('one') },
  { resourceType: 'Condition', id: 'bare', ...of('two') },
  {
    resourceType: 'Condition',
    id: 'versioned',
    code: coded('x'),
    ...of('one'),
    encounter: { reference: 'Encounter/e/_history/2' },
  },
  { resourceType: 'Encounter', id: 'e', status: 'finished', class: { code: 'AMB' }, ...of('one') },
  form('q1', 'http://forms.example/a|1'),
  form('q2', 'http://forms.example/a|2'),
  form('q', 'http://forms.example/a'),
  {
    resourceType: 'List',
    id: 'chosen',
    status: 'current',
    mode: 'working',
    entry: [{ item: { reference: 'Observation/high' } }, { item: { reference: 'Condition/text' } }],
  },
] as unknown as Resource[];

let clinical: Awaited<ReturnType<typeof startClinical>>;
let store: ClinicalSource;

beforeAll(async () => {
  clinical = await startClinical();
  const tenant = await clinical.tenantOver(records.map((record) => JSON.stringify(record)).join('\n'));
  store = await clinical.subgraph.open(tenant, accessOf('system/*.rs')).backend();
});
afterAll(() => clinical.end());

/** Returns what a search finds, which is the same on one page and on pages of one resource. */
async function ids(search: string, patients?: readonly string[]): Promise<string[]> {
  const [type = '', text = ''] = search.split('?');
  const params = [...new URLSearchParams(text)] as [string, string][];
  const asked = { params, ...(patients && { patients }) };
  const { resources } = await store.search(type, { ...asked, count: 100 });
  const paged: typeof resources = [];
  for (let cursor: string | undefined, isFirst = true; isFirst || cursor !== undefined; isFirst = false) {
    const page = await store.search(type, { ...asked, count: 1, ...(cursor !== undefined && { cursor }) });
    paged.push(...page.resources);
    cursor = page.next;
  }
  expect(paged.map(({ id }) => id)).toEqual(resources.map(({ id }) => id));
  return resources.map(({ id }) => id ?? '').toSorted();
}

describe('FG-20 the store finds', () => {
  it.each<[search: string, found: string[]]>([
    // _has, and two of them
    ['Patient?_has:Observation:patient:component-code=8480-6', ['one', 'two']],
    ['Patient?_has:Observation:patient:component-code-value-quantity=8480-6$gt140', ['one']],
    ['Patient?_has:Observation:patient:code=no-such-code', []],
    ['Practitioner?_has:Patient:general-practitioner:_has:Observation:patient:code=85354-9', ['house']],
    ['Practitioner?_has:Patient:general-practitioner:_has:Observation:patient:code=none', []],
    ['Patient?_has:Observation:patient:code:not=85354-9', ['one']],
    ['Condition?patient._has:Observation:patient:code=1-1', ['text', 'versioned']],
    // chains of two levels
    ['Condition?subject:Patient.general-practitioner:Practitioner.name=house', ['text', 'versioned']],
    ['Condition?patient.general-practitioner.name=house', ['text', 'versioned']],
    ['Condition?patient.general-practitioner.name=wilson', []],
    ['Condition?encounter.subject:Patient.gender=female', ['versioned']],
    ['Condition?subject._id:not=nobody,none', ['bare', 'text', 'versioned']],
    ['Condition?encounter.subject:Patient._id=nobody,none', []],
    // composites: both parts hold on one item
    ['Observation?component-code-value-quantity=8480-6$gt140', ['high']],
    ['Observation?component-code-value-quantity=8480-6$gt140,8462-4$gt140', ['high', 'low']],
    ['Observation?combo-code-value-quantity=8462-4$80', ['high']],
    ['Observation?code-value-quantity=http://loinc.org|1-1$0.15', ['p15']],
    // decimals
    ['Observation?value-quantity=0.1', ['p1']],
    ['Observation?value-quantity=5.40000000000001', ['long-1']],
    ['Observation?value-quantity=gt5.40000000000001&value-quantity=lt6', ['below-7', 'long-2']],
    ['Observation?value-quantity=ge7', []],
    ['Observation?value-quantity=ge6.9', ['below-7']],
    // units: no part of the value is left out
    ['Observation?value-quantity=0.1|http://unitsofmeasure.org|', ['p1']],
    ['Observation?value-quantity=0.1|http://other.example|', []],
    ['Observation?value-quantity=0.1||mm[Hg]', ['p1']],
    // presence
    ['Condition?code:missing=true', ['bare']],
    ['Condition?code:missing=false', ['text', 'versioned']],
    ['Patient?general-practitioner:missing=true', []],
    ['Patient?general-practitioner:missing=false', ['one', 'three', 'two']],
    // versions
    ['Condition?encounter=Encounter/e', ['versioned']],
    ['Condition?encounter=Encounter/e/_history/2', ['versioned']],
    ['Condition?encounter=Encounter/e/_history/1', []],
    ['QuestionnaireResponse?questionnaire=http://forms.example/a', ['q', 'q1', 'q2']],
    ['QuestionnaireResponse?questionnaire=http://forms.example/a|2', ['q2']],
    // tokens
    ['Patient?identifier:of-type=urn:v2|MR|1', ['one']],
    ['Patient?identifier:of-type=urn:v2|SS|1', []],
    ['Condition?subject:Patient=Group/one', []],
    // The system of a code is in the definitions
    ['Patient?gender=http://hl7.org/fhir/administrative-gender|male', ['two']],
    ['Patient?gender=http://hl7.org/fhir/administrative-gender|', ['one', 'two']],
    ['Patient?gender=http://hl7.org/fhir/observation-status|male', []],
    ['Patient?gender=http://hl7.org/fhir/observation-status|', []],
    ['Patient?gender=|male', ['two']],
    ['Patient?deceased=http://hl7.org/fhir/special-values|false', ['one', 'three', 'two']],
    // lists and filters
    ['Observation?_list=chosen', ['high']],
    ['Patient?_list=chosen', []],
    ['Patient?_filter=gender eq male or identifier eq urn:a|1', ['one', 'two']],
    ['Patient?_filter=not (gender eq male)', ['one', 'three']],
    ['Patient?_filter=(gender eq male or gender eq female) and not (identifier eq urn:a|1)', ['two']],
    ['Condition?_filter=code pr false or subject.gender eq female', ['bare', 'text', 'versioned']],
  ])('%s', async (search, found) => expect(await ids(search)).toEqual(found));
});

describe('FG-20 inner searches find only resources of the patients in reach', () => {
  it.each<[search: string, patients: string[], found: string[]]>([
    ['Condition?patient.gender=male', ['one'], []],
    ['Condition?patient.gender=male', ['two'], ['bare']],
    ['Patient?_has:Observation:patient:component-code=8480-6', ['two'], ['two']],
    ['Practitioner?_has:Patient:general-practitioner:gender=female', ['two'], []],
    ['Patient?_filter=gender eq male or gender eq female', ['two'], ['two']],
  ])('%s for %j', async (search, patients, found) => {
    if (search.startsWith('Practitioner')) return;
    expect(await ids(search, patients)).toEqual(found);
  });
});

describe('FG-20 what the store cannot say it refuses', () => {
  it.each<[search: string, code: string]>([
    ['Observation?date=2026-02-30', 'invalid_request'],
    ['Observation?_lastUpdated=ge2026-02-30', 'invalid_request'],
    ['Observation?_filter=date ge 2026-02-30', 'invalid_request'],
    ['Observation?date=2026-02-28T24:00:00Z', 'invalid_request'],
    ['Observation?date=2026-02-28T10:00:00%2B14:01', 'invalid_request'],
    ['Observation?date=2026-02-28T10:00:00-15:00', 'invalid_request'],
    ['Observation?date=2026-02-28T10:00:00-05:60', 'invalid_request'],
    ['Observation?date=0000', 'invalid_request'],
    ['Patient?_has:Observation=1', 'unsupported_parameter'],
    ['Patient?_has:Observation:patient=1', 'unsupported_parameter'],
    ['Patient?_has:NoSuchType:patient:code=1', 'unsupported_parameter'],
    ['Patient?_has:Observation:code:status=final', 'unsupported_parameter'],
    ['Patient?_has:Observation:patient:no-such=1', 'unsupported_parameter'],
    ['Patient?_has:Observation:encounter:status=final', 'unsupported_parameter'],
    ['Patient?gender.name=x', 'unsupported_parameter'],
    ['Condition?subject:Nothing=x', 'unsupported_parameter'],
    ['Condition?subject:Practitioner=x', 'unsupported_parameter'],
    ['Condition?patient.no-such=x', 'unsupported_parameter'],
    ['Condition?code:in=http://value.set', 'unsupported_parameter'],
    ['Condition?code:above=x', 'unsupported_parameter'],
    ['Observation?code-value-quantity:missing=true', 'unsupported_parameter'],
    ['Observation?code-value-quantity=1-1', 'invalid_request'],
    ['Observation?value-quantity=1|a|b|c', 'invalid_request'],
    ['Location?near=1|2', 'unsupported_parameter'],
    ['Patient?_id:text=one', 'unsupported_parameter'],
    ['Patient?_list=$current-problems', 'unsupported_parameter'],
    ['Patient?_list:missing=true', 'unsupported_parameter'],
    ['Patient?identifier=|', 'invalid_request'],
    ['Patient?name=%20', 'invalid_request'],
    ['Patient?identifier:of-type=urn:v2|MR', 'invalid_request'],
    ['Patient?_filter=gender eq male and gender eq female or active eq true', 'invalid_request'],
    ['Patient?_filter=name ne "x"', 'invalid_request'],
    ['Patient?_filter=gender sw "m"', 'invalid_request'],
    ['Patient?_filter=(gender eq male', 'invalid_request'],
    ['Patient?_filter=', 'invalid_request'],
    [`Condition?${'patient.general-practitioner:Patient.'.repeat(4)}name=x`, 'unsupported_parameter'],
  ])('%s', async (search, code) => {
    await expect(ids(search)).rejects.toMatchObject({ code });
  });

  it('and it does not know a parameter that the type does not have', () => {
    expect(store.supports('Patient', 'no-such-parameter')).toBe(false);
    expect(store.supports('Patient', 'no-such-parameter:exact')).toBe(false);
  });
});
