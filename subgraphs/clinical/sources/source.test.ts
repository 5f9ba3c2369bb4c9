/** One suite for every clinical source: the embedded store, and a FHIR server over HTTP. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accessOf, startClinical, startFhirServer } from '../test/servers.ts';
import { FhirServer } from './fhir-server.ts';
import { FhirServersShared } from './fhir-server/shared.ts';
import type { ClinicalSource, SearchParams } from './source.ts';

let clinical: Awaited<ReturnType<typeof startClinical>>;
let server: Awaited<ReturnType<typeof startFhirServer>>;
let sources: Record<'store' | 'fhir-server', ClinicalSource>;

const shared = new FhirServersShared();

beforeAll(async () => {
  clinical = await startClinical();
  server = await startFhirServer(clinical.subgraph, clinical.tenant);
  const store = await clinical.subgraph.open(clinical.tenant, accessOf('system/*.rs')).backend();
  sources = { store, 'fhir-server': new FhirServer({ base: server.base }, shared) };
});

afterAll(async () => {
  shared.close();
  await server.end();
  await clinical.end();
});

const query = (text: string): SearchParams => [...new URLSearchParams(text)];

/** Searches and the ids that they find (R4 §3.1.1.4). */
const searches: [search: string, ids: string[]][] = [
  // _id and identifiers
  ['Patient?_id=ana', ['ana']],
  ['Patient?_id=ana,bob', ['ana', 'bob']],
  ['Patient?_id=ANA', []],
  ['Patient?identifier=urn:mrn|MRN-1', ['ana']],
  ['Patient?identifier=MRN-2', ['bob']],
  ['Patient?identifier=|MRN-2', []],
  ['Patient?identifier=mrn-2', []],
  ['Patient?identifier=urn:mrn|', ['ana', 'bob']],
  ['Patient?identifier=urn:other|MRN-1', []],
  ['Patient?_lastUpdated=ge2026', ['ana']],
  ['Patient?_lastUpdated=lt2026', []],
  // token
  ['Patient?gender=female', ['ana']],
  ['Patient?gender=FEMALE', ['ana']],
  ['Patient?gender=female,male', ['ana', 'bob']],
  ['Patient?gender=http://hl7.org/fhir/administrative-gender|male', ['bob']],
  ['Patient?gender:not=female', ['bob']],
  ['Patient?_id:not=bob', ['ana']],
  ['Patient?_id:not=ana,bob', []],
  ['Patient?_id:missing=true', []],
  ['Patient?_id:missing=false', ['ana', 'bob']],
  ['Patient?active=true', ['ana']],
  ['Patient?active=false', ['bob']],
  ['Patient?deceased=true', ['bob']],
  ['Patient?deceased=false', ['ana']],
  ['Patient?phone=555-1', ['ana']],
  ['Patient?email=555-1', []],
  ['Condition?code=http://snomed.info/sct|195967001', ['asthma']],
  ['Condition?code=195967001', ['asthma']],
  ['Condition?code:text=asth', ['asthma']],
  ['Condition?code:text=grippe', ['flu']],
  ['Condition?clinical-status=active,resolved', ['asthma', 'flu']],
  ['Condition?clinical-status:missing=true', ['bobs', 'elsewhere']],
  ['Condition?clinical-status:missing=false', ['asthma', 'flu']],
  ['Observation?category=laboratory&status=final', ['glucose']],
  ['Observation?status=final&status=preliminary', []],
  // string
  ['Patient?name=nun', ['ana', 'bob']],
  ['Patient?family=NÚÑEZ', ['ana']],
  ['Patient?family:exact=Nunez', []],
  ['Patient?family:exact=Núñez', ['ana']],
  ['Patient?given=maria', ['ana']],
  ['Patient?given=aria', []],
  ['Patient?given:contains=aria', ['ana']],
  ['Patient?address-city=sev', ['ana']],
  ['Patient?address=41001', ['ana']],
  // reference
  ['Condition?subject=Patient/ana', ['asthma', 'flu']],
  ['Condition?patient=ana', ['asthma', 'flu']],
  ['Condition?subject:Patient=bob', ['bobs']],
  ['Condition?patient=ana,bob', ['asthma', 'bobs', 'flu']],
  ['Condition?subject=Group/ana', []],
  ['Condition?subject=https://other.example/fhir/Patient/ana', ['elsewhere']],
  ['Condition?encounter=visit', ['asthma']],
  ['Observation?performer=Patient/ana', ['by-ana-about-bob', 'nobodys']],
  // chains
  ['Condition?patient.identifier=urn:mrn|MRN-2', ['bobs']],
  ['Condition?subject:Patient.name=nunn', ['bobs']],
  ['Condition?patient.name=nun', ['asthma', 'bobs', 'flu']],
  ['Condition?encounter.status=finished', ['asthma']],
  ['Patient?general-practitioner:Practitioner.name=house', ['ana']],
  // date
  ['Patient?birthdate=1980-05-02', ['ana']],
  ['Patient?birthdate=1980', ['ana']],
  ['Patient?birthdate=1975-11-03', []],
  ['Patient?birthdate=lt1980', ['bob']],
  ['Patient?birthdate=ge1975-11&birthdate=le1975-11', ['bob']],
  ['Patient?birthdate=ne1980', ['bob']],
  ['Observation?date=2021-03-04T08:30:00Z', ['glucose']],
  ['Observation?date=2021-03-04', ['glucose']],
  ['Observation?date=gt2021-03-04', ['by-ana-about-bob', 'weight']],
  ['Observation?date=sa2021-03', ['by-ana-about-bob', 'weight']],
  ['Observation?date=eb2021-04', ['glucose']],
  ['Observation?date=le2021-04-10', ['glucose', 'weight']],
  ['Observation?date=ge2030', ['by-ana-about-bob']],
  ['Encounter?date=2020-03', ['visit']],
  ['Encounter?date=2020-03-02', []],
  ['Encounter?date=gt2020-03-02', ['visit']],
  ['Encounter?date=eb2020-03-04', ['visit']],
  ['Condition?onset-date=2010', ['asthma']],
  // By the exact rule: the period is neither after 2020 nor within it.
  ['Condition?onset-date=ge2020', []],
  ['Condition?onset-date=ge2019', ['flu']],
  // quantity and number
  ['Observation?value-quantity=5.4', ['glucose']],
  ['Observation?value-quantity=5.0', []],
  ['Observation?value-quantity=gt5', ['glucose', 'weight']],
  ['Observation?value-quantity=gt5||kg', ['weight']],
  ['Observation?value-quantity=70|http://unitsofmeasure.org|kg', ['weight']],
  ['Observation?value-quantity=70|http://other|kg', []],
  ['Observation?value-quantity=7e1', ['weight']],
  ['Observation?value-quantity=lt6', ['glucose']],
  ['Observation?value-quantity=ap5', ['glucose']],
  ['RiskAssessment?probability=0.25', ['risk']],
  ['RiskAssessment?probability=gt0.5', []],
  // uri
  ['Questionnaire?url=http://example.org/forms/one', ['form']],
  ['Questionnaire?url=http://example.org/forms', []],
  ['Questionnaire?url:below=http://example.org/forms', ['form']],
  // a parameter that has to be ignored
  ['Patient?gender=male&no-such-parameter=1', ['bob']],
];

describe.each(['store', 'fhir-server'] as const)('%s', (name) => {
  const source = () => sources[name];

  it.each(searches)('FG-7 finds by %s', async (search, ids) => {
    const [type = '', params = ''] = search.split('?');
    const { resources } = await source().search(type, { params: query(params), count: 100 });
    expect(resources.map(({ id }) => id).toSorted()).toEqual(ids);
  });

  it.each([
    ['Observation?date=yesterday', 'invalid_request'],
    ['Observation?value-quantity=heavy', 'invalid_request'],
    ['Patient?gender=', 'invalid_request'],
    ['Patient?active:missing=perhaps', 'invalid_request'],
    ['Patient?gender:above=male', 'unsupported_parameter'],
  ])('refuses %s', async (search, code) => {
    const [type = '', params = ''] = search.split('?');
    const expected = name === 'store' ? code : 'invalid_request';
    await expect(source().search(type, { params: query(params), count: 10 })).rejects.toMatchObject({
      code: expected,
    });
  });

  it.each([
    ['birthdate', ['bob', 'ana']],
    ['-birthdate', ['ana', 'bob']],
    ['-_id', ['bob', 'ana']],
    ['gender,_id', ['ana', 'bob']],
  ])('sorts by %s', async (sort, ids) => {
    const { resources } = await source().search('Patient', { params: [], sort, count: 10 });
    expect(resources.map(({ id }) => id)).toEqual(ids);
  });

  it('pages through all resources once, with a total on request', async () => {
    const ids: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await source().search('Observation', {
        params: [],
        sort: '_id',
        count: 3,
        total: 'accurate' as const,
        ...(cursor !== undefined && { cursor }),
      });
      expect(page.total).toBe(4);
      ids.push(...page.resources.map(({ id }) => id ?? ''));
      cursor = page.next;
    } while (cursor !== undefined);
    expect(ids).toEqual(['by-ana-about-bob', 'glucose', 'nobodys', 'weight']);
  });

  it('reads several by id, without those that do not exist', async () => {
    const found = await source().read('Patient', ['bob', 'none', 'ana']);
    expect(found.map(({ id }) => id).toSorted()).toEqual(['ana', 'bob']);
    expect(await source().read('Patient', ['none'])).toEqual([]);
  });

  it('returns objects that are new, or that nobody can change', async () => {
    const [first] = await source().read('Patient', ['ana']);
    const [second] = await source().read('Patient', ['ana']);
    expect(first).toEqual(second);
    expect(first !== second || Object.isFrozen(first)).toBe(true);
  });

  it.each(['../Patient', '7', 'https://other.example/Patient', '/Condition?patient=bob', '//other.example/'])(
    'refuses a cursor that leads elsewhere or is unknown: %s',
    async (cursor) => {
      const searched = source().search('Patient', { params: [], count: 1, cursor });
      await expect(searched).rejects.toMatchObject({ code: 'invalid_request' });
    },
  );
});
