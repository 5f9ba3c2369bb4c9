/** A small record with an example of every case that search, compartment and joins distinguish. */
import type { Resource } from 'fhir/r4.js';

const ucum = 'http://unitsofmeasure.org';
const loinc = 'http://loinc.org';
const categories = 'http://terminology.hl7.org/CodeSystem/observation-category';
const v2 = 'http://terminology.hl7.org/CodeSystem/v2-0203';

const category = (code: string) => [{ coding: [{ system: categories, code }] }];
const acsn = (value: string, code = 'ACSN') => ({ type: { coding: [{ system: v2, code }] }, value });

/** Study Instance UIDs that the reports and orders name. */
export const studies = { byUid: '1.2.840.1', byEhrStudy: '1.2.840.2', byAccession: '1.2.840.3' };

export const records: (Resource & Record<string, unknown>)[] = [
  {
    resourceType: 'Patient',
    id: 'ana',
    meta: { versionId: '3', lastUpdated: '2026-02-01T10:00:00Z' },
    active: true,
    identifier: [{ system: 'urn:mrn', value: 'MRN-1', ...{ type: { coding: [{ code: 'MR' }] } } }],
    name: [
      { use: 'official', family: 'Núñez', given: ['Ana', 'María'] },
      { use: 'nickname', given: ['Ani'] },
    ],
    gender: 'female',
    birthDate: '1980-05-02',
    telecom: [
      { system: 'phone', value: '555-1' },
      { system: 'email', value: 'ana@example.org' },
    ],
    address: [{ city: 'Sevilla', postalCode: '41001' }],
    generalPractitioner: [{ reference: 'Practitioner/dr' }],
    _birthDate: { extension: [{ url: 'urn:time', valueDateTime: '1980-05-02T04:00:00Z' }] },
  },
  {
    resourceType: 'Patient',
    id: 'bob',
    active: false,
    identifier: [{ system: 'urn:mrn', value: 'MRN-2' }],
    name: [{ family: 'Nunn', given: ['Bob'] }],
    gender: 'male',
    birthDate: '1975-11',
    deceasedDateTime: '2020-01-01',
  },
  { resourceType: 'Practitioner', id: 'dr', name: [{ family: 'House' }] },
  { resourceType: 'Organization', id: 'org', name: 'General Hospital' },
  {
    resourceType: 'Group',
    id: 'group',
    type: 'person',
    actual: true,
    member: [{ entity: { reference: 'Patient/ana' } }],
  },
  {
    resourceType: 'List',
    id: 'list',
    status: 'current',
    mode: 'working',
    subject: { reference: 'Patient/ana' },
  },
  { resourceType: 'Binary', id: 'binary', contentType: 'text/plain' },
  {
    ...{ resourceType: 'Binary', id: 'letter', contentType: 'text/plain', data: 'QQ==' },
    securityContext: { reference: 'Condition/asthma' },
  },
  {
    ...{ resourceType: 'Binary', id: 'bobs-letter', contentType: 'text/plain' },
    securityContext: { reference: 'Condition/bobs' },
  },
  {
    ...{ resourceType: 'Binary', id: 'portrait', contentType: 'text/plain' },
    securityContext: { reference: 'Practitioner/dr' },
  },
  { resourceType: 'Device', id: 'pacemaker', patient: { reference: 'Patient/bob' } },
  { resourceType: 'Device', id: 'scanner' },
  {
    resourceType: 'Encounter',
    id: 'visit',
    status: 'finished',
    class: { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'AMB' },
    subject: { reference: 'Patient/ana' },
    period: { start: '2020-03-01T08:00:00Z', end: '2020-03-03' },
  },
  {
    resourceType: 'Condition',
    id: 'asthma',
    subject: { reference: 'Patient/ana' },
    clinicalStatus: {
      coding: [{ system: 'http://terminology.hl7.org/CodeSystem/condition-clinical', code: 'active' }],
    },
    code: {
      coding: [{ system: 'http://snomed.info/sct', code: '195967001', display: 'Asthma' }],
      text: 'Asthma',
    },
    onsetDateTime: '2010',
    encounter: { reference: 'Encounter/visit' },
    contained: [{ resourceType: 'Practitioner', id: 'inside', name: [{ family: 'Within' }] }],
    asserter: { reference: '#inside' },
    note: [{ text: 'first' }, { text: 'second' }],
  },
  {
    resourceType: 'Condition',
    id: 'flu',
    subject: { reference: 'Patient/ana' },
    clinicalStatus: { coding: [{ code: 'resolved' }] },
    code: { text: 'Grippe' },
    onsetPeriod: { start: '2019-12-20', end: '2020-01-05' },
  },
  { resourceType: 'Condition', id: 'bobs', subject: { reference: 'Patient/bob' }, code: { text: 'Gout' } },
  {
    resourceType: 'Condition',
    id: 'elsewhere',
    subject: { reference: 'https://other.example/fhir/Patient/ana' },
    code: { text: 'Another Ana' },
  },
  {
    resourceType: 'Observation',
    id: 'glucose',
    status: 'final',
    category: category('laboratory'),
    code: { coding: [{ system: loinc, code: '2339-0', display: 'Glucose' }] },
    subject: { reference: 'Patient/ana' },
    effectiveDateTime: '2021-03-04T10:30:00+02:00',
    valueQuantity: { value: 5.4, unit: 'mmol/l', system: ucum, code: 'mmol/L' },
  },
  {
    resourceType: 'Observation',
    id: 'weight',
    status: 'preliminary',
    category: category('vital-signs'),
    code: { coding: [{ system: loinc, code: '29463-7' }] },
    subject: { reference: 'Patient/ana' },
    effectiveDateTime: '2021-04',
    valueQuantity: { value: 70, unit: 'kg', system: ucum, code: 'kg' },
  },
  {
    resourceType: 'Observation',
    id: 'by-ana-about-bob',
    status: 'final',
    category: category('survey'),
    code: { text: 'Observed by a relative' },
    subject: { reference: 'Patient/bob' },
    performer: [{ reference: 'Patient/ana' }],
    effectivePeriod: { start: '2022-01-01' },
  },
  {
    resourceType: 'Observation',
    id: 'nobodys',
    status: 'final',
    category: category('survey'),
    code: { text: 'Without subject' },
    performer: [{ reference: 'Patient/ana' }],
  },
  {
    resourceType: 'ServiceRequest',
    id: 'order',
    status: 'active',
    intent: 'order',
    subject: { reference: 'Patient/ana' },
    identifier: [acsn('ACC-3', 'PLAC'), { value: 'not-an-accession' }],
    code: { text: 'CT' },
  },
  {
    resourceType: 'DiagnosticReport',
    id: 'report-uid',
    status: 'final',
    subject: { reference: 'Patient/ana' },
    code: { text: 'by UID' },
    imagingStudy: [{ identifier: { system: 'urn:dicom:uid', value: `urn:oid:${studies.byUid}` } }],
  },
  {
    resourceType: 'DiagnosticReport',
    id: 'report-ehr-study',
    status: 'final',
    subject: { reference: 'Patient/ana' },
    code: { text: 'by ImagingStudy' },
    imagingStudy: [{ reference: 'ImagingStudy/ehr-study' }],
  },
  {
    resourceType: 'DiagnosticReport',
    id: 'report-order',
    status: 'final',
    subject: { reference: 'Patient/ana' },
    code: { text: 'by accession of its order' },
    basedOn: [{ reference: 'ServiceRequest/order' }],
  },
  {
    resourceType: 'ImagingStudy',
    id: 'ehr-study',
    status: 'available',
    subject: { reference: 'Patient/ana' },
    identifier: [{ system: 'urn:dicom:uid', value: `urn:oid:${studies.byEhrStudy}` }],
  },
  {
    resourceType: 'Questionnaire',
    id: 'form',
    status: 'active',
    url: 'http://example.org/forms/one',
  },
  {
    resourceType: 'RiskAssessment',
    id: 'risk',
    status: 'final',
    subject: { reference: 'Patient/ana' },
    prediction: [{ probabilityDecimal: 0.25 }],
  },
];
