/**
 * Data flattening directives, and expressions on lists of resources, of the FHIR GraphQL specification (R4 §3.2.0,
 * https://hl7.org/fhir/R4/graphql.html).
 */
import { describe, expect, test } from 'vitest';
import { PATIENT } from './setup/specification-record.ts';
import { atRoot, NAMES, specificationGateway } from './specification-gateway.ts';

const ask = specificationGateway();

describe('FG-4 fhirpath on lists of resources', () => {
  test.each([
    ['descendants().exists()', /calls descendants\(\), which is not allowed/],
    ['subject.resolve().exists()', /calls resolve\(\)/],
    ['code(', /is not FHIRPath/],
    ['', /is not FHIRPath/],
    ['category.coding | code.coding', /^$/],
  ])('%s', async (fhirpath, message) => {
    for (const list of ['ConditionList', 'ConditionConnection']) {
      const query = `query ($f: String) { ${list}(fhirpath: $f) { ${list === 'ConditionList' ? 'id' : 'edges { score }'} } Patient(id: "example") { id } }`;
      const { data, errors } = await ask('graphql', query, { variables: { f: fhirpath } });
      expect(data!['Patient']).toEqual({ id: 'example' });
      if (message.source === '^$') expect(errors).toBeUndefined();
      else {
        expect(data![list]).toBeNull();
        expect(errors).toMatchObject([{ path: [list], extensions: { code: 'invalid_request' } }]);
        expect(errors![0]!.message).toMatch(message);
      }
    }
  });

  test('studies: by what a search shows of them, without instances', async () => {
    const list = (fhirpath: string) => `{ ImagingStudyList(fhirpath: "${fhirpath}") { id } }`;
    expect((await ask('graphql', list("modality.code = 'CT'"))).data).toEqual({ ImagingStudyList: [] });
    const { errors } = await ask('graphql', list('series.instance.exists()'));
    expect(errors![0]!.message).toMatch(/cannot read the instances/);
  });
});

describe('Data Flattening Directives', () => {
  const identifier = { system: ['urn:oid:1.2.36.146.595.217.0.1'], value: ['12345'] };

  test('FG-25 without directives', async () => {
    const query = '{ identifier { system value } active name { text given family } }';
    expect((await ask('fhir/Patient/example/$graphql', query)).data).toEqual({
      identifier: PATIENT.identifier,
      active: true,
      name: NAMES,
    });
  });

  test.each<[example: string, query: string, data: Record<string, unknown>]>([
    [
      '@flatten',
      '{ identifier @flatten { system value } active name @flatten { text given family } }',
      {
        ...identifier,
        active: true,
        given: ['Peter', 'James', 'Jim', 'Peter', 'James'],
        family: ['Chalmers', 'Windsor'],
      },
    ],
    [
      '@first',
      '{ identifier @flatten { system value } active name @flatten { text given @first family } }',
      { ...identifier, active: true, given: ['Peter', 'Jim', 'Peter'], family: ['Chalmers', 'Windsor'] },
    ],
    [
      '@singleton',
      `{ identifier @flatten { system @singleton value @singleton } active
        name @flatten @first { text given family @singleton } }`,
      {
        system: 'urn:oid:1.2.36.146.595.217.0.1',
        value: '12345',
        active: true,
        given: ['Peter', 'James'],
        family: 'Chalmers',
      },
    ],
    [
      // The specification writes these names in upper case, and forgets that a name without a family has none here.
      '@slice by $index, and @first @singleton',
      '{ name @slice(path: "$index") @flatten {given @first @singleton family} }',
      {
        'given.0': 'Peter',
        'family.0': ['Chalmers'],
        'given.1': 'Jim',
        'given.2': 'Peter',
        'family.2': ['Windsor'],
      },
    ],
    [
      '@slice by use',
      '{ identifier @flatten { system value } active name @flatten @slice(path: "use") { given family @singleton } }',
      {
        ...identifier,
        active: true,
        'given.official': ['Peter', 'James'],
        'family.official': 'Chalmers',
        'given.usual': ['Jim'],
        'given.maiden': ['Peter', 'James'],
        'family.maiden': 'Windsor',
      },
    ],
    [
      '@slice by $index',
      '{ identifier @flatten { system value } active name @flatten @slice(path: "$index") { given family @singleton } }',
      {
        ...identifier,
        active: true,
        'given.0': ['Peter', 'James'],
        'family.0': 'Chalmers',
        'given.1': ['Jim'],
        'given.2': ['Peter', 'James'],
        'family.2': 'Windsor',
      },
    ],
    [
      // "The result of the FHIRPath as a string": the examples have only paths and $index.
      '@slice by an expression',
      `{ name @flatten @slice(path: "given.where($this = 'James').exists()") { family }
         telecom @slice(path: "system.where($this = 'phone').first()") @flatten { rank } }`,
      { 'family.true': ['Chalmers', 'Windsor'], 'rank.phone': [1, 2] },
    ],
  ])('FG-26 %s', async (_example, query, data) => {
    const instance = await ask('fhir/Patient/example/$graphql', query);
    expect(instance.data).toEqual(data);
    expect(Object.keys(instance.data!)).toEqual(Object.keys(data));
    expect((await ask('fhir/$graphql', atRoot('Patient', query))).data).toEqual({ Patient: data });
    expect((await ask('graphql', atRoot('Patient', query))).statusCode).toBe(400);
  });
});
