/** The record for the examples of the FHIR GraphQL specification: with the values that the specification shows. */

const subject = { reference: 'Patient/example' };

export const PATIENT = {
  resourceType: 'Patient',
  id: 'example',
  extension: [
    { url: 'http://other.url', valueString: 'another value' },
    { url: 'http://myextension.url/details', valueString: 'some value' },
  ],
  identifier: [{ system: 'urn:oid:1.2.36.146.595.217.0.1', value: '12345' }],
  active: true,
  name: [
    { use: 'official', family: 'Chalmers', given: ['Peter', 'James'] },
    { use: 'usual', given: ['Jim'] },
    { use: 'maiden', family: 'Windsor', given: ['Peter', 'James'] },
  ] as { use: string; family?: string; given: string[] }[],
  telecom: [
    { system: 'phone', value: '(03) 5555 6473', use: 'work', rank: 1 },
    { system: 'phone', value: '(03) 3410 5613', use: 'mobile', rank: 2 },
  ],
  birthDate: '2016-05-18',
  _birthDate: {
    extension: [
      {
        url: 'http://hl7.org/fhir/StructureDefinition/patient-birthTime',
        valueDateTime: '2016-05-18T10:28:45Z',
      },
    ],
  },
  maritalStatus: { text: 'Married' },
  contact: [
    {
      relationship: [{ text: 'Partner' }],
      name: { family: 'du Marché', given: ['Bénédicte'] },
      telecom: [{ system: 'phone', value: '+33 (237) 998327' }],
    },
  ],
  managingOrganization: { reference: 'Organization/1' },
};

const condition = (id: string, status: string) => ({
  resourceType: 'Condition',
  id,
  clinicalStatus: {
    coding: [{ system: 'http://terminology.hl7.org/CodeSystem/condition-clinical', code: status }],
  },
  code: { text: `condition ${id}` },
  subject,
});

const RESOURCES = [
  PATIENT,
  { resourceType: 'Organization', id: '1', active: true, name: 'Gastroenterology' },
  {
    resourceType: 'Observation',
    id: 'example',
    status: 'final',
    code: { coding: [{ system: 'http://loinc.org', code: '29463-7' }] },
    subject,
    performer: [{ reference: 'Organization/1' }],
    valueQuantity: { value: 'DECIMAL', unit: 'mg' },
    component: [{ code: { text: 'half' }, valueQuantity: { value: 'DECIMAL' } }],
  },
  condition('100', 'active'),
  condition('101', 'relapse'),
  {
    resourceType: 'List',
    id: 'example',
    status: 'current',
    mode: 'working',
    subject,
    entry: Array.from({ length: 20 }, (_, i) => ({ item: { reference: `Observation/${i}` } })),
  },
];

/** The resources as NDJSON, with decimals that a JavaScript number would change. */
export const RECORD = RESOURCES.map((resource) =>
  JSON.stringify(resource).replaceAll('"DECIMAL"', '1.50'),
).join('\n');
