import { linkedStudies, PATIENTS } from './linked-record.ts';

/** Callers of every kind, for tests of the rows that are theirs. */

/** A table that no view of ours makes so: without the id of its resource. */
export const VIEWS = [
  {
    resourceType: 'ViewDefinition',
    name: 'condition_code',
    resource: 'Condition',
    status: 'active',
    select: [{ column: [{ name: 'code', path: 'code.coding.code.first()' }] }],
  },
  {
    resourceType: 'ViewDefinition',
    name: 'media',
    resource: 'Media',
    status: 'active',
    select: [{ column: [{ name: 'id', path: 'getResourceKey()' }] }],
  },
  {
    resourceType: 'ViewDefinition',
    name: 'organization',
    resource: 'Organization',
    status: 'active',
    select: [{ column: [{ name: 'id', path: 'getResourceKey()' }] }],
  },
];

const half = (odd: number) => PATIENTS.filter((_, at) => at % 2 === odd);
export const policy = [
  { client_id: 'one', patients: half(0) },
  { client_id: 'two', patients: half(1) },
  { client_id: 'few', patients: PATIENTS.slice(0, 3) },
  { client_id: 'last', patients: PATIENTS.slice(-1) },
  { client_id: 'all', patients: PATIENTS },
  {
    client_id: 'some',
    patients: half(0),
    studies: linkedStudies()
      .slice(0, 9)
      .map(({ studyUid }) => studyUid),
  },
];
export const SCOPES: Record<string, string> = {
  all: 'system/*.rs',
  v1: 'system/*.read',
  'search only': 'system/*.s',
  'CT only': 'system/*.rs?modality=CT system/Patient.rs system/ImagingStudy.rs?modality=CT',
  'women only': 'system/Patient.rs?gender=female system/Condition.rs system/ImagingStudy.rs',
  'no images': 'system/Patient.rs system/Condition.rs system/DiagnosticReport.rs system/Observation.rs',
  'no patients': 'system/ImagingStudy.rs system/ServiceRequest.rs',
  laboratory: 'system/Patient.rs system/Observation.rs?category=laboratory system/ImagingStudy.rs',
  'two categories': 'system/Observation.rs?category=laboratory system/Observation.rs?category=vital-signs',
  'category or code':
    'system/Observation.rs?category=imaging system/Observation.rs?code=4548-4 system/ImagingStudy.rs system/Media.rs',
  'reports without orders': 'system/DiagnosticReport.rs system/ImagingStudy.rs',
  'reports with some orders':
    'system/DiagnosticReport.rs system/ServiceRequest.rs?code=RPID16 system/ImagingStudy.rs',
  'orders that are not read': 'system/DiagnosticReport.rs system/ServiceRequest.s system/ImagingStudy.rs',
  'orders that are only read': 'system/DiagnosticReport.rs system/ServiceRequest.r system/ImagingStudy.rs',
  'visits without what is in them':
    'system/Encounter.rs system/ImagingStudy.rs system/DocumentReference.rs?status=superseded',
};
export const LAUNCHED: Record<string, object> = {
  'of a patient': { scope: 'patient/*.rs', patient: 'p1' },
  'of a patient, laboratory': {
    scope: 'patient/Observation.rs?category=laboratory patient/Patient.rs',
    patient: 'p3',
  },
  'of a patient without images': { scope: 'patient/*.rs', patient: PATIENTS.at(-1) },
  'of a user with a patient': {
    scope: 'user/*.rs',
    patient: 'p2',
    fhirUser: 'https://ehr.example/Practitioner/1',
  },
  'of a user with a patient, reports': {
    scope: 'user/DiagnosticReport.rs user/ImagingStudy.rs',
    patient: 'p4',
  },
};

export interface Caller {
  tenant: string;
  token?: string;
}

export const named = (client: string, scope: string) => `${client} ${scope}`.replaceAll(/[ ,]+/g, '-');
export const CALLERS: Caller[] = [
  { tenant: 'open' },
  ...Object.keys(SCOPES).flatMap((scope) =>
    ['one', 'some', ...(scope.includes('all') ? ['two', 'few', 'last', 'all'] : [])].map((client) => ({
      tenant: 'policy',
      token: named(client, scope),
    })),
  ),
  ...['all', 'CT only', 'reports with some orders'].map((scope) => ({
    tenant: 'withheld',
    token: named('one', scope),
  })),
  ...Object.keys(LAUNCHED).flatMap((launch) =>
    ['policy', 'withheld'].map((tenant) => ({ tenant, token: named('app', launch) })),
  ),
];
